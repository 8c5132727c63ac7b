package load_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// countedListener counts the bytes of the connections that it accepts.
type countedListener struct {
	net.Listener
	in, out atomic.Int64
}

type countedConn struct {
	net.Conn
	of *countedListener
}

func (l *countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{c, l}, nil
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.of.in.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.of.out.Add(int64(n))
	return n, err
}

// TestBytes: what is counted is what the target's connections carried, whatever
// the protocol.
func TestBytes(t *testing.T) {
	for _, c := range []struct {
		name          string
		secure, http2 bool
		closeEach     bool
	}{{"HTTP/1.1", false, false, false}, {"HTTP/1.1 over TLS", true, false, true}, {"HTTP/2", false, true, false},
		{"HTTP/2 over TLS", true, true, false}, {"HTTP/2, new connections", false, true, true}} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Fill", strings.Repeat("0123456789abcdef", 500))
				fmt.Fprint(w, r.URL.Path)
			}))
			counted := &countedListener{Listener: s.Listener}
			s.Listener = counted
			target := speaking(t, s, c.http2, c.secure)
			mix := must[*load.Mix](t)(load.NewMix(target, []load.Request{{Path: "/x"}}, nil, !c.closeEach, 1))
			r := run(t, open(t, load.Options{Target: target, Mix: mix, Connections: 4, Timeout: 5 * time.Second, HTTP2: c.http2, CloseEach: c.closeEach}, 100, 300*time.Millisecond))
			probe := int64(0)
			if c.secure {
				probe = 4000 // the handshake of the look before the test
			}
			in, out := counted.out.Load(), counted.in.Load()
			slack := int64(100) * r.Connections // what ends a connection comes after the last answer
			if r.Errors != 0 || r.BytesIn > in || r.BytesIn < in-probe-slack || r.BytesOut > out+slack || r.BytesOut < out-probe-slack {
				t.Errorf("%d errors; %d bytes in and %d out, the target wrote %d and read %d", r.Errors, r.BytesIn, r.BytesOut, in, out)
			}
			if want := int64(1); c.closeEach && r.Connections != 30 || !c.closeEach && r.Connections < want {
				t.Errorf("%d connections for 30 requests", r.Connections)
			}
		})
	}
}

// TestNoHTTP2: a target that speaks HTTP/1.1 only says so.
func TestNoHTTP2(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	plainServer := httptest.NewServer(handler)
	defer plainServer.Close()
	for _, url := range []string{plainServer.URL, strings.Replace(plainServer.URL, "http", "grpc", 1), raw(t, "<!DOCTYPE html>", true)} {
		o := plan(t, url+"/m")
		o.HTTP2 = true
		if _, err := load.Run(context.Background(), open(t, o, 50, 60*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "speaks no HTTP/2, which") {
			t.Errorf("%s: %v", url, err)
		}
	}
	silent := plan(t, raw(t, "", false))
	silent.HTTP2, silent.Timeout = true, 100*time.Millisecond
	if r := run(t, open(t, silent, 50, 40*time.Millisecond)); r.Errors != 2 {
		t.Errorf("of one that says nothing: %v", r.ErrorKinds)
	}
	secure := httptest.NewUnstartedServer(handler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	o := plan(t, secure.URL)
	o.Target.TLS.RootCAs = secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	o.HTTP2 = true
	if _, err := load.Run(context.Background(), open(t, o, 50, 60*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "speaks no HTTP/2") {
		t.Errorf("over TLS: %v", err)
	}
}
