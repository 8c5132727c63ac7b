package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os/user"
	"strconv"
	"sync"
)

// connection is how a request came in.
type connection struct {
	socket bool          // over the unix socket
	actor  func() string // who is at its other end; looked up when it is asked for
}

type connectionKey struct{}

// ConnContext is for http.Server.ConnContext: it notes how a connection came
// in, and for a unix socket who is at its other end. A request without it is
// treated as one over TCP.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	unix, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	uid, known := peerUID(unix)
	actor := sync.OnceValue(func() string {
		if !known {
			return "local"
		}
		return "user:" + userName(uid)
	})
	return context.WithValue(ctx, connectionKey{}, connection{socket: true, actor: actor})
}

// userName is the name of a user of this machine, or the number.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil && u.Username != "" {
		return u.Username
	}
	return id
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
	if !ok {
		return false
	}
	a, err := netip.ParseAddrPort(local.String())
	return err == nil && a.Addr().Unmap().IsLoopback() && remote(r).IsLoopback()
}
