package gateway_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/greenlight-dev/greenlight/gateway"
)

// plainTarget answers each request of known length with the same bytes and
// allocates nothing for it.
func plainTarget(t testing.TB, requestBytes func() int, answer []byte) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				for buffer := make([]byte, 256<<10); ; {
					n, err := c.Read(buffer)
					for err == nil && !bytes.Contains(buffer[:n], []byte("\r\n\r\n")) {
						var more int
						more, err = c.Read(buffer[n:])
						n += more
					}
					left := bytes.Index(buffer[:n], []byte("\r\n\r\n")) + 4 + requestBytes() - n
					for err == nil && left > 0 {
						n, err = c.Read(buffer)
						left -= n
					}
					if err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); serving.Wait() })
	return ln.Addr().String()
}

// direct is one client connection to a gateway in front of a plainTarget.
type direct struct {
	net.Conn
	buffer []byte
}

func newDirect(t testing.TB, body int) *direct {
	answer := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 01 Jan 2030 00:00:00 GMT\r\nContent-Length: 10\r\n\r\n"), "0123456789"...)
	target := plainTarget(t, func() int { return body }, answer)
	g, err := gateway.New(gateway.Options{Listen: "127.0.0.1:0", Linger: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(one(gateway.Service{Releases: []gateway.Release{release("v1", 9, target, target), release("v2", 1, target)},
		Timeouts: gateway.Timeouts{Idle: duration(1e10)}})); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = g.Run(ctx) })
	c, err := net.Dial("tcp", g.Addr(gateway.FlagListener).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		running.Wait()
		_ = g.Close() // also the idle connections, which the target waits for
	})
	return &direct{Conn: c, buffer: make([]byte, 64<<10)}
}

func (d *direct) ask(t testing.TB, request []byte) {
	if _, err := d.Write(request); err != nil {
		t.Fatal(err)
	}
	n, err := d.Read(d.buffer)
	if err == nil && (!bytes.HasPrefix(d.buffer[:n], []byte("HTTP/1.1 200 OK\r\n")) || !bytes.HasSuffix(d.buffer[:n], []byte("\r\n\r\n0123456789"))) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		t.Fatalf("%v: %q", err, d.buffer[:n])
	}
}

const acceptHeaders = "Host: shop.example\r\nUser-Agent: bench\r\nAccept: application/json\r\nCookie: a=b; c=d\r\n"

func plainRequest(body int) []byte {
	if body == 0 {
		return []byte("GET /predict HTTP/1.1\r\n" + acceptHeaders + "\r\n")
	}
	return append([]byte("POST /predict HTTP/1.1\r\n"+acceptHeaders+"Content-Length: 100\r\n\r\n"), bytes.Repeat([]byte("x"), body)...)
}

// BenchmarkDirect is a request from client to target and back, all in this
// process.
func BenchmarkDirect(b *testing.B) {
	for name, body := range map[string]int{"GET": 0, "POST": 100} {
		b.Run(name, func(b *testing.B) {
			d, request := newDirect(b, body), plainRequest(body)
			b.ReportAllocs()
			for b.Loop() {
				d.ask(b, request)
			}
		})
	}
}
