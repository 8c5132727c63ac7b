package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
)

// ports allots ports on the loopback address. Between our test of a port and
// the replica's own bind it is free for all, so ports come from below the range
// that the kernel gives to outgoing connections, of which a gateway has many,
// and below Kubernetes' node ports; and in turn, so that one which was just let
// go rests.
type ports struct {
	low, high int // inclusive; the same when the kernel is to choose

	mu   sync.Mutex
	next int
	used map[int]bool
}

const (
	lowestPort = 20000
	nodePorts  = 30000
)

func newPorts() *ports {
	p := &ports{low: lowestPort, high: min(firstEphemeral(), nodePorts) - 1, used: make(map[int]bool)}
	if p.high-p.low < 1000 {
		p.low, p.high = 0, 0
	}
	p.next = p.low + rand.IntN(p.high-p.low+1)
	return p
}

// firstEphemeral is the first port for outgoing connections; 32768 is Linux's
// default, other systems begin at 49152 (RFC 6335).
func firstEphemeral() int {
	first := 32768
	if data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(data), &first)
	}
	return first
}

// take gives a port that nothing listens on and that no replica has.
func (p *ports) take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range max(p.high-p.low+1, 100) {
		port := p.next
		if p.next++; p.next > p.high {
			p.next = p.low
		}
		if p.used[port] {
			continue
		}
		if free := freePort(port); free != 0 && !p.used[free] {
			p.used[free] = true
			return free, nil
		}
	}
	return 0, errors.New("no port is free on 127.0.0.1")
}

// keep marks a port as an adopted replica's.
func (p *ports) keep(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[port] = true
}

func (p *ports) release(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, port)
}

// freePort is the port when it can be bound, one of the kernel's choice for 0,
// and 0 when it is taken.
func freePort(port int) int {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", address(port))
	if err != nil {
		return 0
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
