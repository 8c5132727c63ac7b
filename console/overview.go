package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
)

// frame is what stands around every page.
type frame struct {
	System   string
	Health   control.Health
	Services []target // what the jump box finds
}

// target is a page that a person can jump to.
type target struct{ Name, Note, Href string }

func frameOf(s control.Status) frame {
	f := frame{System: "Greenlight", Health: worst(s.Environments)}
	if systems := systemsOf(s.Environments); len(systems) == 1 {
		f.System = systems[0].Name
	} else if len(systems) > 1 {
		f.System = fmt.Sprintf("%d systems", len(systems))
	}
	for _, e := range s.Environments {
		for _, service := range e.Services {
			f.Services = append(f.Services, target{service.Name, e.Name, servicePath(e.Name, service.Name)})
		}
	}
	return f
}

// gravity orders healths, the worst last.
var gravity = []control.Health{control.Asleep, control.Good, control.Changing, control.Degraded, control.Down}

// worst is the health of a whole: "" when there is nothing.
func worst(environments []control.Environment) control.Health {
	var h control.Health
	for _, e := range environments {
		if slices.Index(gravity, e.Health) > slices.Index(gravity, h) {
			h = e.Health
		}
	}
	return h
}

func servicePath(environment, service string) string {
	return "/environments/" + url.PathEscape(environment) + "/services/" + url.PathEscape(service)
}

// overview is everything at a glance.
type overview struct {
	Systems []system
	Chosen  control.Environment // whose services are listed
	Rows    []serviceRow
	Several bool // whether it is one of several
	Events  []eventRow
	Control control.Process
	Gateway control.Process
}

// Whole is the name that stopping all of it asks for.
func (o overview) Whole() string {
	if len(o.Systems) == 1 {
		return o.Systems[0].Name
	}
	return "everything"
}

// system is one system with its environments in the order releases take.
type system struct {
	Name  string
	Lanes []lane
}

// lane is one environment; Signal stands between it and the next.
type lane struct {
	control.Environment
	Total  observe.Sample
	Chosen bool
	Signal *signal
}

// signal compares an environment with the next one.
type signal struct {
	ID, Tone, Text string
	Left, Right    string
	Services       []comparison
}

// comparison is one service in two environments; "" where it is not.
type comparison struct{ Name, Left, Right string }

// Same tells whether both environments want the same release.
func (c comparison) Same() bool { return c.Left == c.Right }

// serviceRow is one line of the overview's table.
type serviceRow struct {
	control.Service
	Environment string
	Spark       spark
	Load        *liveRow // a test that it has to bear now
}

// Path is where the service's own page is.
func (r serviceRow) Path() string { return servicePath(r.Environment, r.Name) }

// spark is a small chart: Points for its line, Values for the page that goes
// on with it.
type spark struct{ Points, Values string }

func sparkOf(samples []observe.Sample) spark {
	rates := make([]float64, len(samples))
	text := make([]string, len(samples))
	for i, s := range samples {
		rates[i], text[i] = s.Rate, fmt.Sprintf("%.3g", s.Rate)
	}
	return spark{Points: sparkline(rates), Values: strings.Join(text, " ")}
}

func overviewOf(s control.Status, chosen string) overview {
	o := overview{Systems: systemsOf(s.Environments), Control: s.Control, Gateway: s.Gateway}
	o.Several = len(s.Environments) > 1
	var last *lane
	for i := range o.Systems {
		for j := range o.Systems[i].Lanes {
			if l := &o.Systems[i].Lanes[j]; last == nil || last.Name != chosen {
				last = l
			}
		}
	}
	if last == nil {
		return o
	}
	last.Chosen = true
	o.Chosen = last.Environment
	for _, service := range last.Services {
		o.Rows = append(o.Rows, serviceRow{Service: service, Environment: last.Name})
	}
	slices.SortFunc(o.Rows, func(a, b serviceRow) int { return strings.Compare(a.Name, b.Name) })
	return o
}

// systemsOf groups environments by the system they belong to. Within one,
// they stand in the order that releases usually take.
func systemsOf(environments []control.Environment) []system {
	var systems []system
	for _, e := range environments {
		i := slices.IndexFunc(systems, func(s system) bool { return s.Name == e.System })
		if i < 0 {
			i, systems = len(systems), append(systems, system{Name: e.System})
		}
		systems[i].Lanes = append(systems[i].Lanes, lane{Environment: e, Total: total(e.Services)})
	}
	for _, s := range systems {
		slices.SortStableFunc(s.Lanes, func(a, b lane) int { return stage(a.Name) - stage(b.Name) })
		for i := range s.Lanes[1:] {
			s.Lanes[i].Signal = signalBetween(s.Lanes[i].Environment, s.Lanes[i+1].Environment)
		}
	}
	return systems
}

// stage is how near to production an environment is by its name.
func stage(name string) int {
	for i, prefix := range []string{"dev", "test", "stag", "pre", "prod"} {
		if strings.HasPrefix(name, prefix) {
			return i
		}
	}
	return 2
}

// total is an environment's traffic: rates and requests under way are sums,
// errors their share of all, p99 that of the slowest service.
func total(services []control.Service) observe.Sample {
	var t observe.Sample
	for _, s := range services {
		t.Rate += s.Traffic.Rate
		t.Errors += s.Traffic.Errors * s.Traffic.Rate
		t.InFlight += s.Traffic.InFlight
		t.P99 = max(t.P99, s.Traffic.P99)
	}
	if t.Rate > 0 {
		t.Errors /= t.Rate
	}
	return t
}

func signalBetween(left, right control.Environment) *signal {
	s := &signal{ID: "compare-" + left.Name + "-" + right.Name, Left: left.Name, Right: right.Name}
	releases := map[string]*comparison{}
	for _, service := range left.Services {
		releases[service.Name] = &comparison{Name: service.Name, Left: service.Release}
	}
	for _, service := range right.Services {
		if releases[service.Name] == nil {
			releases[service.Name] = &comparison{Name: service.Name}
		}
		releases[service.Name].Right = service.Release
	}
	same := 0
	for _, c := range releases {
		s.Services = append(s.Services, *c)
		if c.Same() {
			same++
		}
	}
	slices.SortFunc(s.Services, func(a, b comparison) int { return strings.Compare(a.Name, b.Name) })
	s.Tone, s.Text = verdict(same, len(s.Services))
	return s
}

// verdict says what a signal shows: there are no gates yet, so it only tells
// whether both sides run the same.
func verdict(same, all int) (tone, text string) {
	switch {
	case all == 0:
		return "", "no services"
	case same == all:
		return "go", "same releases"
	}
	return "hold", fmt.Sprintf("%d of %d differ", all-same, all)
}
