package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
)

// Names in the state folder.
const (
	configName  = "gateway.json"
	processName = configName + ".process"
	socketName  = "gateway.sock"
	logName     = "gateway.log"
)

// AccessLogName is the file in the state folder that a gateway's configuration
// may name for its access log: the keeper bounds it.
const AccessLogName = "gateway-access.log"

// Options say which gateway is kept.
type Options struct {
	Program string // the greenlight that is started
	State   string // folder of the gateway's configuration, socket and log; made where it is missing
	// Listen is where requests come in, HOST:PORT; with port 0 a free one is
	// taken, and kept from then on.
	Listen  string
	Public  bool   // whether other machines may connect
	Version string // of Program; a running gateway of another one is upgraded
	Log     *slog.Logger
}

// Status is how the gateway process is.
type Status struct {
	PID       int    // 0 while none runs
	Address   string // host:port in use
	StartedAt time.Time
	Version   string
	// Instead says why this process took the place of another, "" when it took
	// nobody's, or when that is not known.
	Instead string
	Note    string // what is wrong, in one line; "" for nothing
}

// Keeper keeps one gateway process running. Its methods may be called by many
// goroutines at once.
type Keeper struct {
	options   Options
	control   string // URL of the control socket
	socket    string
	client    *gateway.Client
	restarted chan struct{}
	ready     chan struct{}
	work      sync.WaitGroup // of Run

	acting sync.Mutex // one start, upgrade or stop at a time

	mu       sync.Mutex // guards what follows
	process  *process   // nil while none runs
	status   Status
	since    time.Time          // when process was taken on
	look     context.CancelFunc // ends the watch of process
	failures int                // in a row
	instead  string             // of the process that is taken on next; see Status
	hung     *process           // that was killed because it did not answer
	stopped  bool
	quit     context.CancelFunc // ends Run; nil while it does not run
}

// New makes the keeper of a state folder; Run works.
func New(o Options) (*Keeper, error) {
	if !supported {
		return nil, greenlight.Errorf(greenlight.CodeUnsupported, "keeping a gateway running needs Linux")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "--gateway %q: want HOST:PORT, as 127.0.0.1:8080", o.Listen)
	}
	if err := o.locate(); err != nil {
		return nil, err
	}
	socket, err := SocketPath(o.State, socketName)
	if err != nil {
		return nil, err
	}
	control := (&url.URL{Scheme: "unix", Path: socket}).String()
	client, err := gateway.NewClient(control, "")
	if err != nil {
		return nil, err
	}
	return &Keeper{options: o, control: control, socket: socket, client: client,
		restarted: make(chan struct{}, 1), ready: make(chan struct{})}, nil
}

// locate makes the paths absolute: the gateway runs in another folder.
func (o *Options) locate() error {
	program, err := exec.LookPath(o.Program)
	if err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "the gateway's program: %w", err)
	}
	if o.Program, err = filepath.Abs(program); err != nil {
		return err
	}
	if o.State, err = filepath.Abs(o.State); err != nil {
		return err
	}
	return os.MkdirAll(o.State, 0o700)
}

func (k *Keeper) file(name string) string { return filepath.Join(k.options.State, name) }

// Client steers the gateway, whichever process it is at the time.
func (k *Keeper) Client() *gateway.Client { return k.client }

// Ready is closed once a gateway serves.
func (k *Keeper) Ready() <-chan struct{} { return k.ready }

// Restarted gives a value after another gateway process than before began to
// serve, the first one among them; several may have by the time it is read.
func (k *Keeper) Restarted() <-chan struct{} { return k.restarted }

// Status is how the gateway process is now.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// Run adopts the gateway of the state folder or starts one, and keeps it
// running until ctx ends or Stop is called; then it returns nil. The gateway
// lives on when ctx ends. An error says why there could be none from the start;
// later failures stand in Status, and it is tried again.
func (k *Keeper) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.mu.Lock()
	k.quit = cancel
	stopped := k.stopped
	k.mu.Unlock()
	if stopped {
		return nil
	}
	defer k.work.Wait()
	defer cancel()
	k.boundLogsNow()
	k.work.Go(func() { k.boundLogs(ctx) })
	if err := k.begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		k.fail(err)
		return err
	}
	for ctx.Err() == nil {
		if p, look := k.current(ctx); p != nil {
			k.watch(ctx, p, look)
		} else if sleep(ctx, k.delay()) {
			k.revive(ctx)
		}
	}
	return nil
}

// current is the process that is to serve, nil when it is gone. The context
// ends when another has taken its place.
func (k *Keeper) current(ctx context.Context) (*process, context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.process == nil {
		return nil, nil
	}
	look, cancel := context.WithCancel(ctx)
	k.look = cancel
	return k.process, look
}

