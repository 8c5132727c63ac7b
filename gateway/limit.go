package gateway

import (
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// rate is a compiled Limit: a token bucket kept as the generic cell rate
// algorithm (ITU-T I.371), in which one time per bucket is all its state.
type rate struct {
	every     int64 // nanoseconds that one request costs
	tolerance int64 // nanoseconds that a burst may run ahead
}

func compileLimit(l *Limit) *rate {
	if l == nil {
		return nil
	}
	burst := float64(l.Burst)
	if burst == 0 {
		burst = math.Ceil(l.Rate)
	}
	every := max(1, int64(1e9/l.Rate))
	return &rate{every: every, tolerance: int64(min(float64(every)*(burst-1), 1e18))}
}

// take spends one request at now from a bucket whose theoretical arrival time
// is tat. When there is none left it gives how long until there is.
func (r *rate) take(tat, now int64) (next int64, wait time.Duration) {
	at := max(tat, now)
	if over := at - now - r.tolerance; over > 0 {
		return tat, time.Duration(over)
	}
	return at + r.every, 0
}

// bucket is a rate's bucket that many requests share.
type bucket struct{ tat atomic.Int64 }

func (b *bucket) take(r *rate, now int64) (wait time.Duration) {
	for {
		tat := b.tat.Load()
		next, wait := r.take(tat, now)
		if wait > 0 {
			return wait
		}
		if b.tat.CompareAndSwap(tat, next) {
			return 0
		}
	}
}

// clientBuckets are the buckets of a route's clients, bounded in number: when
// it is full, a client that has been quiet makes place for a new one.
type clientBuckets struct {
	shards [16]clientShard
	each   int // clients in a shard
}

type clientShard struct {
	mu  sync.Mutex
	tat map[netip.Addr]int64
}

const defaultMaxTracked = 1 << 16

func newClientBuckets(most int) *clientBuckets {
	if most == 0 {
		most = defaultMaxTracked
	}
	return &clientBuckets{each: max(1, most/16)}
}

func (c *clientBuckets) take(r *rate, client netip.Addr, now int64) (wait time.Duration) {
	key := network(client)
	b := key.As16()
	s := &c.shards[xxhash.Sum64(b[:])%uint64(len(c.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tat == nil {
		s.tat = make(map[netip.Addr]int64)
	}
	tat, known := s.tat[key]
	if !known && len(s.tat) >= c.each {
		s.evict(now)
	}
	next, wait := r.take(tat, now)
	if wait == 0 {
		s.tat[key] = next
	}
	return wait
}

// evict forgets the quietest of a few clients; those whose bucket is full
// again lose nothing by it. Map order makes the few random enough.
func (s *clientShard) evict(now int64) {
	var quietest netip.Addr
	least := int64(math.MaxInt64)
	seen := 0
	for client, tat := range s.tat {
		if tat <= now {
			delete(s.tat, client)
			least = -1
		} else if tat < least {
			quietest, least = client, tat
		}
		if seen++; seen == 16 {
			break
		}
	}
	if least > 0 {
		delete(s.tat, quietest)
	}
}

// network is what limits take for one client: an IPv4 address, or the /64
// that an IPv6 client can choose its addresses from.
func network(a netip.Addr) netip.Addr {
	if a.Is4() || !a.IsValid() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
