package api

import (
	"net/netip"
	"os"
	"slices"
	"testing"
)

func TestTheKernelKnowsWhoConnects(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		near, far := pipe(t, address)
		n, f := addressOf(near.LocalAddr()), addressOf(near.RemoteAddr())
		me := peer{os.Geteuid()}
		if p, err := askKernel(f, n); p != me || err != nil {
			t.Errorf("%s: asked: %v, %v", address, p, err)
		}
		if p, err := findSocket(f, n); p != me || err != nil {
			t.Errorf("%s: listed: %v, %v", address, p, err)
		}
		if p, known := tcpPeer(n, f); p != me || !known {
			t.Errorf("%s: %v, %t", address, p, known)
		}
		if err := far.Close(); err != nil {
			t.Fatal(err)
		}
		if p, known := tcpPeer(n, f); p != nobody || !known {
			t.Errorf("%s: closed at the other end: %v, %t", address, p, known)
		}
	}
}

func TestKernelAddress(t *testing.T) {
	want := map[string][]string{ // on little-endian machines, on others
		"127.0.0.1:7070": {"0100007F:1B9E", "7F000001:1B9E"},
		"[::1]:80":       {"00000000000000000000000001000000:0050", "00000000000000000000000000000001:0050"},
	}
	for address, forms := range want {
		if got := kernelAddress(netip.MustParseAddrPort(address)); !slices.Contains(forms, got) {
			t.Errorf("%s: %q", address, got)
		}
	}
}

func BenchmarkAskKernel(b *testing.B) {
	near, _ := pipe(b, "127.0.0.1:0")
	for b.Loop() {
		if _, err := askKernel(addressOf(near.RemoteAddr()), addressOf(near.LocalAddr())); err != nil {
			b.Fatal(err)
		}
	}
}
