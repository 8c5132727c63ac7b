package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/greenlight-dev/greenlight/gateway"
)

// http2Client speaks HTTP/2 without TLS.
func http2Client(t *testing.T) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// grpcService starts a server of echoService and gives its address.
func grpcService(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&echoService, struct{}{})
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Stop(); <-served })
	return ln.Addr().String()
}

func grpcClient(t *testing.T, g *running) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(g.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const quietStall = 150 * time.Millisecond

// stalls is c with a short StallTimeout.
func stalls(c *gateway.Config) *gateway.Config {
	c.Server.StallTimeout = duration(quietStall)
	return c
}

func TestQuietGRPCStream(t *testing.T) {
	g := start(t, stalls(one(gateway.Service{Protocol: gateway.H2C, Releases: []gateway.Release{release("v1", 1, grpcService(t))}})))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := grpcClient(t, g).NewStream(ctx, &echoService.Streams[0], "/test.Echo/Chat")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		time.Sleep(time.Duration(i) * 2 * quietStall) // what is tested is that nothing happens
		var out wrapperspb.StringValue
		if err := stream.SendMsg(wrapperspb.String("x")); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&out); err != nil || out.Value != "echo x" {
			t.Fatalf("message %d: %q %v", i, out.Value, err)
		}
	}
}

func TestQuietHTTP2Body(t *testing.T) {
	g := start(t, stalls(to(newBackend(t, "b").address())))
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, "one ")
		time.Sleep(4 * quietStall)
		_, _ = io.WriteString(w, "two")
		_ = w.Close()
	}()
	req := request(t, "POST", g.url, "")
	req.Body, req.ContentLength = r, -1
	if got := do(t, http2Client(t), req); got.status != 200 || got.body != "bone two" {
		t.Errorf("%d %q", got.status, got.body)
	}
}

// A client that is gone without a word does not answer pings.
func TestDeadHTTP2Client(t *testing.T) {
	g := start(t, stalls(one(gateway.Service{Protocol: gateway.H2C, Releases: []gateway.Release{release("v1", 1, grpcService(t))}})))
	conn := dial(t, g)
	var headers bytes.Buffer
	enc := hpack.NewEncoder(&headers)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/test.Echo/Chat"}, {"content-type", "application/grpc"}, {"te", "trailers"}} {
		_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	_ = framer.WriteSettings()
	_ = framer.WriteSettingsAck()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers.Bytes(), EndHeaders: true})
	if _, err := conn.Write(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream is open", func() bool { return g.Status().InFlight == 1 })
	eventually(t, "it was noticed that nobody is there", func() bool { return g.Status().InFlight == 0 })
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("the connection is still open")
	}
}

// oneAnswer is a target that answers the first request of each connection and
// closes on the second after it has read it.
func oneAnswer(t *testing.T) (address string, requests chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = make(chan string, 10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(c)
			for i := range 2 {
				req, err := http.ReadRequest(r)
				if err != nil {
					break
				}
				requests <- req.Method
				if i == 0 {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-ended })
	return ln.Addr().String(), requests
}

// What may have reached a target is not sent again when retries are off, not
// even because a connection that was idle may have been closed.
func TestRetriesOff(t *testing.T) {
	for way, client := range map[string]func(*testing.T) *http.Client{"direct": httpClient, "net/http": http2Client} {
		for attempts, want := range map[int]int{1: 502, 2: 200} {
			t.Run(fmt.Sprint(way, " ", attempts), func(t *testing.T) {
				address, requests := oneAnswer(t)
				g := start(t, one(gateway.Service{Retry: gateway.Retry{Attempts: attempts}, Releases: []gateway.Release{release("v1", 1, address)},
					Timeouts: gateway.Timeouts{Idle: duration(time.Minute)}}))
				c := client(t)
				wantStatus(t, get(t, c, g.url), 200)
				wantStatus(t, get(t, c, g.url), want)
				if n := len(requests); n != attempts+1 {
					t.Errorf("the target got %d requests, want %d", n, attempts+1)
				}
			})
		}
	}
}

func TestRequestTrailers(t *testing.T) {
	b := newBackend(t, "")
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %v", body, r.Trailer)
	})
	g := start(t, to(b.address()))
	for way, client := range map[string]*http.Client{"HTTP/1.1": httpClient(t), "HTTP/2": http2Client(t)} {
		req := request(t, "POST", g.url, "")
		req.Trailer = http.Header{"X-Sum": {"42"}, "X-None": nil}
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader("body")), -1
		if got := do(t, client, req); got.body != "body map[X-None:[] X-Sum:[42]]" {
			t.Errorf("%s: %d %q", way, got.status, got.body)
		}
	}
	conn := dial(t, g)
	send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nTrailer: X-Sum, Authorization\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"1\r\nx\r\n0\r\nX-Sum: 1\r\nAuthorization: me\r\nX-Unannounced: 2\r\n\r\n")
	if got := hear(t, bufio.NewReader(conn)); got.body != "x map[X-Sum:[1]]" {
		t.Errorf("what is no trailer: %d %q", got.status, got.body)
	}
}

// The gateway asks for the body once, and does not let the target ask again.
func TestExpect(t *testing.T) {
	b := newBackend(t, "")
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%q %d", r.Header["Expect"], len(body))
	})
	g := start(t, to(b.address()))
	for _, length := range []int{5, 100_000} { // one that is read at once, one that is streamed
		conn := dial(t, g)
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		send(t, conn, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", length))
		r := bufio.NewReader(conn)
		asked, err := http.ReadResponse(r, nil)
		if err != nil || asked.StatusCode != http.StatusContinue {
			t.Fatalf("%v %v", asked, err)
		}
		send(t, conn, strings.Repeat("x", length))
		if got := hear(t, r); got.status != 200 || got.body != fmt.Sprintf("[] %d", length) {
			t.Errorf("%d bytes: %d %q", length, got.status, got.body)
		}
	}
}

// Who speaks gRPC is refused in gRPC.
func TestGRPCRefusals(t *testing.T) {
	b := newBackend(t, "")
	b.handle(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that its client is gone
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	})
	config := one(gateway.Service{Protocol: gateway.H2C})
	g := start(t, config)
	conn := grpcClient(t, g)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	refused := func(code codes.Code, message string) {
		t.Helper()
		err := conn.Invoke(ctx, "/test.Echo/Say", wrapperspb.String("hi"), new(wrapperspb.StringValue))
		if status.Code(err) != code || status.Convert(err).Message() != message {
			t.Errorf("%v, want %v %q", err, code, message)
		}
	}
	refused(codes.Unavailable, "service shop has no replica")

	config = to(b.address()) // of HTTP/1.1, which makes no difference to who is refused
	config.Routes[0].Timeout = duration(50 * time.Millisecond)
	g.apply(config)
	refused(codes.DeadlineExceeded, "service shop took too long to answer")

	config.Routes[0].Path = "/elsewhere"
	g.apply(config)
	refused(codes.Unimplemented, "no route for this host and path")

	got := do(t, httpClient(t), request(t, "POST", g.url, "x", "Content-Type: application/grpc-web+proto"))
	if got.status != 200 || got.body != "" || got.header.Get("Grpc-Status") != "12" || got.header.Get("Content-Type") != "application/grpc-web+proto" {
		t.Errorf("%+v", got)
	}
}
