package api

import (
	"net/netip"
	"sync"
	"time"
)

// Limits of failed authentications. A token cannot be guessed; this keeps
// those who try from keeping the store busy.
const (
	maxFailed     = 20          // of one address …
	failedWindow  = time.Minute // … in this time
	maxRemembered = 4096        // addresses
)

// attempts counts failed authentications by address, IPv6 by network.
type attempts struct {
	now func() time.Time

	mu     sync.Mutex
	failed map[netip.Prefix]window
}

type window struct {
	began time.Time
	count int
}

// network is what one machine can hardly have two of.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// blocked tells whether an address has failed too often.
func (a *attempts) blocked(addr netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.failed[network(addr)]
	return w.count >= maxFailed && a.now().Sub(w.began) < failedWindow
}

// fail counts a failure of an address.
func (a *attempts) fail(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, now := network(addr), a.now()
	w := a.failed[key]
	if now.Sub(w.began) >= failedWindow {
		w = window{began: now}
	}
	w.count++
	if _, known := a.failed[key]; !known && len(a.failed) >= maxRemembered {
		a.forget(now)
	}
	a.failed[key] = w
}

// forget makes room: by the addresses whose time is over, else by any.
func (a *attempts) forget(now time.Time) {
	for key, w := range a.failed {
		if now.Sub(w.began) >= failedWindow {
			delete(a.failed, key)
		}
	}
	for key := range a.failed {
		if len(a.failed) < maxRemembered {
			return
		}
		delete(a.failed, key)
	}
}
