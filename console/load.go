package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
)

// loadPage lists load tests by service.
type loadPage struct {
	Running []liveRow
	Groups  []loadGroup
	Several bool   // whether there are several environments
	Example string // the name of a service that can be loaded; "" when there is none
	Whole   bool   // whether every test of the one service is listed
}

// loadGroup is the load tests of one service, newest first.
type loadGroup struct {
	Environment, Service string
	Runs                 []loadRow
	More                 bool // whether there are older ones
}

// Path is where the service has its own page.
func (g loadGroup) Path() string { return servicePath(g.Environment, g.Service) }

// All is where all of its tests are listed.
func (g loadGroup) All() string {
	return "/load?" + url.Values{"environment": {g.Environment}, "service": {g.Service}}.Encode()
}

// Compare is where two of its tests are compared.
func (g loadGroup) Compare() string { return loadPath(g.Environment, g.Service, "compare") }

func loadPath(environment, service, rest string) string {
	return "/load/" + url.PathEscape(environment) + "/" + url.PathEscape(service) + "/" + url.PathEscape(rest)
}

// loadRow is one load test in short.
type loadRow struct{ control.LoadRun }

// Path is where it is shown.
func (r loadRow) Path() string { return loadPath(r.Environment, r.Service, r.ID) }

// Asked is how much it asked for.
func (r loadRow) Asked() string {
	if r.Knee != nil {
		return "knee " + rate(*r.Knee) + "/s"
	}
	if r.Model == "closed" {
		return fmt.Sprintf("%s clients", whole(float64(r.Clients)))
	}
	return rate(r.Planned) + "/s"
}

// AllFailed tells whether no request was answered rightly.
func (r loadRow) AllFailed() bool { return r.Requests > 0 && r.Errors >= 1 }

// erred tells whether errors are what it came to: where no threshold says
// what may fail, nothing may.
func (r loadRow) erred() bool { return r.AllFailed() || r.Errors > 0 && r.Thresholds == 0 }

// Tail is its p99.9, as far as so few requests tell.
func (r loadRow) Tail() string { return known(r.P999, 0.999, r.Requests) }

// known is a percentile, a dash where too few times were counted to have it.
func known(v, share float64, times int64) string {
	if !load.Known(share, times) {
		return none
	}
	return seconds(v)
}

// Tone is the colour of what it came to.
func (r loadRow) Tone() string {
	switch {
	case r.Void:
		return "hold"
	case len(r.Failed) > 0, r.erred():
		return "stop"
	case r.Thresholds > 0 && r.Stopped == "":
		return "go"
	}
	return ""
}

// Verdict is what it came to, in a word or two.
func (r loadRow) Verdict() string {
	switch {
	case r.Void:
		return "void"
	case len(r.Failed) > 0:
		return "not met"
	case r.AllFailed():
		return "failed"
	case r.Stopped != "":
		return "stopped"
	case r.Thresholds > 0:
		return "met"
	case r.erred():
		return "errors"
	}
	return ""
}

// Lead says what Why explains.
func (r loadRow) Lead() string {
	switch {
	case r.Void:
		return "Void: these figures do not describe the service."
	case len(r.Failed) > 0:
		return "Not met:"
	case r.AllFailed() && r.Stopped == "":
		return "Failed:"
	case r.Stopped != "":
		return "Stopped early:"
	}
	return "Errors:"
}

// Why explains the verdict; "" where there is nothing to explain.
func (r loadRow) Why() string {
	switch {
	case r.Void:
		return r.VoidReason
	case len(r.Failed) > 0:
		return strings.Join(r.Failed, ", ")
	case r.Stopped != "":
		return r.Stopped
	case r.AllFailed():
		return "none of the requests was answered rightly"
	case r.erred():
		return share(r.Errors) + " of the requests failed"
	}
	return ""
}

// loadsShown is how many tests of a service are listed beside those of others.
const loadsShown = 10

func (c *console) load(r *http.Request, status control.Status) (page, error) {
	q := r.URL.Query()
	environment, service := q.Get("environment"), q.Get("service")
	p := loadPage{Several: len(status.Environments) > 1, Whole: service != "", Running: c.running(environment, service)}
	for _, s := range systemsOf(status.Environments) {
		for _, l := range s.Lanes {
			for _, of := range l.Services {
				if p.Example == "" || of.Kind == "model" && of.Ready > 0 {
					if p.Example = of.Name; p.Several {
						p.Example = l.Name + "/" + of.Name
					}
				}
				if environment != "" && environment != l.Name || service != "" && service != of.Name {
					continue
				}
				g, err := c.loadsOf(r.Context(), l.Name, of.Name, p.Whole)
				if err != nil {
					return page{}, err
				}
				if len(g.Runs) > 0 {
					p.Groups = append(p.Groups, g)
				}
			}
		}
	}
	return page{Name: "load", Title: "Load", Content: p}, nil
}

func (c *console) loadsOf(ctx context.Context, environment, service string, all bool) (loadGroup, error) {
	limit := loadsShown + 1
	if all {
		limit = 0
	}
	runs, err := c.Plane.Loads(ctx, environment, service, limit)
	if err != nil && greenlight.CodeOf(err) != greenlight.CodeNotFound { // it may have gone since the status
		return loadGroup{}, err
	}
	g := loadGroup{Environment: environment, Service: service}
	for i, run := range runs {
		if !all && i == loadsShown {
			g.More = true
			break
		}
		g.Runs = append(g.Runs, loadRow{run})
	}
	return g, nil
}

// loadRunPage is one load test with all that was measured.
type loadRunPage struct {
	loadRow
	Result *load.Result
	Before string // where it is compared with the one before; "" for the first
}

// Times are the distributions by name.
func (p loadRunPage) Times() []loadTimes {
	return []loadTimes{
		{"Response", "from when a request was due to its answer", p.Result.Response, p.Result.ResponseTimes.Count()},
		{"Service", "from when it was sent to its answer", p.Result.Service, p.Result.ServiceTimes.Count()},
		{"Lag", "what the generator added", p.Result.Lag, p.Result.Requests},
	}
}

type loadTimes struct {
	Name, Meaning string
	load.Summary
	Count int64
}

// Tail is its p99.9, as far as so few times tell.
func (t loadTimes) Tail() string { return known(t.P999, 0.999, t.Count) }

// FarTail is its p99.99 likewise.
func (t loadTimes) FarTail() string { return known(t.P9999, 0.9999, t.Count) }

func (c *console) loadRun(r *http.Request, _ control.Status) (page, error) {
	environment, service, id := r.PathValue("environment"), r.PathValue("service"), r.PathValue("id")
	row, result, err := c.readLoad(r.Context(), environment, service, id)
	if err != nil {
		return page{}, err
	}
	p := loadRunPage{loadRow: row, Result: result}
	runs, err := c.Plane.Loads(r.Context(), environment, service, 0)
	if err != nil {
		return page{}, err
	}
	for i := range runs {
		if runs[i].ID == id && i+1 < len(runs) {
			p.Before = loadPath(environment, service, "compare") + "?" + url.Values{"a": {runs[i+1].ID}, "b": {id}}.Encode()
		}
	}
	return page{Name: "loadrun", Title: "Load test of " + service, Environment: environment, Service: service, Content: p}, nil
}

func (c *console) readLoad(ctx context.Context, environment, service, id string) (loadRow, *load.Result, error) {
	detail, err := c.Plane.Load(ctx, environment, service, id)
	if err != nil {
		return loadRow{}, nil, err
	}
	result, err := load.ReadResult(bytes.NewReader(detail.Result))
	return loadRow{detail.LoadRun}, result, err
}
