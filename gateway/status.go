package gateway

import (
	"os"
	"time"
)

// Status is what a gateway is doing now.
type Status struct {
	PID       int       `json:"pid"`
	Version   string    `json:"version,omitempty"` // of Greenlight
	StartedAt time.Time `json:"startedAt"`
	// Predecessor is the process that this one took over from, until it has
	// finished its last request and ended.
	Predecessor int              `json:"predecessor,omitempty"`
	Successor   int              `json:"successor,omitempty"` // once handed over
	Revision    string           `json:"revision,omitempty"`
	AppliedAt   time.Time        `json:"appliedAt,omitzero"`
	Listeners   []ListenerStatus `json:"listeners"`
	InFlight    int64            `json:"inFlight"`
	Services    []ServiceStatus  `json:"services"`
	// Leaving are targets that the configuration no longer has and that still
	// answer requests.
	Leaving []LeavingTarget `json:"leaving"`
}

// ListenerStatus is an address that requests come in at.
type ListenerStatus struct {
	Name    string `json:"name"`
	Address string `json:"address"` // with the port that is in use
	TLS     bool   `json:"tls"`
}

// ServiceStatus is one service.
type ServiceStatus struct {
	Name     string          `json:"name"`
	State    State           `json:"state"`
	InFlight int64           `json:"inFlight"`
	Held     int64           `json:"held"`     // requests that wait while it is paused
	Requests int64           `json:"requests"` // since the process started
	Releases []ReleaseStatus `json:"releases"`
	Mirror   *MirrorStatus   `json:"mirror,omitempty"`
}

// ReleaseStatus is one release.
type ReleaseStatus struct {
	Name     string         `json:"name"`
	Weight   int            `json:"weight"`
	Requests int64          `json:"requests"` // since the process started
	Failures int64          `json:"failures"` // of these, answered 5xx
	Targets  []TargetStatus `json:"targets"`
}

// TargetStatus is one replica.
type TargetStatus struct {
	ID        string `json:"id"`
	Address   string `json:"address"`
	InFlight  int64  `json:"inFlight"`
	Usable    bool   `json:"usable"`
	Ejections int    `json:"ejections"`
	// EjectedUntil is set while the target is kept out for failing.
	EjectedUntil time.Time `json:"ejectedUntil,omitzero"`
	LastError    string    `json:"lastError,omitempty"`
	LastFailedAt time.Time `json:"lastFailedAt,omitzero"`
	Check        string    `json:"check,omitempty"` // outcome of the last active check
	CheckedAt    time.Time `json:"checkedAt,omitzero"`
}

// LeavingTarget is a replica that gets no more requests.
type LeavingTarget struct {
	Service string `json:"service"`
	Release string `json:"release"`
	TargetStatus
}

// MirrorStatus counts copies of requests since the process started.
type MirrorStatus struct {
	Pending   int64        `json:"pending"`
	Sent      int64        `json:"sent"`
	Dropped   int64        `json:"dropped"` // too many were under way
	Skipped   int64        `json:"skipped"` // body too large or streamed
	Failed    int64        `json:"failed"`
	Same      int64        `json:"same"`
	Different int64        `json:"different"`
	Recent    []Difference `json:"recent,omitempty"`
}

func (m *MirrorStatus) byOutcome() map[string]int64 {
	return map[string]int64{"sent": m.Sent, "dropped": m.Dropped, "skipped": m.Skipped,
		"failed": m.Failed, "same": m.Same, "different": m.Different}
}

// Status gives the state at this moment; counts of different targets may be
// a request apart.
func (g *Gateway) Status() Status {
	now := time.Now()
	g.mu.Lock()
	s := Status{
		PID: os.Getpid(), Version: g.options.Version, StartedAt: g.startedAt, AppliedAt: g.appliedAt,
		Predecessor: g.predecessor, Successor: g.successor, InFlight: g.active.Load(),
		Listeners: []ListenerStatus{}, Services: []ServiceStatus{}, Leaving: []LeavingTarget{},
	}
	for _, d := range g.doors {
		s.Listeners = append(s.Listeners, ListenerStatus{d.name, d.address(), d.tls != nil})
	}
	g.pruneLeaving()
	for _, t := range g.leaving {
		s.Leaving = append(s.Leaving, LeavingTarget{t.service, t.release, t.status(now)})
	}
	g.mu.Unlock()
	t := g.table.Load()
	s.Revision = t.config.Revision
	for _, svc := range t.byName {
		s.Services = append(s.Services, svc.status(now))
	}
	return s
}

func (s *service) status(now time.Time) ServiceStatus {
	st := ServiceStatus{Name: s.config.Name, State: s.config.State, Held: s.vitals.held.Load(),
		Requests: s.vitals.requests.Load(), Releases: []ReleaseStatus{}}
	if st.State == "" {
		st.State = Active
	}
	for _, r := range s.releases {
		rs := ReleaseStatus{Name: r.name, Weight: r.weight, Requests: r.metrics.requests.Load(),
			Failures: r.metrics.failures.Load(), Targets: []TargetStatus{}}
		for _, t := range r.targets {
			ts := t.status(now)
			st.InFlight += ts.InFlight
			rs.Targets = append(rs.Targets, ts)
		}
		st.Releases = append(st.Releases, rs)
	}
	if s.mirror != nil {
		st.Mirror = s.vitals.mirror.status()
	}
	return st
}

func (t *target) status(now time.Time) TargetStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := TargetStatus{ID: t.id, Address: t.address, InFlight: t.inFlight.Load(), Usable: t.usable(now), Ejections: t.ejections,
		LastError: t.lastError, LastFailedAt: t.lastFailedAt, Check: t.lastCheck, CheckedAt: t.checkedAt}
	if until := t.ejectedUntil.Load(); until > now.UnixNano() {
		s.EjectedUntil = time.Unix(0, until)
	}
	return s
}

func (c *mirrorCounts) status() *MirrorStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &MirrorStatus{Pending: c.pending.Load(), Sent: c.sent.Load(), Dropped: c.dropped.Load(), Skipped: c.skipped.Load(),
		Failed: c.failed.Load(), Same: c.same.Load(), Different: c.different.Load(), Recent: append([]Difference(nil), c.recent...)}
}
