package process

import (
	"syscall"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// adopt takes over what an earlier control plane left: it reads the records,
// keeps the replicas whose process runs, notes the others as failed, and kills
// processes of this state that no running replica owns.
func (b *Backend) adopt() error {
	records, err := loadRecords(b.options.State, func(path string, err error) {
		b.options.Log.Error("record set aside: it cannot be used", "file", path, "error", err)
	})
	if err != nil {
		return err
	}
	running := make(map[string]bool)
	for _, rec := range records {
		r := newReplica(b, key{rec.Spec.Environment, rec.Spec.ID})
		r.rec = rec
		b.replicas[r.key] = r
		if rec.running() && rec.Leader.alive() {
			running[rec.Launch] = true
			b.ports.keep(rec.Port)
			b.options.Log.Info("replica adopted", "replica", rec.Spec.ID, "pid", rec.Leader.PID)
		}
	}
	b.killStrays(running)
	for _, r := range b.replicas {
		b.bury(r)
	}
	return nil
}

// killStrays ends the processes of this state whose replica does not run: what
// a dead leader left, what a control plane started in its last moment, what
// belongs to a record that is lost.
func (b *Backend) killStrays(running map[string]bool) {
	for range 20 {
		strays := b.census.strays(b.instance, running)
		if len(strays) == 0 {
			return
		}
		for _, p := range strays {
			b.options.Log.Warn("process without a replica killed", "pid", p.PID, "launch", p.launch)
			p.signal(syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
}

// bury notes what ended while nobody watched.
func (b *Backend) bury(r *replica) {
	rec := r.get()
	switch {
	case rec.running():
		b.settleLocked(r)
	case rec.State != greenlight.ReplicaFailed && rec.State != greenlight.ReplicaCrashing:
		r.note(func(rec *record) {
			rec.enter(greenlight.ReplicaFailed, "greenlight ended while it started this replica")
		})
	}
}
