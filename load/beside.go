package load

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Unit is what a figure counts.
type Unit string

// The units of figures.
const (
	UnitRate     Unit = "per_second"
	UnitShare    Unit = "share"
	UnitSeconds  Unit = "seconds"
	UnitCores    Unit = "cores"
	UnitBytes    Unit = "bytes"
	UnitReplicas Unit = "replicas"
)

// Difference is one figure of two results that were measured apart.
type Difference struct {
	Metric string  `json:"metric"`
	Unit   Unit    `json:"unit"`
	A      float64 `json:"a"`
	B      float64 `json:"b"`
	// Change is B against A, 0.05 is 5 % more; nil where A is 0 and B is not.
	Change *float64 `json:"change,omitempty"`
	// CI95 is that of Change, of sampling alone; nil where none is known.
	CI95 *[2]float64 `json:"ci95,omitempty"`
}

// StoredComparison is two results that were measured apart, side by side.
type StoredComparison struct {
	Rows   []Difference `json:"rows"`
	Doubts []string     `json:"doubts"` // why these two say even less
	Limits string       `json:"limits"` // what no such two can tell
}

// Beside sets two results side by side. Where the same figure is missing in
// one of them, it is left out.
func Beside(a, b *Result) (*StoredComparison, error) {
	c := &StoredComparison{Limits: StoredLimits, Doubts: doubts(a, b)}
	c.add("achieved", UnitRate, a.Rate, b.Rate)
	c.add("errors", UnitShare, a.ErrorShare(), b.ErrorShare())
	if a.ResponseTimes.Count() > 0 && b.ResponseTimes.Count() > 0 {
		rows, err := CompareStored(a, b)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			c.add(rows[i].Metric, UnitSeconds, rows[i].A, rows[i].B)
			c.Rows[len(c.Rows)-1].CI95 = &rows[i].CI95
		}
	}
	c.add("p99.9", UnitSeconds, a.Response.P999, b.Response.P999)
	c.add("max", UnitSeconds, a.Response.Max, b.Response.Max)
	if a.Server != nil && b.Server != nil {
		c.add("CPU of the replicas, mean", UnitCores, a.Server.CPU.Mean, b.Server.CPU.Mean)
		c.add("memory, most", UnitBytes, float64(a.Server.Memory), float64(b.Server.Memory))
		c.add("replicas ready, mean", UnitReplicas, a.Server.Ready.Mean, b.Server.Ready.Mean)
	}
	if a.Knee != nil && b.Knee != nil {
		c.add("knee", UnitRate, a.Knee.Rate, b.Knee.Rate)
	}
	return c, nil
}

func (c *StoredComparison) add(metric string, unit Unit, a, b float64) {
	d := Difference{Metric: metric, Unit: unit, A: a, B: b}
	switch {
	case a == b:
		d.Change = new(float64)
	case a != 0:
		change := b/a - 1
		d.Change = &change
	}
	c.Rows = append(c.Rows, d)
}

// longApart is when two tests are far enough apart for a machine to be another
// one in all but name.
const longApart = 24 * time.Hour

// doubts are why two results say less of their target than two others would.
func doubts(a, b *Result) []string {
	said := []string{}
	doubt := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	for _, r := range []struct {
		name string
		of   *Result
	}{{"A", a}, {"B", b}} {
		if r.of.Void {
			doubt("%s is void, so its figures do not describe the service: %s", r.name, r.of.VoidReason)
		}
		if r.of.Stopped != "" {
			doubt("%s ended early: %s", r.name, r.of.Stopped)
		}
	}
	if !sameLoad(a, b) {
		doubt("They were not asked for the same load: A %s, B %s.", a.given(), b.given())
	}
	if !slices.Equal(a.names(), b.names()) {
		doubt("They did not send the same requests.")
	}
	if a.Target != b.Target {
		doubt("They went to different addresses: A %s, B %s.", a.Target, b.Target)
	}
	if a.Protocol != b.Protocol {
		doubt("They spoke different protocols: A %s, B %s.", a.Protocol, b.Protocol)
	}
	if a.Cores != b.Cores {
		doubt("Their generators had different machines: A %s, B %s.", counted(int64(a.Cores), "core"), counted(int64(b.Cores), "core"))
	}
	if apart := b.StartedAt.Sub(a.StartedAt).Abs(); !a.StartedAt.IsZero() && !b.StartedAt.IsZero() && apart >= longApart {
		doubt("They were run %s apart.", counted(int64(math.Round(apart.Hours()/24)), "day"))
	}
	return said
}

// sameLoad tells whether two tests asked for the same, so that their figures
// can be held against each other.
func sameLoad(a, b *Result) bool {
	near := math.Abs(a.Planned-b.Planned) <= 0.01*max(a.Planned, b.Planned)
	return a.Model == b.Model && a.Clients == b.Clients && near
}

// given is how much load there was to be.
func (r *Result) given() string {
	if r.Model == "closed" {
		return counted(int64(r.Clients), "client")
	}
	return PerSecond(r.Planned)
}

// names are what the mix called its requests.
func (r *Result) names() []string {
	var all []string
	for i := range r.Routes {
		all = append(all, r.Routes[i].Name)
	}
	slices.SortFunc(all, cmp.Compare[string])
	return slices.Compact(all)
}
