package app_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// protocols is one service for each protocol; VERSION is put in by the test.
const protocols = `
name: shop
services:
  web:
    RUN
    env: {VERSION: NUMBER}
    routes: [{path: /}, {path: /upload, limits: {body: 128Mi}}]
  rpc:
    RUN GRPC
    env: {VERSION: NUMBER}
    protocol: h2c
    routes: [{path: /test.Service, limits: {body: 1Gi}}]
`

func version(n string) string { return strings.ReplaceAll(protocols, "NUMBER", n) }

func TestFrontSpeaksProtocols(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.up(version("v1"))
	t.Run("versions", f.checkVersions)
	t.Run("gRPC", f.checkGRPC)
	t.Run("gRPC streams", f.checkGRPCStreams)
	t.Run("WebSocket", f.checkWebSocket)
	t.Run("events", func(t *testing.T) { ways(t, f.checkEvents) })
	t.Run("uploads", func(t *testing.T) { ways(t, f.checkUpload) })
	t.Run("downloads", func(t *testing.T) { ways(t, f.checkDownload) })
	t.Run("expect", f.checkExpect)
	t.Run("new release", f.checkReleaseUnderStreams)
	t.Run("new gateway", f.checkUpgradeUnderStreams)
}

func (f *front) checkVersions(t *testing.T) {
	ways(t, func(t *testing.T, c *http.Client) {
		got := get(t, c, f.url+"/x")
		want(t, "proto", got.Proto, map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[speaksHTTP2(c)])
		want(t, "the program's", got.echoed(t).Proto, "HTTP/1.1")
	})
	conn, err := net.Dial("tcp", f.address)
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /x HTTP/1.0\r\n\r\n")
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	want(t, "HTTP/1.0", resp.StatusCode, 200)
}

