package main

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// measured is one run of load.
type measured struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the proxy, for each request
	user      time.Duration // of it, outside the kernel
	failed    int64
}

// load keeps connections busy for a time. With a rate, requests begin when a
// schedule says, and latency counts from there; with 0 each connection sends
// the next one at once.
type load struct {
	address     string
	request     []byte
	connections int
	rate        float64 // requests a second over all connections
	duration    time.Duration
}

func (l load) run(used func() usage) (measured, error) {
	var failed atomic.Int64
	times := make([][]time.Duration, l.connections)
	errs := make([]error, l.connections)
	var workers sync.WaitGroup
	before, begun := used(), time.Now()
	for i := range l.connections {
		workers.Go(func() { times[i], errs[i] = l.connection(i, begun, &failed) })
	}
	workers.Wait()
	took, spent := time.Since(begun), used().since(before)
	all := slices.Concat(times...)
	for _, err := range errs {
		if err != nil {
			return measured{}, err
		}
	}
	if len(all) == 0 {
		return measured{}, fmt.Errorf("no request was answered")
	}
	slices.Sort(all)
	cpu := spent.all / time.Duration(len(all))
	return measured{perSecond: float64(len(all)) / took.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100],
		cpu: cpu, user: cpu * time.Duration(spent.user) / time.Duration(max(1, spent.user+spent.system)), failed: failed.Load()}, nil
}

func (l load) connection(i int, begun time.Time, failed *atomic.Int64) ([]time.Duration, error) {
	c, err := net.Dial("tcp", l.address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	times := make([]time.Duration, 0, 1<<16)
	end := begun.Add(l.duration)
	for n := 0; ; n++ {
		at := time.Now()
		if l.rate > 0 {
			due := begun.Add(time.Duration(float64(n*l.connections+i) / l.rate * float64(time.Second)))
			time.Sleep(time.Until(due))
			at = due
		}
		if at.After(end) {
			return times, nil
		}
		if _, err := c.Write(l.request); err != nil {
			return nil, err
		}
		status, _, err := readAnswer(r)
		if err != nil {
			return nil, err
		}
		if status != 200 {
			failed.Add(1)
		}
		times = append(times, time.Since(at))
	}
}
