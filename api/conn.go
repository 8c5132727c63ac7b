package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"sync"
)

// connection is how a request came in.
type connection struct {
	socket bool                // over the unix socket
	peer   func() (peer, bool) // who is at its other end, looked up once, when it is asked for; false when that cannot be told
}

// peer is the user at the other end of a connection within this machine.
type peer struct{ uid int }

// nobody is at the other end of a connection whose other end is gone.
var nobody = peer{-1}

// name is the user as events have it.
func (p peer) name() string {
	id := strconv.Itoa(p.uid)
	if u, err := user.LookupId(id); err == nil && u.Username != "" {
		return "user:" + u.Username
	}
	return "user:" + id
}

// ours tells whether the user may do what this process may.
func (p peer) ours() bool { return p.uid == 0 || p.uid == os.Geteuid() }

// actor is who is at the other end, for events.
func (c connection) actor() string {
	if c.peer == nil {
		return "local"
	}
	if p, known := c.peer(); known && p != nobody {
		return p.name()
	}
	return "local"
}

// stranger tells whether another user of this machine is at the other end, or
// somebody who is gone and cannot be told any more.
func (c connection) stranger() bool {
	if c.peer == nil {
		return false
	}
	p, known := c.peer()
	return known && !p.ours()
}

type connectionKey struct{}

// ConnContext is for http.Server.ConnContext: it notes how a connection came
// in and, within this machine, who is at its other end. A request without it
// is treated as one over TCP from a user who cannot be told.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return connContext(ctx, c, tcpPeer)
}

func connContext(ctx context.Context, c net.Conn, lookup func(near, far netip.AddrPort) (peer, bool)) context.Context {
	var noted connection
	switch c := c.(type) {
	case *net.UnixConn:
		uid, known := peerUID(c)
		noted = connection{socket: true, peer: func() (peer, bool) { return peer{uid}, known }}
	case *net.TCPConn:
		near, far := addressOf(c.LocalAddr()), addressOf(c.RemoteAddr())
		if !near.Addr().IsLoopback() || !far.Addr().IsLoopback() {
			return ctx
		}
		noted = connection{peer: sync.OnceValues(func() (peer, bool) { return lookup(near, far) })}
	default:
		return ctx
	}
	return context.WithValue(ctx, connectionKey{}, noted)
}

func addressOf(a net.Addr) netip.AddrPort {
	p, _ := netip.ParseAddrPort(a.String()) // invalid is no loopback address
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func connectionOf(r *http.Request) connection {
	c, _ := r.Context().Value(connectionKey{}).(connection)
	return c
}

// remote is the address at the other end; invalid when it has none.
func remote(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// onLoopback tells whether both ends of a connection are loopback addresses.
func onLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && addressOf(local).Addr().IsLoopback() && remote(r).IsLoopback()
}
