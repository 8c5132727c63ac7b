package app_test

import (
	"bytes"
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
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// freePort is one that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// certify writes a self-signed certificate for the names and addresses, valid
// from now on, and gives it.
func certify(t *testing.T, folder string, names []string, addresses ...net.IP) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "test"}, DNSNames: names, IPAddresses: addresses,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.MkdirAll(folder, 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert
}

// trusting is a TLS configuration for a name.
func trusting(name string, certs ...*x509.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return &tls.Config{RootCAs: pool, ServerName: name}
}

// secureClient speaks HTTPS with whoever is at address.
func secureClient(t *testing.T, address string, conf *tls.Config, http2 bool) *http.Client {
	tr := &http.Transport{TLSClientConfig: conf.Clone(), ForceAttemptHTTP2: http2, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
	if !http2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

const secure = `
name: shop
gateway:
  listen:
    - {address: "127.0.0.1:0"}
    - {address: "127.0.0.1:0", certificate: {cert: tls/cert.pem, key: tls/key.pem}}
services:
  web:
    RUN
    env: {VERSION: v1}
    routes: [{path: /}]
  rpc:
    RUN GRPC
    env: {VERSION: v1}
    protocol: h2c
    sticky: {cookie: shop}
    routes: [{path: /test.Service}]
`

func TestFrontSpeaksTLS(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	first := certify(t, f.path("tls"), []string{"shop.example"})
	f.up(secure)
	want(t, "the plain one", get(t, newClient(t, false, "127.0.0.1"), "http://"+f.listener("127.0.0.1:0")+"/x").StatusCode, 200)
	address := f.listener("127.0.0.1:0 (2)")
	conf := trusting("shop.example", first)
	for http2, proto := range map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"} {
		got := get(t, secureClient(t, address, conf, http2), "https://shop.example/x", "X-Forwarded-Proto: http")
		want(t, "proto", got.Proto, proto)
		e := got.echoed(t)
		want(t, "scheme and host", e.Header.Get("X-Forwarded-Proto")+" "+e.Header.Get("X-Forwarded-Host"), "https shop.example")
	}
	old := conf.Clone()
	old.MaxVersion = tls.VersionTLS11
	if conn, err := tls.Dial("tcp", address, old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	t.Run("gRPC", func(t *testing.T) {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(conf)))
		must(t, err)
		defer conn.Close()
		var out wrapperspb.StringValue
		must(t, conn.Invoke(t.Context(), "/test.Service/Say", wrapperspb.String("hi"), &out))
		want(t, "answer", out.Value, "v1 hi")
	})
	t.Run("WebSocket", func(t *testing.T) {
		c, _, err := websocket.Dial(t.Context(), "wss://shop.example/ws", &websocket.DialOptions{HTTPClient: secureClient(t, address, conf, false)})
		must(t, err)
		sayOn(t, c, "v1", "hi")
		must(t, c.Close(websocket.StatusNormalClosure, ""))
	})
	kept := secureClient(t, address, conf, true)
	get(t, kept, "https://shop.example/x")
	second := certify(t, f.path("tls"), []string{"shop.example"})
	both := trusting("shop.example", first, second)
	eventually(t, "the new certificate", func() bool {
		conn, err := tls.Dial("tcp", address, both)
		must(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Equal(second)
	})
	reused := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	want(t, "an open connection", send(t, kept, request(t, "GET", "https://shop.example/x", "").WithContext(ctx)).StatusCode, 200)
	want(t, "it goes on", reused, true)
}

// pebble installs the test server of Let's Encrypt's authority, once.
var pebble = sync.OnceValues(func() (string, error) {
	const version = "v2.8.0"
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "greenlight", "pebble-"+version)
	path := filepath.Join(folder, "pebble")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	install := exec.Command("go", "install", "github.com/letsencrypt/pebble/v2/cmd/pebble@"+version)
	install.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("installing pebble %s, the ACME authority that TLS is tested with: %w\n%s", version, err, out)
	}
	return path, nil
})

// serveNames is a name server that knows every name as this machine, until the
// test ends.
func serveNames(t *testing.T) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	var served sync.WaitGroup
	served.Go(func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
					Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() { conn.Close(); served.Wait() })
	return conn.LocalAddr().String()
}

// runPebble runs an ACME authority that proves names at a port for TLS. It
// gives its directory, and the root of what it issues.
func runPebble(t *testing.T, folder string, tlsPort int) (directory string, root func() *x509.Certificate) {
	t.Helper()
	path, err := pebble()
	must(t, err)
	own := certify(t, folder, nil, net.IPv4(127, 0, 0, 1))
	port, management := freePort(t), freePort(t)
	config := fmt.Sprintf(`{"pebble": {"listenAddress": "127.0.0.1:%d", "managementListenAddress": "127.0.0.1:%d",
		"certificate": "%s/cert.pem", "privateKey": "%s/key.pem", "httpPort": %d, "tlsPort": %d}}`, port, management, folder, folder, freePort(t), tlsPort)
	must(t, os.WriteFile(filepath.Join(folder, "pebble.json"), []byte(config), 0o600))
	var log bytes.Buffer
	c := exec.Command(path, "-config", filepath.Join(folder, "pebble.json"), "-dnsserver", serveNames(t))
	c.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	c.Stdout, c.Stderr = &log, &log
	must(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("pebble:\n%s", log.String())
		}
	})
	client := secureClient(t, fmt.Sprintf("127.0.0.1:%d", management), trusting("127.0.0.1", own), false)
	root = func() *x509.Certificate {
		var data []byte
		eventually(t, "pebble", func() bool {
			resp, err := client.Get("https://127.0.0.1/roots/0")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			data, err = io.ReadAll(resp.Body)
			return err == nil
		})
		block, _ := pem.Decode(data)
		if block == nil {
			t.Fatalf("no certificate: %q", data)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		must(t, err)
		return cert
	}
	return fmt.Sprintf("https://127.0.0.1:%d/dir", port), root
}

