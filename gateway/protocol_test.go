package gateway_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/greenlight-dev/greenlight/gateway"
)

// upgradeEcho switches protocols and sends back what it gets.
func upgradeEcho(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		_, _ = io.WriteString(w, "no upgrade")
		return
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.Copy(conn, rw)
}

// webSocket opens a WebSocket through the gateway.
func webSocket(t *testing.T, g *running) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn := dial(t, g)
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%v %v", resp, err)
	}
	return conn, r
}

func sayAndHear(t *testing.T, conn net.Conn, r *bufio.Reader, text string) {
	t.Helper()
	if _, err := fmt.Fprintln(conn, text); err != nil {
		t.Fatal(err)
	}
	if line, err := r.ReadString('\n'); err != nil || line != text+"\n" {
		t.Fatalf("%q %v, want %q", line, err, text)
	}
}

func TestWebSocket(t *testing.T) {
	b := newBackend(t, "")
	b.handle(upgradeEcho)
	g := start(t, to(b.address()))
	conn, r := webSocket(t, g)
	for i := range 10 {
		sayAndHear(t, conn, r, fmt.Sprint("frame ", i))
	}
	if n := g.Status().Services[0].InFlight; n != 1 {
		t.Errorf("%d in flight while a WebSocket is open", n)
	}
	other := newBackend(t, "other")
	g.apply(to(other.address()))
	sayAndHear(t, conn, r, "after a change of configuration")
	conn.Close()
	eventually(t, "it has left", func() bool { return len(g.Status().Leaving) == 0 && g.Status().InFlight == 0 })
}

func TestOnlyWebSocketUpgrades(t *testing.T) {
	b := newBackend(t, "")
	b.handle(upgradeEcho)
	g := start(t, to(b.address()))
	if got := get(t, httpClient(t), g.url, "Connection: Upgrade", "Upgrade: own-protocol"); got.body != "no upgrade" {
		t.Errorf("%d %q", got.status, got.body)
	}
}

func TestServerSentEvents(t *testing.T) {
	b := newBackend(t, "")
	next := make(chan string)
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Length", "1000000") // some servers say so; it must not make anybody wait
		for event := range next {
			_, _ = fmt.Fprintf(w, "data: %s\n\n", event)
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	})
	g := start(t, to(b.address()))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	go func() { next <- "0" }()
	resp, err := httpClient(t).Do(request(t, "GET", g.url, "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer close(next)
	r := bufio.NewReader(resp.Body)
	for i := range 5 {
		if line, err := r.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q %v", line, err)
		}
		_, _ = r.ReadString('\n')
		next <- fmt.Sprint(i + 1) // only after the one before has arrived
	}
}

// echoService is a gRPC service without generated code.
var echoService = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var in wrapperspb.StringValue
		if err := decode(&in); err != nil {
			return nil, err
		}
		if in.Value == "fail" {
			return nil, status.Error(codes.FailedPrecondition, "as asked")
		}
		_ = grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "t"))
		return wrapperspb.String("echo " + in.Value), nil
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Chat", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		for {
			var in wrapperspb.StringValue
			if err := s.RecvMsg(&in); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if err := s.SendMsg(wrapperspb.String("echo " + in.Value)); err != nil {
				return err
			}
		}
	}}},
}

func TestGRPC(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&echoService, struct{}{})
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Stop(); <-served })
	g := start(t, one(gateway.Service{Protocol: gateway.H2C, Releases: []gateway.Release{release("v1", 1, ln.Addr().String())}}))
	conn, err := grpc.NewClient(strings.TrimPrefix(g.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	var out wrapperspb.StringValue
	var trailer metadata.MD
	if err := conn.Invoke(ctx, "/test.Echo/Say", wrapperspb.String("hi"), &out, grpc.Trailer(&trailer)); err != nil || out.Value != "echo hi" {
		t.Fatalf("%q %v", out.Value, err)
	}
	if got := trailer.Get("x-trailer"); len(got) != 1 || got[0] != "t" {
		t.Errorf("trailer %v", trailer)
	}
	if err := conn.Invoke(ctx, "/test.Echo/Say", wrapperspb.String("fail"), &out); status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "as asked" {
		t.Errorf("%v", err)
	}
	stream, err := conn.NewStream(ctx, &echoService.Streams[0], "/test.Echo/Chat")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // each is sent only after the one before was answered
		if err := stream.SendMsg(wrapperspb.String(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&out); err != nil || out.Value != fmt.Sprint("echo ", i) {
			t.Fatalf("%q %v", out.Value, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(&out); err != io.EOF {
		t.Errorf("the end of the stream: %v", err)
	}
	g.apply(one(gateway.Service{Protocol: gateway.H2C}))
	if err := conn.Invoke(ctx, "/test.Echo/Say", wrapperspb.String("hi"), &out); status.Code(err) != codes.Unavailable {
		t.Errorf("without a replica: %v", err)
	}
}

// certificate writes a self-signed certificate for the name.
func certificate(t *testing.T, dir, name string) (gateway.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := gateway.Certificate{Cert: filepath.Join(dir, name+".crt"), Key: filepath.Join(dir, name+".key")}
	for file, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return files, cert
}

func TestTLS(t *testing.T) {
	b := echo(t)
	dir := t.TempDir()
	one, oneCert := certificate(t, dir, "one.example")
	two, twoCert := certificate(t, dir, "two.example")
	config := to(b.address())
	config.Listeners = []gateway.Listener{{Name: "secure", Address: "127.0.0.1:0", TLS: &gateway.TLS{Files: []gateway.Certificate{one, two}}}}
	g := start(t, config)
	address := g.Addr("secure").String()
	pool := x509.NewCertPool()
	pool.AddCert(oneCert)
	pool.AddCert(twoCert)
	for _, name := range []string{"one.example", "two.example"} {
		for proto, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
			tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2,
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, address)
				}}
			resp, err := (&http.Client{Transport: tr}).Get("https://" + name + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			tr.CloseIdleConnections()
			h := echoed(t, reply{resp.StatusCode, resp.Header, string(body)})
			if resp.Proto != proto || h.Get("X-Forwarded-Proto") != "https" || h.Get("X-Forwarded-Host") != name || h.Get("Host") != name {
				t.Errorf("%s over %s: %v", name, resp.Proto, h)
			}
		}
	}
	config.Listeners[0].TLS.Files[0].Key = two.Key
	err := g.Apply(config)
	if err == nil || !strings.Contains(err.Error(), "listeners[0]: tls.files[0]: ") {
		t.Errorf("a key that does not fit: %v", err)
	}
	if got := g.Addr("secure").String(); got != address {
		t.Errorf("the listener moved to %s", got)
	}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	b := newBackend(t, "b")
	g := start(t, to(b.address()))
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr}
	got := do(t, c, request(t, "POST", g.url, "!"))
	if got.body != "b!" {
		t.Errorf("%d %q", got.status, got.body)
	}
}