// dialRPC connects to the gateway as any gRPC client does.
func (f *front) dialRPC(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(f.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (f *front) checkGRPC(t *testing.T) {
	conn := f.dialRPC(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-asked", "a", "x-asked", "b")
	var out wrapperspb.StringValue
	var header, trailer metadata.MD
	must(t, conn.Invoke(ctx, "/test.Service/Say", wrapperspb.String("hi"), &out, grpc.Header(&header), grpc.Trailer(&trailer)))
	want(t, "answer", out.Value, "v1 hi")
	want(t, "metadata", strings.Join(header.Get("x-header"), "|"), "[a b]")
	want(t, "binary metadata", strings.Join(header.Get("x-data-bin"), "|"), string([]byte{0, 1, 255}))
	want(t, "trailer", strings.Join(trailer.Get("x-trailer"), "|"), "t")

	err := conn.Invoke(ctx, "/test.Service/Say", wrapperspb.String("fail"), &out)
	want(t, "error", fmt.Sprint(status.Code(err), status.Convert(err).Message()), fmt.Sprint(codes.FailedPrecondition, "as asked: 100 % ü"))
	want(t, "no such method", status.Code(conn.Invoke(ctx, "/test.Service/No", wrapperspb.String(""), &out)), codes.Unimplemented)

	long := strings.Repeat("long ", 4<<20) // 20 MiB
	must(t, conn.Invoke(ctx, "/test.Service/Say", wrapperspb.String(long), &out))
	want(t, "a big message", len(out.Value), len(long)+3)

	waiting := func(n string) func() bool {
		return func() bool {
			must(t, conn.Invoke(ctx, "/test.Service/Say", wrapperspb.String("waiting"), &out))
			return out.Value == n
		}
	}
	late, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	// The program has the same deadline; where it is the first to give up, its
	// stream is reset and the gateway answers 502, which is Unavailable.
	if code := status.Code(conn.Invoke(late, "/test.Service/Wait", wrapperspb.String(""), &out)); code != codes.DeadlineExceeded && code != codes.Unavailable {
		t.Errorf("deadline: %s", code)
	}
	eventually(t, "the program hears of the deadline", waiting("0"))

	given, cancel := context.WithCancel(ctx)
	defer cancel()
	code := make(chan codes.Code, 1)
	go func() {
		code <- status.Code(conn.Invoke(given, "/test.Service/Wait", wrapperspb.String(""), new(wrapperspb.StringValue)))
	}()
	eventually(t, "the call has come", waiting("1"))
	cancel()
	want(t, "cancel", <-code, codes.Canceled)
	eventually(t, "the program hears of the end", waiting("0"))
}

// hear receives one message.
func hear(t *testing.T, s grpc.ClientStream) string {
	t.Helper()
	var out wrapperspb.StringValue
	if err := s.RecvMsg(&out); err != nil {
		t.Fatal(err)
	}
	return out.Value
}

func (f *front) stream(t *testing.T, name string) grpc.ClientStream {
	t.Helper()
	s, err := f.dialRPC(t).NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: name != "Collect", ClientStreams: name != "Count"}, "/test.Service/"+name)
	must(t, err)
	return s
}

func (f *front) checkGRPCStreams(t *testing.T) {
	var out wrapperspb.StringValue
	count := f.stream(t, "Count")
	must(t, count.SendMsg(wrapperspb.String(strings.Repeat("x", 1000))))
	must(t, count.CloseSend())
	for i := range 1000 {
		want(t, "message", hear(t, count), fmt.Sprint(i))
	}
	want(t, "the end", count.RecvMsg(&out), io.EOF)
	want(t, "trailer", strings.Join(count.Trailer().Get("x-trailer"), "|"), "counted")

	collect := f.stream(t, "Collect")
	for i := range 100 {
		must(t, collect.SendMsg(wrapperspb.String(fmt.Sprint(i%10))))
	}
	must(t, collect.CloseSend())
	want(t, "collected", hear(t, collect), strings.Repeat("0123456789", 10))

	chat := f.stream(t, "Chat")
	for i := range 20 { // each is sent only after the one before was answered
		must(t, chat.SendMsg(wrapperspb.String(fmt.Sprint(i))))
		want(t, "said back", hear(t, chat), fmt.Sprint("v1 ", i))
	}
	must(t, chat.CloseSend())
	want(t, "the end", chat.RecvMsg(&out), io.EOF)
}

// openSocket opens a WebSocket through the gateway.
func (f *front) openSocket(t *testing.T) *websocket.Conn {
	t.Helper()
	c, resp, err := websocket.Dial(t.Context(), "ws://"+f.address+"/ws", &websocket.DialOptions{
		Subprotocols: []string{"echo.v1"}, CompressionMode: websocket.CompressionContextTakeover})
	must(t, err)
	t.Cleanup(func() { _ = c.CloseNow() })
	want(t, "subprotocol", c.Subprotocol(), "echo.v1")
	want(t, "extensions", strings.Contains(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate"), true)
	c.SetReadLimit(8 << 20)
	return c
}

func sayOn(t *testing.T, c *websocket.Conn, version, text string) {
	t.Helper()
	must(t, c.Write(t.Context(), websocket.MessageText, []byte(text)))
	kind, data, err := c.Read(t.Context())
	must(t, err)
	if kind != websocket.MessageText || string(data) != version+" "+text {
		t.Errorf("said %.80q, heard %.80q", text, data)
	}
}

func (f *front) checkWebSocket(t *testing.T) {
	c := f.openSocket(t)
	for i := range 20 {
		sayOn(t, c, "v1", fmt.Sprint("message ", i))
	}
	sayOn(t, c, "v1", strings.Repeat("large ", 1<<20))
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan error, 1)
	go func() { // a pong is taken by whoever reads
		_, _, err := c.Read(ctx)
		read <- err
	}()
	must(t, c.Ping(t.Context()))
	want(t, "under way", f.of("dev/web").InFlight, 1)
	cancel()
	if err := <-read; err == nil {
		t.Error("a message that nobody sent")
	}
	eventually(t, "the WebSocket is gone", func() bool { return f.of("dev/web").InFlight == 0 })
	c = f.openSocket(t)
	must(t, c.Close(websocket.StatusNormalClosure, "bye"))
}

// eventStream is an open stream of server-sent events.
type eventStream struct {
	t *testing.T
	*bufio.Reader
	close func()
}

func (f *front) openEvents(t *testing.T, c *http.Client) *eventStream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := c.Do(request(t, "GET", f.url+"/events", "", "Accept: text/event-stream").WithContext(ctx))
	must(t, err)
	want(t, "type", resp.Header.Get("Content-Type"), "text/event-stream")
	return &eventStream{t, bufio.NewReader(resp.Body), func() { cancel(); resp.Body.Close() }}
}

func (s *eventStream) want(event string) {
	s.t.Helper()
	line, err := s.ReadString('\n')
	must(s.t, err)
	want(s.t, "event", line, "data: "+event+"\n")
	_, err = s.ReadString('\n')
	must(s.t, err)
}

func (f *front) checkEvents(t *testing.T, c *http.Client) {
	s := f.openEvents(t, c)
	for i := range 20 { // each is sent only after the one before has come
		s.want(fmt.Sprint("v1 ", i))
		get(t, c, f.url+"/next")
	}
	s.close()
	eventually(t, "the program hears that the client has left", func() bool { return f.of("dev/web").InFlight == 0 })
}

// resident is the memory of the gateway's process in bytes.
func (f *front) resident(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", f.state().PID))
	must(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	must(t, err)
	return pages * int64(os.Getpagesize())
}

// boundedMemory fails when the gateway takes on more than a few megabytes.
func (f *front) boundedMemory(t *testing.T, during func()) {
	t.Helper()
	before := f.resident(t)
	during()
	if grown := f.resident(t) - before; grown > 32<<20 {
		t.Errorf("the gateway grew by %d MiB", grown>>20)
	}
}

const large = 100 << 20

func (f *front) checkUpload(t *testing.T, c *http.Client) {
	block := make([]byte, 1<<20)
	_, _ = rand.Read(block)
	for _, chunked := range []bool{false, true} {
		sum := sha256.New()
		r, w := io.Pipe()
		go func() {
			for range large / len(block) {
				sum.Write(block)
				if _, err := w.Write(block); err != nil {
					return
				}
			}
			w.Close()
		}()
		req := request(t, "POST", f.url+"/upload", "")
		req.Body, req.ContentLength = r, large
		if chunked {
			req.ContentLength = -1
		}
		var got reply
		f.boundedMemory(t, func() { got = send(t, c, req) })
		var in struct {
			Bytes, Length int64
			SHA256        string
		}
		if err := json.Unmarshal([]byte(got.body), &in); err != nil {
			t.Fatalf("%s %q", got.Status, got.body)
		}
		want(t, "bytes", in.Bytes, large)
		want(t, "digest", in.SHA256, hex.EncodeToString(sum.Sum(nil)))
		want(t, "length", in.Length, req.ContentLength)
	}
}

func (f *front) checkDownload(t *testing.T, c *http.Client) {
	f.boundedMemory(t, func() {
		resp, err := c.Do(request(t, "GET", fmt.Sprint(f.url, "/download?n=", large), ""))
		must(t, err)
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		must(t, err)
		want(t, "bytes", n, large)
		want(t, "trailer", resp.Trailer.Get("X-Sent"), fmt.Sprint(large))
	})
	// A client that does not read must hold up the program, not fill the gateway.
	f.boundedMemory(t, func() {
		resp, err := c.Do(request(t, "GET", fmt.Sprint(f.url, "/download?n=", large), ""))
		must(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 1<<20))
		must(t, err)
		resp.Body.Close()
	})
	eventually(t, "the program hears that the client has left", func() bool { return f.of("dev/web").InFlight == 0 })
}

// checkExpect sends a body only when it is asked for, as curl does.
func (f *front) checkExpect(t *testing.T) {
	for path, status := range map[string]int{"/upload": 200, "/refused": 413} {
		conn, err := net.Dial("tcp", f.address)
		must(t, err)
		defer conn.Close()
		must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		length := 1 << 20
		if status == 413 {
			length = 33 << 20
		}
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", path, length)
		must(t, err)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		must(t, err)
		if status == 413 {
			want(t, "too large, without a byte of it", resp.StatusCode, status)
			continue
		}
		want(t, "go on", resp.StatusCode, 100)
		_, err = conn.Write(make([]byte, length))
		must(t, err)
		for resp.StatusCode == 100 { // the program's own may come too (RFC 9110, 15.2)
			resp, err = http.ReadResponse(r, nil)
			must(t, err)
		}
		want(t, "status", resp.StatusCode, status)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		want(t, "all came", strings.Contains(string(body), fmt.Sprintf(`"bytes":%d`, length)), true)
	}
}

// streams are long-lived connections of all kinds.
type streams struct {
	t       *testing.T
	version string
	socket  *websocket.Conn
	chat    grpc.ClientStream
	events  *eventStream
	round   int
}

func (f *front) openStreams(t *testing.T, version string) *streams {
	t.Helper()
	s := &streams{t: t, version: version, socket: f.openSocket(t), chat: f.stream(t, "Chat"), events: f.openEvents(t, newClient(t, false, "127.0.0.1"))}
	t.Cleanup(s.events.close)
	s.events.want(version + " 0")
	s.say()
	return s
}

// say has each of them answered by the release that they began with.
func (s *streams) say() {
	s.t.Helper()
	s.round++
	text := fmt.Sprint("round ", s.round)
	sayOn(s.t, s.socket, s.version, text)
	must(s.t, s.chat.SendMsg(wrapperspb.String(text)))
	want(s.t, "chat", hear(s.t, s.chat), s.version+" "+text)
}

func (s *streams) end() {
	s.t.Helper()
	must(s.t, s.socket.Close(websocket.StatusNormalClosure, ""))
	must(s.t, s.chat.CloseSend())
	want(s.t, "the end of the chat", s.chat.RecvMsg(new(wrapperspb.StringValue)), io.EOF)
	s.events.close()
}

// checkReleaseUnderStreams holds streams open while the release changes.
func (f *front) checkReleaseUnderStreams(t *testing.T) {
	before, c := f.openStreams(t, "v1"), newClient(t, false, "127.0.0.1")
	changed := make(chan string, 1)
	go func() {
		out, err := f.tryUp(version("v2"))
		changed <- fmt.Sprint(err, "\n", out)
	}()
	eventually(t, "the new release", func() bool { return get(t, c, f.url+"/x").echoed(t).Version == "v2" })
	conn := f.dialRPC(t)
	eventually(t, "the new gRPC release", func() bool {
		var out wrapperspb.StringValue
		must(t, conn.Invoke(t.Context(), "/test.Service/Say", wrapperspb.String("hi"), &out))
		return out.Value == "v2 hi"
	})
	want(t, "leaving", len(f.state().Leaving), 2)
	before.say()
	select {
	case said := <-changed:
		t.Errorf("up did not wait for the streams of the old release: %s", said)
	default:
	}
	before.end()
	if said := <-changed; !strings.HasPrefix(said, "<nil>") {
		t.Errorf("up: %s", said)
	}
}

// checkUpgradeUnderStreams holds streams open while the gateway hands over to a
// successor.
func (f *front) checkUpgradeUnderStreams(t *testing.T) {
	before := f.openStreams(t, "v2")
	first := f.state().PID
	next, err := f.gateway.Upgrade(t.Context())
	must(t, err)
	want(t, "another process", next != first, true)
	eventually(t, "it is the one that answers", func() bool { return f.state().PID == next })
	before.say()
	want(t, "the one before lives for its streams", f.state().Predecessor, first)
	after := f.openStreams(t, "v2")
	before.end()
	eventually(t, "the old gateway has ended", func() bool { return f.state().Predecessor == 0 })
	after.say()
	eventually(t, "status knows the new one", func() bool { return f.status().Gateway.PID == next })
	after.end()
}
