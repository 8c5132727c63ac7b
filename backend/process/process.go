// Package process runs replicas as processes of this machine.
//
// Each replica leads a session and process group of its own, writes to an
// append-only file and does not need the control plane: when that ends or is
// killed, its replicas serve on, and the next one adopts them. What is needed
// for that stands in one record per replica, written before and after the
// start; a process is known by its pid, its start time and the machine's boot,
// so a pid that another process has by now is never touched.
//
// A replica that was adopted is no child of this process: when it ends, its
// exit code is not known.
//
// Every launch has a random name in its environment. Whatever a replica started
// and left behind is found by it, even outside its process group, and killed
// when the replica ends or when the state is opened again.
//
// It needs Linux; elsewhere it builds and Open refuses.
package process

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// Options shape a backend.
type Options struct {
	State   string       // folder, made when missing; one backend at a time has it
	Log     *slog.Logger // nil discards
	Backoff backend.Backoff
	// LookupEnv gives the variables that secrets name; nil is os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// MaxLog bounds a replica's log, in bytes, while Run runs; of what is cut
	// off as much again is kept. 0 is 64 MiB.
	MaxLog int64
}

// Backend runs processes; see backend.Backend.
type Backend struct {
	options  Options
	instance string // prefix of all launches of this state
	unlock   func() error
	ports    *ports
	cgroups  *cgroups
	census   census
	prober   prober

	mu       sync.Mutex
	replicas map[key]*replica
	outputs  map[string]*output // by the log's path

	feed  backend.Feed
	watch atomic.Pointer[watch] // nil when Run does not run
}

var _ backend.Backend = (*Backend)(nil)

// key names a replica.
type key struct{ environment, id string }

// Open takes the state folder, adopts the replicas that run and kills what is
// left of those that do not. Records that cannot be read are set aside and
// logged. A folder that another process has open is CodeUnavailable.
func Open(o Options) (*Backend, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	o.MaxLog = cmp.Or(o.MaxLog, defaultMaxLog)
	state, err := filepath.Abs(o.State)
	if err != nil {
		return nil, err
	}
	o.State = state
	if err := os.MkdirAll(filepath.Join(state, recordFolder), 0o700); err != nil {
		return nil, err
	}
	unlock, err := lockFile(filepath.Join(state, recordFolder, "lock"))
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "the state folder %s: %w", state, err)
	}
	b := &Backend{options: o, unlock: unlock, ports: newPorts(), replicas: make(map[key]*replica), outputs: make(map[string]*output)}
	if err := b.open(); err != nil {
		return nil, cmp.Or(err, unlock())
	}
	return b, nil
}

func (b *Backend) open() error {
	instance, err := readInstance(filepath.Join(b.options.State, recordFolder, "instance"))
	if err != nil {
		return err
	}
	b.instance = instance
	b.cgroups = detectCgroups()
	b.options.Log.Info("resource limits", "by", b.cgroups.String())
	return b.adopt()
}

// Close lets the state folder go. The replicas run on. Run and all calls must
// have returned.
func (b *Backend) Close() error {
	b.prober.close()
	return b.unlock()
}

// Name is "process".
func (b *Backend) Name() string { return "process" }

// Limits says in words how resources are limited here, or why they are not.
func (b *Backend) Limits() string { return b.cgroups.String() }

// Observe lists the replicas; see backend.Backend.
func (b *Backend) Observe(ctx context.Context, environment string) ([]greenlight.Replica, error) {
	list := []greenlight.Replica{}
	for _, r := range b.list(environment) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b.settle(r)
		if replica, ok := r.view(); ok {
			list = append(list, replica)
		}
	}
	backend.Sort(list)
	return list, nil
}

func (b *Backend) list(environment string) []*replica {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*replica
	for k, r := range b.replicas {
		if environment == "" || k.environment == environment {
			list = append(list, r)
		}
	}
	return list
}

// settle notices the end of a replica that nobody is busy with.
func (b *Backend) settle(r *replica) {
	if !r.tryLock() {
		return // who has it sees to it
	}
	defer r.unlock()
	b.settleLocked(r)
}

func (b *Backend) settleLocked(r *replica) {
	rec := r.get()
	if !rec.running() || rec.Leader.alive() {
		return
	}
	if rec.State == greenlight.ReplicaStopping {
		b.finish(rec)
		b.forget(r)
		return
	}
	b.fail(r, b.finish(rec))
}

// obtain gives the replica's entry, locked and settled; it is made when missing.
func (b *Backend) obtain(ctx context.Context, k key) (*replica, error) {
	for {
		b.mu.Lock()
		r := b.replicas[k]
		if r == nil {
			r = newReplica(b, k)
			b.replicas[k] = r
		}
		b.mu.Unlock()
		if err := r.lock(ctx); err != nil {
			return nil, err
		}
		if !r.forgotten() {
			b.settleLocked(r)
		}
		if !r.forgotten() {
			return r, nil
		}
		r.unlock() // stopped while this waited: begin anew
	}
}

func (b *Backend) find(k key) *replica {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.replicas[k]
}

// forget removes a replica that has no process any more. r is locked; who waits
// for it finds that it is forgotten.
func (b *Backend) forget(r *replica) {
	if !r.forget() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.replicas, r.key)
}
