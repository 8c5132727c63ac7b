package modelserver_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/modelserver"
)

// smallWindow has answers back up at once.
func smallWindow(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
}

// narrow connects with a small window.
func narrow(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{Control: smallWindow}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// gone waits until the server has let go of a connection on which the client
// reads nothing, and tells how long that took.
func gone(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < 20*time.Second {
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := c.Write([]byte("x"))
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return time.Since(began)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the server holds a connection whose client never reads")
	return 0
}

// TestClientThatNeverReads asks for more than fits in between: for one large
// answer, and again and again for small ones.
func TestClientThatNeverReads(t *testing.T) {
	const stall = 400 * time.Millisecond
	addr, stop, ended := start(t, modelserver.Options{StallTimeout: stall}, load(t, "../examples/penguins"))
	request := func(body string) []byte {
		return fmt.Appendf(nil, "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	t.Run("a large answer", func(t *testing.T) {
		c := narrow(t, addr)
		if _, err := c.Write(request(manyRows(60_000))); err != nil {
			t.Fatal(err)
		}
		if took := gone(t, c); took < stall*3/4 {
			t.Errorf("given up after %v, before three quarters of %v", took, stall)
		}
	})
	t.Run("many small answers", func(t *testing.T) {
		c := narrow(t, addr)
		one := request(penguinsRow)
		var err error
		for began := time.Now(); err == nil && time.Since(began) < 30*time.Second; {
			_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
			_, err = c.Write(bytes.Repeat(one, 100))
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the server holds a connection whose client never reads: %v", err)
		}
	})
	stop()
	if err := <-ended; err != nil {
		t.Errorf("stopping waited for them: %v", err)
	}
}

// manyRows is a request with n rows.
func manyRows(n int) string {
	row := penguinsRow[len(`{"rows":[`) : len(penguinsRow)-len(`]}`)]
	return `{"rows":[` + row + string(bytes.Repeat([]byte(","+row), n-1)) + `]}`
}

// TestSlowClientGetsAll reads a large answer for several times as long as a
// client that reads nothing is waited for, with pauses; and asks again on the
// same connection after another one.
func TestSlowClientGetsAll(t *testing.T) {
	const size, stall = 8 << 20, 400 * time.Millisecond
	body := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })}
	served := make(chan error, 1)
	go func() { served <- server.Serve(modelserver.WithStall(ln, stall)) }()
	defer func() {
		server.Close()
		<-served
	}()
	client := &http.Client{Transport: &http.Transport{
		DialContext:    (&net.Dialer{Control: smallWindow}).DialContext,
		ReadBufferSize: 64 << 10, MaxConnsPerHost: 1,
	}}
	defer client.CloseIdleConnections()
	for range 2 {
		began := time.Now()
		response, err := client.Get("http://" + ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		for err == nil && got.Len() < size {
			_, err = io.CopyN(&got, response.Body, size/16)
			time.Sleep(stall / 4)
		}
		response.Body.Close()
		if err != nil || !bytes.Equal(got.Bytes(), body) {
			t.Errorf("got %d bytes of %d, %v", got.Len(), size, err)
		}
		if took := time.Since(began); took < 3*stall {
			t.Errorf("it was not slow: %v", took)
		}
		time.Sleep(2 * stall) // idle for longer than an answer may stall
	}
}

// BenchmarkStall compares the same server with and without the deadlines on
// its writes, in turns, by the process's time on the cores.
func BenchmarkStall(b *testing.B) {
	m := load(b, "../examples/penguins")
	s, err := modelserver.NewServer([]*modelserver.Model{m}, modelserver.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var addresses []string
	for _, wrap := range []bool{true, false} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addresses = append(addresses, ln.Addr().String())
		if wrap {
			ln = modelserver.WithStall(ln, time.Minute)
		}
		server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
		go func() { _ = server.Serve(ln) }()
		defer server.Close()
	}
	const requests = 1000
	var spent [2]time.Duration
	rounds := 0
	for b.Loop() {
		for i := range addresses {
			i = (i + rounds) % 2 // each goes first as often
			began := cpuTime(b)
			hammer(b, addresses[i], penguinsRow, requests)
			spent[i] += cpuTime(b) - began
		}
		rounds++
	}
	rate := func(i int) float64 { return float64(rounds*requests) / spent[i].Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(0), "with/s")
	b.ReportMetric(rate(1), "without/s")
	b.ReportMetric(rate(0)/rate(1), "ratio")
}
