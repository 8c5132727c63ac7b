package gateway

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway/handover"
)

// Options shape a gateway's process; what it does with requests is Config.
type Options struct {
	// Listen is an address for plain requests beside those of the
	// configuration, "" for none; port 0 takes a free one.
	Listen string
	// Public allows listeners that other machines can reach.
	Public bool
	// ConfigFile is where the configuration is kept and loaded from at the
	// start; "" keeps none.
	ConfigFile string
	// ProcessFile is where the process that serves now writes who it is, as
	// Process; "" writes none.
	ProcessFile string
	// Control is where the gateway is steered: "unix:///path" or
	// "http://127.0.0.1:port", which needs ControlToken. "" is nowhere.
	Control      string
	ControlToken string
	// Linger is how long a stopping gateway goes on answering on connections
	// that clients keep open, telling them to close; 0 is 1 s.
	Linger time.Duration
	// Grace bounds how long requests under way may take when the gateway
	// stops or hands over; 0 is 30 s.
	Grace time.Duration
	// Successor is the command line that an upgrade starts; nil is this
	// process's own.
	Successor []string
	// Inherited is what a predecessor handed over; nil for none.
	Inherited *handover.Inheritance
	Version   string    // of Greenlight, for status
	Stdout    io.Writer // for an access log that goes there; nil is os.Stdout
	Log       *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Linger == 0 {
		o.Linger = time.Second
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Gateway is one process's reverse proxy.
type Gateway struct {
	options   Options
	metrics   *metrics
	unrouted  *series
	access    accessLog
	copies    copyBuffers
	dates     dates
	exchanges sync.Pool
	proxyLog  *log.Logger
	startedAt time.Time

	table  atomic.Pointer[table]
	active atomic.Int64 // exchanges under way, upgraded connections among them

	living context.Context // until Close
	die    context.CancelFunc
	work   sync.WaitGroup // checks, mirrored requests, servers

	applying sync.Mutex // one change of configuration or process at a time

	mu          sync.Mutex // guards what follows
	doors       []*door
	control     *controlServer
	leaving     []*target
	checks      map[*target]*Check // what each running check was told
	appliedAt   time.Time
	predecessor int
	successor   int
	serving     bool
	handedOver  chan struct{} // closed when a successor serves
}

var (
	errNoTarget   = errors.New("no replica")
	errHandedOver = greenlight.Errorf(greenlight.CodeUnavailable, "this gateway has handed over to its successor; ask that")
)

// New opens the listeners and loads the kept configuration; it serves once
// Run is called. Close must be called in the end.
func New(o Options) (*Gateway, error) {
	o = o.withDefaults()
	g := &Gateway{
		options: o, metrics: newMetrics(), startedAt: time.Now(),
		checks: make(map[*target]*Check), handedOver: make(chan struct{}),
		proxyLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	g.access.stdout = o.Stdout
	g.exchanges.New = g.newExchange
	g.unrouted = g.metrics.series("", "", "")
	g.metrics.registry.MustRegister(collector{g})
	g.living, g.die = context.WithCancel(context.Background())
	g.table.Store(g.compile(&Config{Version: ConfigVersion}, nil))
	if err := g.open(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// open acquires what the gateway starts with.
func (g *Gateway) open() error {
	c := &Config{Version: ConfigVersion}
	if g.options.ConfigFile != "" {
		kept, err := LoadConfig(g.options.ConfigFile)
		if err != nil {
			return err
		}
		if kept != nil {
			c = kept
		}
	}
	if err := g.openControl(); err != nil {
		return err
	}
	return g.put(c, false)
}

// Run serves until ctx is done or a successor has taken over, then finishes
// the requests under way. It returns nil when all of them were answered.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.start(); err != nil {
		return err
	}
	g.work.Go(g.keepHouse)
	select {
	case <-ctx.Done():
		g.removeProcessFile()
	case <-g.handedOver:
	}
	return g.drain(context.WithoutCancel(ctx))
}

// start serves on everything that is open and tells a predecessor.
func (g *Gateway) start() error {
	g.mu.Lock()
	for _, d := range g.doors {
		g.serveDoor(d)
	}
	g.serving = true
	if g.control != nil {
		g.work.Go(g.control.serve)
	}
	g.mu.Unlock()
	if err := g.writeProcessFile(); err != nil {
		return err
	}
	return g.takeOver()
}

// keepHouse does what is due each second, until Close.
func (g *Gateway) keepHouse() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-g.living.Done():
			return
		case now := <-tick.C:
			t := g.table.Load()
			for _, target := range t.targets {
				target.upstream.reap(now)
			}
			g.metrics.forget(t, now)
			if err := g.access.flush(); err != nil {
				g.options.Log.Error("the access log cannot be written", "error", err)
			}
			g.mu.Lock()
			g.pruneLeaving()
			g.mu.Unlock()
		}
	}
}

// drain stops accepting, says goodbye on open connections and waits for what
// is under way. Listeners close first: a successor, or nobody, takes what
// comes after.
func (g *Gateway) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.options.Grace)
	defer cancel()
	g.mu.Lock()
	doors, control := g.doors, g.control
	g.mu.Unlock()
	control.stopAccepting()
	err := drainDoors(ctx, doors, g.options.Linger)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for g.active.Load() > 0 { // upgraded connections, which servers forget
		select {
		case <-ctx.Done():
			return errors.Join(err, control.stop(ctx), greenlight.Errorf(greenlight.CodeUnavailable,
				"%d requests were still under way after %v", g.active.Load(), g.options.Grace))
		case <-tick.C:
		}
	}
	return errors.Join(err, control.stop(ctx))
}

// Close ends everything at once, waits for it and frees what New acquired.
func (g *Gateway) Close() error {
	g.die()
	g.mu.Lock()
	doors, control := g.doors, g.control
	g.mu.Unlock()
	for _, d := range doors {
		d.closeNow()
	}
	control.closeNow()
	g.work.Wait()
	for _, t := range g.table.Load().targets {
		t.upstream.retire()
	}
	g.access.close()
	return nil
}

// pruneLeaving forgets the targets that have answered their last request. It
// is called with mu held.
func (g *Gateway) pruneLeaving() {
	kept := g.leaving[:0]
	for _, t := range g.leaving {
		if t.inFlight.Load() > 0 {
			kept = append(kept, t)
		}
	}
	clear(g.leaving[len(kept):])
	g.leaving = kept
}

// Handler serves requests as the listeners do, for programs that have their
// own server.
func (g *Gateway) Handler() http.Handler {
	return &door{gateway: g, stall: time.Minute}
}

// Addr is the address in use of the listener of that name, nil for none; the
// one of Options.Listen is called FlagListener.
func (g *Gateway) Addr(name string) net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, d := range g.doors {
		if d.name == name {
			return d.listener.Addr()
		}
	}
	return nil
}
