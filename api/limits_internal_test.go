package api

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestAttempts(t *testing.T) {
	now := time.Now()
	a := &attempts{now: func() time.Time { return now }, failed: make(map[netip.Prefix]window)}
	one, neighbour, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.1")
	for range maxFailed {
		if a.blocked(one) {
			t.Fatal("blocked too early")
		}
		a.fail(one)
	}
	if !a.blocked(one) || !a.blocked(neighbour) || a.blocked(other) {
		t.Error("the network is to be blocked, and no other")
	}
	if now = now.Add(failedWindow); a.blocked(one) {
		t.Error("blocked for too long")
	}
	a.fail(netip.Addr{}) // a connection without an address
	for i := range 3 * maxRemembered {
		a.fail(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(a.failed) > maxRemembered {
		t.Errorf("%d addresses are remembered", len(a.failed))
	}
}

func TestBoundedReader(t *testing.T) {
	for _, tt := range []struct {
		limit int64
		want  string
		err   error
	}{{6, "SQLite", nil}, {7, "SQLite", nil}, {5, "SQLit", errBackupTooLarge}, {0, "", errBackupTooLarge}} {
		for _, r := range []io.Reader{strings.NewReader("SQLite"), iotest.OneByteReader(strings.NewReader("SQLite"))} {
			got, err := io.ReadAll(&boundedReader{r: r, left: tt.limit})
			if string(got) != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("limit %d: %q %v", tt.limit, got, err)
			}
		}
	}
}