const certified = `
name: shop
gateway:
  listen: [{address: "127.0.0.1:PORT", acme: {domains: [shop.greenlight.test], email: ops@example.com, directory: "${DIRECTORY}"}}]
services:
  web:
    RUN
    env: {VERSION: v1}
`

func TestFrontGetsCertificatesFromAnAuthority(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	port := freePort(t)
	authority := t.TempDir()
	directory, root := runPebble(t, authority, port)
	conf := trusting("shop.greenlight.test", root())
	f.environ = []string{"SSL_CERT_FILE=" + filepath.Join(authority, "cert.pem"), "DIRECTORY=" + directory}
	f.up(strings.ReplaceAll(certified, "PORT", fmt.Sprint(port)))
	address := fmt.Sprintf("127.0.0.1:%d", port)
	serial := func() *big.Int {
		t.Helper()
		conn, err := tls.Dial("tcp", address, conf)
		must(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	issued := serial()
	want(t, "proto", get(t, secureClient(t, address, conf, true), "https://shop.greenlight.test/x").Proto, "HTTP/2.0")
	_, err := f.gateway.Upgrade(t.Context())
	must(t, err)
	eventually(t, "the old gateway has ended", func() bool { return f.state().Predecessor == 0 })
	want(t, "the next gateway has the same certificate", serial().Cmp(issued), 0)
	other := conf.Clone()
	other.ServerName = "other.greenlight.test"
	if conn, err := tls.Dial("tcp", address, other); err == nil {
		conn.Close()
		t.Error("a name that nobody asked for has a certificate")
	}
}

const doors = `
name: shop
gateway: {listen: [LISTEN]}
services:
  web:
    RUN
    env: {VERSION: dev}
environments:
  dev: {}
  staging:
    gateway: {listen: null}
    services:
      web: {env: {VERSION: staging}}
`

func TestFrontOpensAndClosesDoors(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	extra := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	out, err := f.tryUp(strings.Replace(doors, "LISTEN", `{address: "0.0.0.0:0"}`, 1), "--env", "dev")
	if err == nil || !strings.Contains(out, "gateway.listen[0]: 0.0.0.0:0 lets other machines in") || !strings.Contains(out, "greenlight up --public") {
		t.Errorf("an address for other machines: %v\n%s", err, out)
	}
	f.address = ""
	f.up(strings.Replace(doors, "LISTEN", "", 1), "--env", "dev")
	c := newClient(t, false, "127.0.0.1")
	want(t, "before", get(t, c, f.url+"/x").StatusCode, 200)

	out = f.up(strings.Replace(doors, "LISTEN", fmt.Sprintf("{address: %q}", extra), 1), "--env", "dev")
	want(t, "up says so", strings.Contains(out, `gateway.listen: none → [{"address":"`+extra+`"}]`), true)
	eventually(t, "the new address", func() bool { return len(f.state().Listeners) == 2 })
	want(t, "at the new address", get(t, newClient(t, false, "127.0.0.1"), "http://"+extra+"/x").StatusCode, 200)
	slow, answered := request(t, "GET", "http://"+extra+"/slow", ""), make(chan string, 1)
	other := newClient(t, false, "127.0.0.1")
	go func() {
		resp, err := other.Do(slow)
		if err != nil {
			answered <- err.Error()
			return
		}
		resp.Body.Close()
		answered <- resp.Status
	}()
	eventually(t, "a request under way", func() bool { return f.of("dev/web").InFlight == 1 })
	f.up(strings.Replace(doors, "LISTEN", "", 1), "--env", "dev")
	eventually(t, "the address is free", func() bool {
		conn, err := net.Dial("tcp", extra)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	reused := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	want(t, "the first address", send(t, c, request(t, "GET", f.url+"/next", "").WithContext(ctx)).StatusCode, 200)
	want(t, "its connections stay", reused, true)
	want(t, "the request under way", <-answered, "200 OK")

	f.up(strings.Replace(doors, "LISTEN", "", 1), "--env", "staging")
	_, port, err := net.SplitHostPort(f.address)
	must(t, err)
	for host, version := range map[string]string{f.address: "dev", "any.example": "dev", "staging.localhost:" + port: "staging", "STAGING.localhost": "staging"} {
		want(t, host, get(t, c, f.url+"/x", "Host: "+host).echoed(t).Version, version)
	}
	for _, e := range f.status().Environments {
		want(t, "url of "+e.Name, e.Services[0].URLs[0], map[string]string{"dev": f.url + "/", "staging": "http://staging.localhost:" + port + "/"}[e.Name])
	}
	for _, service := range []string{"dev/web", "staging/web"} {
		want(t, "metrics of "+service, strings.Contains(f.metrics(), `route="web",service="`+service+`"`), true)
	}
}

func TestFrontOpensPublicDoors(t *testing.T) {
	t.Parallel()
	f := newFront(t, "--public")
	f.up(strings.Replace(doors, "LISTEN", `{address: "0.0.0.0:0"}, {address: ":0"}`, 1), "--env", "dev")
	for _, name := range []string{"0.0.0.0:0", ":0"} {
		_, port, err := net.SplitHostPort(f.listener(name))
		must(t, err)
		want(t, name, get(t, newClient(t, false, "127.0.0.9"), "http://127.0.0.9:"+port+"/x").StatusCode, 200)
	}
}
