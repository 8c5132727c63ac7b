package apitest

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/greenlight-dev/greenlight/api"
)

// Server is an API that listens as a control plane does.
type Server struct {
	Socket  string // unix:///…
	Address string // http://127.0.0.1:PORT
}

// Serve serves an API until the test ends, on a unix socket and on loopback.
func Serve(t testing.TB, o api.Options) Server {
	t.Helper()
	h, err := api.NewHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "gl") // t.TempDir may be too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	server := api.NewServer(h, o.Log)
	ended := make(chan error, 2)
	listen := func(network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- server.Serve(l) }()
		return l
	}
	listen("unix", path)
	tcp := listen("tcp", "127.0.0.1:0")
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
		<-ended
		_ = os.RemoveAll(dir)
	})
	return Server{Socket: "unix://" + path, Address: "http://" + tcp.Addr().String()}
}
