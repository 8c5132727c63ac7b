package gateway

import (
	"math"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// service is a compiled service. It never changes; vitals do.
type service struct {
	config   *Service
	releases []*release
	choices  []*release // those with weight and targets
	total    int        // their weight
	ejection ejection
	attempts int
	retryPay int64 // thousandths of a retry that a request pays in
	hold     hold
	mirror   *mirror // nil for none
	vitals   *vitals
}

// vitals are what a service keeps when its configuration changes.
type vitals struct {
	held     atomic.Int64 // requests that wait for it to be active
	requests atomic.Int64 // admitted, since the process started
	budget   retryBudget
	mirror   mirrorCounts
}

type hold struct {
	requests int64
	timeout  time.Duration
}

// choose picks a release: by the hash of the client's key where the service
// is sticky and there is one, otherwise at random by weight.
func (s *service) choose(key string) *release {
	switch len(s.choices) {
	case 0:
		return nil
	case 1:
		return s.choices[0]
	}
	if key != "" {
		return s.rendezvous(key)
	}
	n := rand.IntN(s.total)
	for _, r := range s.choices {
		if n -= r.weight; n < 0 {
			return r
		}
	}
	return s.choices[0]
}

// rendezvous is weighted rendezvous hashing (Schindelhauer and Schomaker,
// 2005): a change of weights moves only the clients that it must.
func (s *service) rendezvous(key string) *release {
	var best *release
	score := math.Inf(-1)
	for _, r := range s.choices {
		d := xxhash.NewWithSeed(0)
		_, _ = d.WriteString(r.name)
		_, _ = d.WriteString("\x00")
		_, _ = d.WriteString(key)
		u := (float64(d.Sum64()>>11) + 0.5) / (1 << 53) // uniform in (0, 1)
		if v := float64(r.weight) / -math.Log(u); v > score {
			best, score = r, v
		}
	}
	return best
}

// pick finds a target for a request, first in the release that its key or the
// weights say; when nothing is left to try there, in the others.
func (s *service) pick(key string, now time.Time, tried []*target) (*release, *target) {
	first := s.choose(key)
	if first == nil {
		return nil, nil
	}
	if t := first.pick(now, tried); t != nil {
		return first, t
	}
	for _, r := range s.choices {
		if r != first {
			if t := r.pick(now, tried); t != nil {
				return r, t
			}
		}
	}
	return nil, nil
}

// stickyKey is what tells a client's requests from others'; a client without
// a cookie is given one, which set carries.
func (s *service) stickyKey(r *request) (key string, set *http.Cookie) {
	k := s.config.Sticky
	switch {
	case k == nil || len(s.choices) < 2 && k.Cookie == "":
		return "", nil
	case k.Header != "":
		return first(r.fields, http.CanonicalHeaderKey(k.Header)), nil
	}
	if value := r.cookie(k.Cookie); value != "" {
		return value, nil
	}
	key = newID()
	return key, &http.Cookie{Name: k.Cookie, Value: key, Path: "/", HttpOnly: true, Secure: r.secure, SameSite: http.SameSiteLaxMode}
}
