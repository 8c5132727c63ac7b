package cli

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
)

var healthColours = map[control.Health]colour{
	control.Good: green, control.Changing: blue, control.Asleep: dim, control.Degraded: yellow, control.Down: red,
}

// statusView writes a status for a person.
type statusView struct {
	palette     palette
	now         time.Time
	environment string // only this one; "" is all
}

func (v *statusView) text(s control.Status) string {
	var b strings.Builder
	shown := 0
	for i := range s.Environments {
		e := &s.Environments[i]
		if v.environment != "" && e.Name != v.environment {
			continue
		}
		if shown > 0 {
			b.WriteByte('\n')
		}
		v.head(&b, e)
		v.services(&b, e)
		shown++
	}
	if shown > 0 {
		b.WriteByte('\n')
	} else {
		b.WriteString("nothing is described yet; greenlight up applies a greenlight.yaml\n\n")
	}
	v.process(&b, "gateway", s.Gateway)
	v.process(&b, "console", s.Control)
	return b.String()
}

// head is an environment in one line, with a second one for what goes on.
func (v *statusView) head(b *strings.Builder, e *control.Environment) {
	fmt.Fprintf(b, "%s  %s  %s", v.palette.paint(bold, e.Name), v.palette.paint(healthColours[e.Health], string(e.Health)),
		v.palette.paint(dim, fmt.Sprintf("%s, revision %d by %s %s", e.System, e.Revision, e.AppliedBy, v.ago(e.AppliedAt))))
	b.WriteByte('\n')
	if e.Note != "" && e.Health != control.Good && !saidBelow(e) {
		fmt.Fprintf(b, "  %s\n", oneLine(e.Note))
	}
}

// saidBelow tells whether an environment's note only repeats a service's.
func saidBelow(e *control.Environment) bool {
	return slices.ContainsFunc(e.Services, func(s control.Service) bool {
		return s.Note != "" && s.Health != control.Good && strings.Contains(e.Note, s.Note)
	})
}

func (v *statusView) services(b *strings.Builder, e *control.Environment) {
	if len(e.Services) == 0 {
		return
	}
	var t table
	t.add(cell{"SERVICE", dim, false}, cell{"RELEASE", dim, false}, cell{"REPLICAS", dim, true}, cell{"RATE", dim, true},
		cell{"ERRORS", dim, true}, cell{"P50", dim, true}, cell{"P99", dim, true}, cell{"URL", dim, false})
	for i := range e.Services {
		v.service(&t, &e.Services[i])
	}
	t.write(b, v.palette)
}

// service is a service's row, with notes below it when it is not good.
func (v *statusView) service(t *table, s *control.Service) {
	tone := healthColours[s.Health]
	if s.Health == control.Good {
		tone = plain
	}
	url := ""
	if len(s.URLs) > 0 {
		url = s.URLs[0]
	}
	errorTone := plain
	if s.Traffic.Errors > 0 {
		errorTone = red
	}
	idle := s.Traffic.Rate == 0
	t.add(cell{s.Name, tone, false}, cell{s.Release, dim, false}, cell{fmt.Sprintf("%d/%d", s.Ready, s.Desired), tone, true},
		cell{requestRate(s.Traffic.Rate), plain, true}, cell{share(s.Traffic.Errors, idle), errorTone, true},
		cell{latency(s.Traffic.P50, idle), plain, true}, cell{latency(s.Traffic.P99, idle), plain, true}, cell{url, plain, false})
	if s.Note != "" && s.Health != control.Good {
		t.add(cell{"  " + oneLine(s.Note), tone, false})
	}
	for _, a := range s.Alerts {
		t.add(cell{"  " + oneLine(a.Text), yellow, false})
	}
	if s.Scaling.Manual {
		t.add(cell{"  scaled by hand; greenlight scale " + s.Name + " --auto goes back to the description", dim, false})
	}
	for _, r := range s.Replicas {
		if r.Reason != "" && strings.Contains(s.Note, r.Reason) {
			r.Reason = "" // it was said
		}
		if line := replicaTrouble(r); line != "" {
			t.add(cell{"  " + oneLine(line), tone, false})
		}
	}
}

// replicaTrouble is one line on a replica that is not as it should be.
func replicaTrouble(r control.Replica) string {
	switch r.State {
	case greenlight.ReplicaReady, greenlight.ReplicaStarting, greenlight.ReplicaStopping:
		return ""
	}
	line := fmt.Sprintf("%s %s", r.ID, r.State)
	if r.Restarts > 0 {
		line += ", " + counted(r.Restarts, "restart")
	}
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	return line
}

// process is one of Greenlight's own processes, by what it is for.
func (v *statusView) process(b *strings.Builder, what string, p control.Process) {
	switch {
	case p.PID == 0:
		fmt.Fprintf(b, "%s  %s\n", what, v.palette.paint(red, "does not run"))
	case p.Address == "":
		fmt.Fprintf(b, "%s  %s\n", what, v.palette.paint(dim, fmt.Sprintf("no address (pid %d)", p.PID)))
	default:
		fmt.Fprintf(b, "%s  %s %s\n", what, httpURL(p.Address), v.palette.paint(dim, fmt.Sprintf("(pid %d)", p.PID)))
	}
	if p.Note != "" {
		fmt.Fprintf(b, "  %s\n", v.palette.paint(yellow, oneLine(p.Note)))
	}
}

// ago is how long ago t was, in words.
func (v *statusView) ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return roughly(v.now.Sub(t)) + " ago"
}

// roughly is a time span in its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func requestRate(v float64) string {
	if v > 0 && v < 10 {
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	}
	return rateText(v) + "/s"
}

// share is a part of one as a percentage; what did happen is never 0 %.
func share(v float64, none bool) string {
	switch {
	case none:
		return "–"
	case v == 0:
		return "0 %"
	case v < 0.001:
		return "<0.1 %"
	case v < 0.1:
		return fmt.Sprintf("%.1f %%", 100*v)
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}

// latency is a time in seconds with three digits that count.
func latency(seconds float64, none bool) string {
	switch {
	case none || seconds <= 0 || math.IsNaN(seconds):
		return "–"
	case seconds < observe.Finest:
		return "<50 µs" // more the gateway does not tell
	case seconds < 1e-3:
		return fmt.Sprintf("%.0f µs", seconds*1e6)
	case seconds < 10e-3:
		return fmt.Sprintf("%.1f ms", seconds*1e3)
	case seconds < 1:
		return fmt.Sprintf("%.0f ms", seconds*1e3)
	}
	return fmt.Sprintf("%.1f s", seconds)
}

// httpURL is where a browser finds what listens on address.
func httpURL(address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	if host, port, err := net.SplitHostPort(address); err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			address = net.JoinHostPort("localhost", port) // of all addresses, one that works here
		}
	}
	return "http://" + address
}
