package api

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"testing"

	"github.com/greenlight-dev/greenlight/store"
)

func TestCallersOnLoopbackAreToldApart(t *testing.T) {
	own := os.Geteuid()
	for name, c := range map[string]struct {
		peer    peer
		known   bool
		public  bool
		refused *failure
	}{
		"the same user":                 {peer: peer{own}, known: true},
		"root":                          {peer: peer{0}, known: true},
		"another user":                  {peer: peer{own + 4711}, known: true, refused: errOtherUser},
		"somebody who is gone":          {peer: nobody, known: true, refused: errOtherUser},
		"where users cannot be told":    {peer: nobody},
		"a listener for other machines": {peer: peer{own}, known: true, public: true, refused: errNoToken},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			near, far := pipe(t, "127.0.0.1:0")
			ctx := connContext(context.Background(), near, func(n, f netip.AddrPort) (peer, bool) {
				if asked++; n != addressOf(far.RemoteAddr()) || f != addressOf(far.LocalAddr()) {
					t.Errorf("asked for %v to %v", n, f)
				}
				return c.peer, c.known
			})
			a := &access{public: c.public}
			for range 2 {
				r := httptest.NewRequest(http.MethodGet, "http://"+near.LocalAddr().String()+"/api/v1/status", nil)
				r.RemoteAddr = near.RemoteAddr().String()
				who, f := a.caller(r.WithContext(context.WithValue(ctx, http.LocalAddrContextKey, near.LocalAddr())))
				if f != c.refused || f == nil && who.role != store.RoleAdmin {
					t.Errorf("%+v, %v", who, f)
				}
			}
			if asked > 1 {
				t.Errorf("asked %d times for one connection", asked)
			}
		})
	}
}

// pipe is a TCP connection by both its ends, near being the one that listened.
func pipe(t testing.TB, address string) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}
