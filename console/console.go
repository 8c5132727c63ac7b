// Package console is what a person sees of Greenlight in a browser: the
// environments, their services, events, plans and load tests, live.
//
// Every page is written by a template and can be read without JavaScript.
// The modules in static make it live: they put new figures into cells, and
// ask for the page again when something else than a figure has changed, so
// that there is one place where markup is made. What services, logs and
// events say is never markup: the templates escape it, and the policy that
// comes with every page has the browser refuse anything inline.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store"
)

// Plane is what the pages show. Errors carry greenlight's codes.
type Plane interface {
	Status(ctx context.Context) (control.Status, error)
	Service(ctx context.Context, environment, service string) (control.ServiceDetail, error)
	Series(ctx context.Context, environment, service string, since time.Duration, points int) (observe.Series, error)
	Plan(ctx context.Context, environment string) (control.Plan, error)
	// Loads are the newest load tests of a service, at most limit; 0 is all.
	Loads(ctx context.Context, environment, service string, limit int) ([]control.LoadRun, error)
	Load(ctx context.Context, environment, service, id string) (control.LoadDetail, error)
	// Plans are the capacity plans of a service, newest first, at most limit;
	// 0 is all.
	Plans(ctx context.Context, environment, service string, limit int) ([]control.CapacityPlan, error)
	CapacityPlan(ctx context.Context, environment, service, id string) (control.CapacityDetail, error)
	// Standing is how a capacity plan stands against what production did.
	Standing(ctx context.Context, environment, service, id string) (*capacityplan.Standing, error)
	// RunningLoads are the load tests that run or ended a moment ago.
	RunningLoads() []control.LiveLoad
}

// Events is the history that the pages show.
type Events interface {
	ListEvents(ctx context.Context, q store.EventQuery) ([]greenlight.Event, error)
}

// Options say what a console shows and to whom.
type Options struct {
	Plane  Plane
	Events Events
	// MayRead tells whether a request may see what the pages show. Whoever
	// may not gets a page that asks for a token and holds nothing else. Nil
	// is where a handler in front lets in only those who may.
	MayRead func(*http.Request) bool
	Version string
	Log     *slog.Logger // nil is slog.Default()
}

// Handler serves the console. It is mounted at / beside /api/, which its
// modules talk to.
func Handler(o Options) http.Handler {
	if o.MayRead == nil {
		o.MayRead = func(*http.Request) bool { return true }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := newAssets()
	c := &console{Options: o, assets: a, pages: parsePages(a)}
	mux := http.NewServeMux()
	mux.Handle("GET "+a.prefix, a)
	mux.Handle("GET /{$}", c.page(c.overview))
	mux.Handle("GET /environments/{environment}/services/{service}", c.page(c.service))
	mux.Handle("GET /events", c.page(c.events))
	mux.Handle("GET /plan", c.page(c.plan))
	mux.Handle("GET /load", c.page(c.load))
	mux.Handle("GET /load/{environment}/{service}/{id}", c.page(c.loadRun))
	mux.Handle("GET /load/{environment}/{service}/compare", c.page(c.loadCompare))
	mux.Handle("GET /capacity", c.page(c.capacities))
	mux.Handle("GET /capacity/{environment}/{service}", c.page(c.capacity))
	mux.Handle("GET /capacity/{environment}/{service}/{id}", c.page(c.capacity))
	mux.Handle("GET /", c.page(c.nothing))
	return guarded(mux)
}

// policy allows the console's own files and nothing inline; trusted types
// make the browser refuse markup made from text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
