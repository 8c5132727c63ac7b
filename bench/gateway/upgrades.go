package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// upgrades hands the gateway over again and again while clients, half of them
// on connections that they keep, send POST requests that are never repeated.
func upgrades(ctx context.Context, dir, binary string, args []string) error {
	f := flag.NewFlagSet("upgrades", flag.ContinueOnError)
	times := f.Int("n", 20, "upgrades")
	clients := f.Int("clients", 16, "clients, half of which keep their connection")
	every := f.Duration("every", 2*time.Second, "pause between upgrades")
	if err := f.Parse(args); err != nil {
		return err
	}
	upstream, err := startUpstream()
	if err != nil {
		return err
	}
	defer upstream.Close()
	r, err := startGreenlight(ctx, dir, binary, "", upstream.Addr().String())
	if err != nil {
		return err
	}
	client, err := gateway.NewClient("unix://"+filepath.Join(dir, "control"), "")
	if err != nil {
		return err
	}
	pid := r.pid
	defer func() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
		r.stop() // the first of them, which has ended long ago unless it never handed over
	}()
	s := &shake{address: r.address}
	for i := range *clients {
		s.clients.Go(func() { s.client(i%2 == 0) })
	}
	for n := range *times {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(*every):
		}
		before := s.sent.Load()
		next, err := client.Upgrade(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("upgrade %d: %d hands over to %d; %d requests before, %d failed so far\n", n+1, pid, next, before, s.failed.Load())
		pid = next
	}
	time.Sleep(*every)
	s.stop.Store(true)
	s.clients.Wait()
	fmt.Printf("%d requests over %d upgrades, %d failed\n", s.sent.Load(), *times, s.failed.Load())
	if s.failed.Load() > 0 {
		return fmt.Errorf("the first failure: %v", s.first.Load())
	}
	return nil
}

// shake is the load that must not notice.
type shake struct {
	address      string
	sent, failed atomic.Int64
	first        atomic.Value
	stop         atomic.Bool
	clients      sync.WaitGroup
}

// client opens a new connection when the last answer asked to close, or
// always when it keeps none.
func (s *shake) client(keep bool) {
	var c net.Conn
	var r *bufio.Reader
	for !s.stop.Load() {
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", s.address); err != nil {
				s.fail(err)
				time.Sleep(10 * time.Millisecond)
				continue
			}
			r = bufio.NewReader(c)
		}
		s.sent.Add(1)
		closing, err := s.once(c, r)
		if err != nil {
			s.fail(err)
		}
		if closing || err != nil || !keep {
			c.Close()
			c = nil
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *shake) once(c net.Conn, r *bufio.Reader) (closing bool, err error) {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return true, err
	}
	if _, err := c.Write(requests["POST"]); err != nil {
		return true, err
	}
	status, closing, err := readAnswer(r)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d", status)
	}
	return closing, err
}

func (s *shake) fail(err error) {
	s.failed.Add(1)
	s.first.CompareAndSwap(nil, err.Error())
}
