package measure

import (
	"os"
	"time"
)

// snapshot is what processes had used at a moment.
type snapshot struct {
	at   time.Time
	cpu  map[int]time.Duration
	idle time.Duration
	err  error
}

// take reads it. replicas and gateway are pids; this process is among them.
func take(replicas []int, gateway int) snapshot {
	s := snapshot{at: time.Now()}
	leaders := append([]int{gateway, os.Getpid()}, replicas...)
	if s.cpu, s.err = used(leaders); s.err == nil {
		s.idle, s.err = idleTime()
	}
	return s
}

// since gives cores in use from an earlier snapshot to this one.
func (s snapshot) since(before snapshot, replicas []int, gateway int) Reading {
	took := s.at.Sub(before.at).Seconds()
	cores := func(pid int) float64 { return (s.cpu[pid] - before.cpu[pid]).Seconds() / took }
	r := Reading{Gateway: cores(gateway), Own: cores(os.Getpid()), Idle: (s.idle - before.idle).Seconds() / took}
	for _, pid := range replicas {
		r.Replica = append(r.Replica, cores(pid))
	}
	return r
}
