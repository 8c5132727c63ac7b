package load

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// steadyClient is one connection to a server that allocates nothing itself.
func steadyClient(t testing.TB) (*http1, *Mix) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 4096)
		answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	})
	target, err := ParseTarget(context.Background(), "http://"+listener.Addr().String()+"/x")
	if err != nil {
		t.Fatal(err)
	}
	mix, err := NewMix(target, []Request{{Expect: Expect{Contains: "ok"}}}, nil, true, 1)
	if err != nil {
		t.Fatal(err)
	}
	h := newHTTP1(target, time.Second, true)
	t.Cleanup(func() { h.close(); _ = listener.Close(); serving.Wait() })
	return h, mix
}

// TestRequestsDoNotAllocate: from the request to the outcome in the figures.
func TestRequestsDoNotAllocate(t *testing.T) {
	h, mix := steadyClient(t)
	rec := newRecorder(&Options{Mix: mix, Duration: time.Second})
	once := func() {
		a := h.do(mix.pick(0), nil)
		if a.kind != KindNone {
			t.Fatal(a.kind)
		}
		rec.record(&outcome{status: a.status, kind: a.kind, in: a.in, out: a.out, done: 1000})
	}
	once()
	if n := testing.AllocsPerRun(200, once); n > 0 {
		t.Errorf("%v allocations for a request", n)
	}
}

func BenchmarkHTTP1(b *testing.B) {
	h, mix := steadyClient(b)
	b.ReportAllocs()
	for b.Loop() {
		if a := h.do(mix.pick(0), nil); a.kind != KindNone {
			b.Fatal(a.kind)
		}
	}
}
