package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A panic, which would be a defect, ends its own connection only, and the
// count of exchanges stays right.
func TestPanicEndsItsConnection(t *testing.T) {
	g, err := New(Options{Listen: "127.0.0.1:0", Linger: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = g.Run(ctx) })
	defer func() {
		cancel()
		running.Wait()
		_ = g.Close()
	}()
	sound := g.table.Load()
	broken := *sound
	broken.routes = compileRoutes([]*route{{config: &Route{}}}) // without a service
	g.table.Store(&broken)
	if got, err := ask(g.Addr(FlagListener).String()); err == nil {
		t.Errorf("answered %s", got)
	}
	g.table.Store(sound)
	if got, err := ask(g.Addr(FlagListener).String()); err != nil || !strings.HasPrefix(got, "404 ") {
		t.Errorf("after that: %s %v", got, err)
	}
	if n := g.active.Load(); n != 0 {
		t.Errorf("%d exchanges are under way", n)
	}
}

func ask(address string) (status string, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	return resp.Status, resp.Body.Close()
}
