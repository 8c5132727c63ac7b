package console

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/greenlight-dev/greenlight/control"
)

// liveRow is a load test that runs, or ended a moment ago.
type liveRow struct{ control.LiveLoad }

// ServicePath is where its service has its own page.
func (r liveRow) ServicePath() string { return servicePath(r.Environment, r.Service) }

// Path is where it is followed.
func (r liveRow) Path() string {
	return "/load?" + url.Values{"environment": {r.Environment}, "service": {r.Service}}.Encode()
}

// KeptPath is where its result is, "" while there is none.
func (r liveRow) KeptPath() string {
	if r.Kept == "" {
		return ""
	}
	return loadPath(r.Environment, r.Service, r.Kept)
}

// Mark is what a page shows of it: when another one is due, it is another.
func (r liveRow) Mark() string { return r.ID + " " + string(r.State) }

// How is what it does to its service.
func (r liveRow) How() string {
	if r.Model == "closed" {
		return whole(float64(r.Clients)) + " clients"
	}
	return "open model"
}

// Tone is the colour of its state.
func (r liveRow) Tone() string {
	switch r.State {
	case control.LoadRunning:
		return "run"
	case control.LoadStopping:
		return "hold"
	}
	return ""
}

// Left is the time until its end, or, where nobody knows that, the time since
// it began.
func (r liveRow) Left() string {
	if r.Total > 0 {
		return stopwatch(max(0, r.Total-r.Elapsed))
	}
	return stopwatch(r.Elapsed)
}

// Course says how far it is.
func (r liveRow) Course() string {
	if r.Total > 0 {
		return stopwatch(r.Elapsed) + " of " + stopwatch(r.Total)
	}
	return ""
}

// Done is how far it is as a share, 0 to 1.
func (r liveRow) Done() string { return fmt.Sprintf("%.3f", min(r.Elapsed/r.Total, 1)) }

// Told tells whether something was measured yet.
func (r liveRow) Told() bool { return r.Last.At > 0 }

// ValueOf is the value of a threshold as it stands.
func (r liveRow) ValueOf(t control.LoadThreshold) string {
	switch {
	case strings.HasPrefix(t.Threshold, "errors"):
		return share(t.Value)
	case strings.HasPrefix(t.Threshold, "rate"):
		return rate(t.Value) + "/s"
	}
	return seconds(t.Value)
}

// Ending says what became of it.
func (r liveRow) Ending() string {
	switch {
	case r.State != control.LoadEnded:
		return ""
	case r.Stopped != "":
		return r.Stopped
	case r.Kept == "":
		return "its result is with the one who ran it"
	}
	return ""
}

// running are the load tests that run in an environment and a service; "" is
// any.
func (c *console) running(environment, service string) []liveRow {
	var rows []liveRow
	for _, t := range c.Plane.RunningLoads() {
		if (environment == "" || environment == t.Environment) && (service == "" || service == t.Service) {
			rows = append(rows, liveRow{t})
		}
	}
	return rows
}

// runs is the load test that a service has to bear now, nil for none.
func (c *console) runs(environment, service string) *liveRow {
	for _, r := range c.running(environment, service) {
		if r.State != control.LoadEnded {
			return &r
		}
	}
	return nil
}
