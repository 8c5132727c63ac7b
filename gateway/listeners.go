package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"syscall"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// FlagListener is the name of the listener of Options.Listen.
const FlagListener = "--listen"

// wanted are the listeners of a configuration and of the options.
func (g *Gateway) wanted(c *Config) []Listener {
	list := slices.Clone(c.Listeners)
	if g.options.Listen != "" {
		list = append([]Listener{{Name: FlagListener, Address: g.options.Listen}}, list...)
	}
	return list
}

// openDoors gives the doors of c: those that stay as they are, and new ones,
// which do not serve yet. A door whose server changes is opened on the same
// socket.
func (g *Gateway) openDoors(c *Config) ([]*door, error) {
	g.mu.Lock()
	open := slices.Clone(g.doors)
	g.mu.Unlock()
	var doors []*door
	for i, want := range g.wanted(c) {
		field := "--listen"
		if want.Name != FlagListener {
			field = index("listeners", i-len(g.wanted(&Config{})))
		}
		d, err := g.openDoor(open, want, c.Server)
		if err != nil {
			g.abandon(doors)
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "%s: %w", field, err)
		}
		doors = append(doors, d)
	}
	return doors, nil
}

func (g *Gateway) openDoor(open []*door, want Listener, server Server) (*door, error) {
	if err := g.checkExposure(want.Address); err != nil {
		return nil, err
	}
	var before *door
	if i := slices.IndexFunc(open, func(d *door) bool { return d.name == want.Name && d.asked == want.Address }); i >= 0 {
		before = open[i]
		if before.server == server && reflect.DeepEqual(before.tls, want.TLS) {
			return before, nil
		}
	}
	ln, err := g.listen(before, want)
	if err != nil {
		return nil, err
	}
	d, err := g.newDoor(want, server, ln)
	if err != nil {
		_ = ln.Close()
	}
	return d, err
}

// listen takes the socket over from the door before or the process before,
// or opens one.
func (g *Gateway) listen(before *door, want Listener) (net.Listener, error) {
	if before != nil {
		return before.duplicate()
	}
	if ln := g.options.Inherited.Listener("listen " + want.Name + " " + want.Address); ln != nil {
		return ln, nil
	}
	g.mu.Lock()
	starting := !g.serving
	g.mu.Unlock()
	ln, err := listenAfterKill(starting, func() (net.Listener, error) { return net.Listen("tcp", want.Address) })
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", want.Address, err)
	}
	return ln, nil
}

// A process that was killed keeps its sockets until the kernel has taken it
// down, which may be after its parent knows: one that starts in its place
// tries for this long.
const (
	killTime  = time.Second
	killRetry = 10 * time.Millisecond
)

func listenAfterKill(retry bool, listen func() (net.Listener, error)) (net.Listener, error) {
	begun := time.Now()
	for {
		ln, err := listen()
		inUse := errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, errAnswered)
		if !inUse || !retry || time.Since(begun) > killTime {
			return ln, err
		}
		time.Sleep(killRetry)
	}
}

func (g *Gateway) checkExposure(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	if g.options.Public || loopback(host) {
		return nil
	}
	return fmt.Errorf("%s lets other machines in; start the gateway with --public if that is wanted", address)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// abandon closes the doors that are not in use.
func (g *Gateway) abandon(doors []*door) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, d := range doors {
		if !slices.Contains(g.doors, d) {
			d.closeNow()
		}
	}
}

// useDoors opens the new doors and drains those that are no longer wanted.
func (g *Gateway) useDoors(doors []*door) {
	g.mu.Lock()
	before := g.doors
	g.doors = doors
	if g.serving {
		for _, d := range doors {
			if !slices.Contains(before, d) {
				g.serveDoor(d)
			}
		}
	}
	g.mu.Unlock()
	old := slices.DeleteFunc(slices.Clone(before), func(d *door) bool { return slices.Contains(doors, d) })
	if len(old) == 0 {
		return
	}
	stopAccepting(old)
	g.work.Go(func() {
		ctx, cancel := context.WithTimeout(g.living, g.options.Grace)
		defer cancel()
		if err := drainDoors(ctx, old, g.options.Linger); err != nil {
			g.options.Log.Warn("requests on a closed listener were ended", "error", err)
		}
	})
}