// watch returns when the process is gone, replaced or ctx has ended. One that
// hangs is killed, and gone.
func (k *Keeper) watch(ctx context.Context, p *process, look context.Context) {
	var listening sync.WaitGroup
	asking, stop := context.WithCancel(look)
	listening.Go(func() { k.listen(asking, p) })
	gone := p.awaitEnd(look) == nil
	stop()
	listening.Wait()
	k.mu.Lock()
	k.look() // frees its context
	replaced := k.process != p
	k.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case replaced:
		k.bury(ctx, p)
	case gone:
		k.lose(ctx, p)
	}
}

// bury waits for the end of a process that finishes its last requests, so that
// no zombie of it remains.
func (k *Keeper) bury(ctx context.Context, p *process) {
	k.work.Go(func() {
		if p.awaitEnd(ctx) == nil {
			p.reap()
		}
	})
}

// lose notes that the process died, unless another has taken its place.
func (k *Keeper) lose(ctx context.Context, p *process) {
	k.acting.Lock() // an upgrade under way may have replaced it
	defer k.acting.Unlock()
	how := "it died: " + p.reap()
	if k.succeeded(ctx, p) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.process != p {
		return
	}
	if k.hung == p {
		how = fmt.Sprintf("it did not answer for %s and was killed", hungAfter)
	}
	if time.Since(k.since) >= steady {
		k.failures = 0
	}
	k.failures++
	k.process, k.hung, k.instead = nil, nil, how
	k.status.PID, k.status.Note = 0, how
	k.options.Log.Warn("the gateway is gone", "pid", p.pid, "how", how)
}

// succeeded takes on the successor of p, when p ended because it handed over
// without being asked by its keeper. It is called with acting held.
func (k *Keeper) succeeded(ctx context.Context, p *process) bool {
	k.mu.Lock()
	own := k.process == p && k.hung != p
	k.mu.Unlock()
	if !own {
		return false
	}
	next, s, err := k.answering(ctx)
	if err != nil || next == nil || next.pid == p.pid {
		return false
	}
	k.replaced("it was upgraded")
	k.take(next, s)
	k.options.Log.Info("the gateway has handed over", "pid", next.pid, "version", s.Version)
	return true
}

// A gateway that dies is started again at once; one that dies within steady of
// its start, or does not start, several times in a row, after a pause that
// doubles.
const (
	steady    = time.Second
	freeTries = 3
	firstWait = 100 * time.Millisecond
	longWait  = 400 * time.Millisecond // one that starts is back well within a second
)

func (k *Keeper) delay() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failures <= freeTries {
		return 0
	}
	return min(firstWait<<min(k.failures-freeTries-1, 8), longWait)
}

// sleep tells whether ctx lasted for it.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// take makes p the process that serves.
func (k *Keeper) take(p *process, s *gateway.Status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := k.process == nil || k.process.pid != p.pid
	k.process, k.since = p, time.Now()
	instead := k.status.Instead // of the same process, when it is taken once more
	if changed {
		instead, k.instead = k.instead, ""
	}
	k.status = Status{PID: p.pid, Address: k.address(s), StartedAt: s.StartedAt, Version: s.Version, Instead: instead}
	if k.look != nil {
		k.look()
	}
	if !changed {
		return
	}
	select {
	case k.restarted <- struct{}{}:
	default:
	}
	select {
	case <-k.ready:
	default:
		close(k.ready)
	}
}

// replaced notes why the process that is taken on next is another one.
func (k *Keeper) replaced(why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.instead = why
}

// address is where the gateway listens for requests.
func (k *Keeper) address(s *gateway.Status) string {
	for _, l := range s.Listeners {
		if l.Name == gateway.FlagListener {
			return l.Address
		}
	}
	return ""
}

// fail notes why there is no gateway.
func (k *Keeper) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failures++
	if note := err.Error(); k.status.Note != note { // the same again is no news
		k.status.Note = note
		k.options.Log.Error("no gateway runs", "error", err)
	}
}

// Upgrade hands the gateway over to a new process of the program that it was
// started from, without losing a request.
func (k *Keeper) Upgrade(ctx context.Context) error {
	k.acting.Lock()
	defer k.acting.Unlock()
	if s := k.Status(); s.PID == 0 {
		return greenlight.Errorf(greenlight.CodeUnavailable, "no gateway runs that could be upgraded: %s", s.Note)
	}
	return k.handOver(ctx)
}

// handOver is Upgrade with acting held.
func (k *Keeper) handOver(ctx context.Context) error {
	pid, err := k.client.Upgrade(ctx)
	if err != nil {
		return err
	}
	p, err := openProcess(pid)
	if err == nil {
		var s *gateway.Status
		if s, err = k.awaitServing(ctx, p); err == nil {
			k.replaced("it was upgraded")
			k.take(p, s)
			k.options.Log.Info("the gateway was upgraded", "pid", pid, "version", s.Version)
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return greenlight.Errorf(greenlight.CodeUnavailable, "the gateway handed over to process %d, which does not serve: %w", pid, err)
}

var errEnded = errors.New("it ended")
