// Command service is what the tests put behind the gateway: a program of a
// user's own that speaks HTTP/1.1, HTTP/2 without TLS, WebSocket and
// server-sent events, or, called with "grpc", gRPC. VERSION tells its releases
// apart; it listens once the file GATE, where that is named, is there; with
// KEEP_ALIVE=off it takes one request a connection.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	awaitGate(ctx)
	ln, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err == nil && len(os.Args) > 1 && os.Args[1] == "grpc" {
		err = serveGRPC(ctx, ln)
	} else if err == nil {
		err = serveHTTP(ctx, ln)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func awaitGate(ctx context.Context) {
	gate := os.Getenv("GATE")
	for gate != "" && ctx.Err() == nil {
		if _, err := os.Stat(gate); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func serveHTTP(ctx context.Context, ln net.Listener) error {
	p := &program{version: os.Getenv("VERSION"), next: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/", p.echo)
	mux.HandleFunc("/upload", upload)
	mux.HandleFunc("/download", download)
	mux.HandleFunc("/events", p.events)
	mux.HandleFunc("/next", p.sendNext)
	mux.HandleFunc("/ws", p.webSocket)
	mux.HandleFunc("/status", answerStatus)
	mux.HandleFunc("/slow", p.slow)
	mux.HandleFunc("/flaky", flaky)
	mux.HandleFunc("/hops", hops)
	s := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	s.SetKeepAlivesEnabled(os.Getenv("KEEP_ALIVE") != "off")
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go func() {
		<-ctx.Done()
		_ = s.Shutdown(context.Background())
	}()
	if err := s.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// program is what the handlers share.
type program struct {
	version string
	next    chan struct{}
}

// echo tells what came in.
func (p *program) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"version": p.version, "method": r.Method, "uri": r.RequestURI,
		"host": r.Host, "proto": r.Proto, "header": r.Header, "body": string(body)})
}

// upload tells how much came, and how.
func upload(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"bytes": n, "sha256": hex.EncodeToString(sum.Sum(nil)),
		"length": r.ContentLength})
}

// download sends as many bytes as n says, with a trailer.
func download(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	w.Header().Set("Trailer", "X-Sent")
	block := make([]byte, 64<<10)
	for left := n; left > 0; left -= len(block) {
		if _, err := w.Write(block[:min(left, len(block))]); err != nil {
			return
		}
	}
	w.Header().Set("X-Sent", strconv.Itoa(n))
}

// events sends an event whenever /next asks for one.
func (p *program) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := 0; ; i++ {
		fmt.Fprintf(w, "data: %s %d\n\n", p.version, i)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-p.next:
		case <-r.Context().Done():
			return
		}
	}
}

func (p *program) sendNext(_ http.ResponseWriter, r *http.Request) {
	select {
	case p.next <- struct{}{}:
	case <-r.Context().Done():
	}
}

// webSocket says back what it hears, with the release that hears it.
func (p *program) webSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"echo.v1"}, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(8 << 20)
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, append([]byte(p.version+" "), data...)); err != nil {
			return
		}
	}
}

func answerStatus(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.URL.Query().Get("code"))
	if err != nil {
		code = http.StatusBadRequest
	}
	w.WriteHeader(code)
}

// slow answers when /next says so.
func (p *program) slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-p.next:
		fmt.Fprint(w, p.version)
	case <-r.Context().Done():
	}
}

// flaky breaks off the first request with a key, as a program that crashes, and
// tells how often the key came. The file FLAKY is what its replicas share.
func flaky(w http.ResponseWriter, r *http.Request) {
	f, err := os.OpenFile(os.Getenv("FLAKY")+"-"+r.URL.Query().Get("key"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	_, _ = f.WriteString("x")
	info, err := f.Stat()
	if err != nil || info.Size() == 1 {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprint(w, info.Size())
}

// hops answers with headers that are for the gateway only, and some that are
// not.
func hops(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Connection", "X-Inner")
	h.Set("X-Inner", "1")
	h.Set("Proxy-Authenticate", "Basic")
	h.Set("Keep-Alive", "timeout=5")
	h.Set("Set-Cookie", "a=b; Path=/")
	h.Set("X-Kept", "1")
	w.WriteHeader(http.StatusTeapot)
}
