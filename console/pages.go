package console

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
)

type console struct {
	Options
	assets *assets
	pages  map[string]*template.Template
}

// page is what the layout needs, and the page's own content.
type page struct {
	Name        string // the template, and the module that makes it live
	Title       string // "" is the system's name alone
	Environment string
	Service     string
	Frame       frame
	Content     any
	Now         time.Time
	Version     string
}

// content is what a page's function found out: page without the layout.
type content func(r *http.Request, status control.Status) (page, error)

// pageNames are the templates beside the layout and the parts.
var pageNames = []string{"overview", "service", "events", "plan", "load", "loadrun", "loadcompare", "capacities", "capacity", "message", "signin"}

func parsePages(a *assets) map[string]*template.Template {
	functions := template.FuncMap{
		"asset": a.path, "rate": rate, "share": share, "seconds": seconds, "latency": latency, "bytes": formatBytes, "cores": cores, "whole": whole, "stopwatch": stopwatch,
		"short": short, "clock": clock, "iso": iso, "since": since, "tone": toneOfHealth, "dot": toneOfReplica, "signed": signed,
		"at":       func(at, now time.Time) moment { return moment{at, now} },
		"liveload": func(test liveRow, now time.Time) liveView { return liveView{test, now} },
		"feed":     func(events []eventRow, several bool, now time.Time) feed { return feed{events, several, now} },
	}
	shared := template.Must(template.New("").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/capacity_parts.html"))
	pages := make(map[string]*template.Template, len(pageNames))
	for _, name := range pageNames {
		own := template.Must(shared.Clone())
		if name == "capacity" || name == "capacities" {
			own.Funcs(capacityplan.Words())
		}
		pages[name] = template.Must(own.ParseFS(files, "templates/"+name+".html"))
	}
	return pages
}

// moment is a time and the time that it is seen from.
type moment struct{ At, Now time.Time }

// liveView is a load test that runs and the time that it is seen from.
type liveView struct {
	Test liveRow
	Now  time.Time
}

// feed is a list of events; Several has each name its environment.
type feed struct {
	Events  []eventRow
	Several bool
	Now     time.Time
}

func iso(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// page makes a handler of what finds out a page's content.
func (c *console) page(find content) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.MayRead(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			c.write(w, r, http.StatusUnauthorized, page{Name: "signin", Title: "Sign in"})
			return
		}
		status, err := c.Plane.Status(r.Context())
		if err != nil {
			c.fail(w, r, status, err)
			return
		}
		p, err := find(r, status)
		if err != nil {
			c.fail(w, r, status, err)
			return
		}
		p.Frame = frameOf(status)
		code := http.StatusOK
		if p.Name == "message" {
			code = http.StatusNotFound
		}
		c.write(w, r, code, p)
	})
}

// message is a page that says one thing.
type message struct{ Heading, Text string }

func (c *console) fail(w http.ResponseWriter, r *http.Request, status control.Status, err error) {
	code, heading := http.StatusInternalServerError, "This page could not be made"
	switch greenlight.CodeOf(err) {
	case greenlight.CodeNotFound:
		code, heading = http.StatusNotFound, "Not found"
	case greenlight.CodeInvalid:
		code, heading = http.StatusBadRequest, "This cannot be asked"
	case greenlight.CodeUnavailable:
		code, heading = http.StatusServiceUnavailable, "Not now"
	}
	if code >= 500 && !errors.Is(err, context.Canceled) {
		c.Log.Error("a page of the console failed", "path", r.URL.Path, "err", err)
	}
	c.write(w, r, code, page{Name: "message", Title: heading, Frame: frameOf(status), Content: message{heading, err.Error()}})
}

func (c *console) write(w http.ResponseWriter, r *http.Request, code int, p page) {
	p.Now, p.Version = time.Now(), c.Version
	var b bytes.Buffer
	if err := c.pages[p.Name].ExecuteTemplate(&b, "layout", p); err != nil {
		c.Log.Error("a template of the console failed", "page", p.Name, "err", err)
		http.Error(w, "the page "+p.Name+" could not be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if _, err := w.Write(b.Bytes()); err != nil {
		c.Log.Debug("a reader of the console left", "path", r.URL.Path, "err", err)
	}
}

func (c *console) nothing(r *http.Request, _ control.Status) (page, error) {
	text := "Nothing is at " + r.URL.Path + ". The overview shows what there is."
	return page{Name: "message", Title: "Not found", Content: message{"Not found", text}}, nil
}

// sparkPoints points of sparkMinutes are what a row's small chart shows.
const (
	sparkMinutes = 10
	sparkPoints  = 60
)

func (c *console) overview(r *http.Request, status control.Status) (page, error) {
	o := overviewOf(status, r.URL.Query().Get("environment"))
	for i := range o.Rows {
		row := &o.Rows[i]
		series, err := c.Plane.Series(r.Context(), o.Chosen.Name, row.Name, sparkMinutes*time.Minute, sparkPoints)
		if err != nil && greenlight.CodeOf(err) != greenlight.CodeNotFound {
			return page{}, err
		}
		row.Spark = sparkOf(series.Samples)
		row.Load = c.runs(o.Chosen.Name, row.Name)
	}
	events, err := c.Events.ListEvents(r.Context(), store.EventQuery{Newest: true, Limit: 8})
	o.Events = eventRows(events)
	return page{Name: "overview", Environment: o.Chosen.Name, Content: o}, err
}

func (c *console) service(r *http.Request, status control.Status) (page, error) {
	environment, service := r.PathValue("environment"), r.PathValue("service")
	detail, err := c.Plane.Service(r.Context(), environment, service)
	if err != nil {
		return page{}, err
	}
	events, err := c.Events.ListEvents(r.Context(),
		store.EventQuery{Environment: environment, Service: service, Newest: true, Limit: 15})
	if err != nil {
		return page{}, err
	}
	s := serviceOf(detail, events)
	if s.Capacity, err = c.newestPlan(r.Context(), environment, service); err != nil {
		return page{}, err
	}
	s.Several, s.Load = len(status.Environments) > 1, c.runs(environment, service)
	return page{Name: "service", Title: service, Environment: environment, Service: service, Content: s}, nil
}

// Events a page holds, and how many are looked at for a text among them.
const (
	eventsPerPage = 50
	eventsToScan  = 5000
)

func (c *console) events(r *http.Request, status control.Status) (page, error) {
	q := r.URL.Query()
	f := eventFilter{Environment: q.Get("environment"), Service: q.Get("service"), Kind: q.Get("kind"), Text: q.Get("text")}
	if before := q.Get("before"); before != "" {
		id, err := strconv.ParseInt(before, 10, 64)
		if err != nil || id < 1 {
			return page{}, greenlight.Errorf(greenlight.CodeInvalid, "before=%s is not the number of an event", before)
		}
		f.Before = id
	}
	events, more, err := f.list(r.Context(), c.Events)
	if err != nil {
		return page{}, err
	}
	return page{Name: "events", Title: "Events", Content: eventsOf(f, events, more, status)}, nil
}

func (c *console) plan(r *http.Request, status control.Status) (page, error) {
	plans := make([]environmentPlan, 0, len(status.Environments))
	for _, s := range systemsOf(status.Environments) {
		for _, l := range s.Lanes {
			p, err := c.Plane.Plan(r.Context(), l.Name)
			if err != nil {
				return page{}, err
			}
			plans = append(plans, environmentPlan{Environment: l.Environment, Plan: p})
		}
	}
	return page{Name: "plan", Title: "Plan", Content: plans}, nil
}
