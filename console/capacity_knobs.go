package console

import (
	"fmt"
	"math"
	"net/url"
	"strconv"

	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
)

// knob is something of a plan that can be turned: a number in the unit that a
// person thinks in, and a slider over the values that are likely.
type knob struct {
	Name, Label, Unit string
	Value             string // as asked for, else as planned
	Plan              string // as planned
	Least, Most, Step string // of the slider
	Title             string // what it means
}

// Changed tells whether it is not as planned.
func (k knob) Changed() bool { return k.Value != k.Plan }

// dial is a knob before anybody turned it.
type dial struct {
	name, label, unit, title string
	plan                     float64 // in the unit
	least, most, step        float64
	set                      func(v float64) // in the unit
}

// Units that a person thinks in, as parts of those of a plan.
const (
	percents     = 100
	milliseconds = 1000
)

func pointer[T any](v T) *T { return &v }

// dials are what can be turned of a plan; they turn change.
func dials(p *capacityplan.Plan, change *capacityplan.Change) []dial {
	share := func(to **float64) func(float64) { return func(v float64) { *to = pointer(v / percents) } }
	now, p99 := p.Traffic.Now(), p.SLO.P99*milliseconds
	growth, about := p.Traffic.Growth()*percents, "of the stated rate"
	if p.Traffic.Measured {
		about = "on top of the forecast"
	}
	return []dial{
		{"rate", "Rate now", "/s", "on average; the forecast follows", now, 0, max(nice(4*now), 1), nice(now / 50),
			func(v float64) { change.Rate = &v }},
		{"growth", "Growth a month", "%", about, growth, min(-10, 2*growth), max(30, 2*growth), 0.5, share(&change.Growth)},
		{"p99", "p99 promised", "ms", "for 99 % of the requests", p99, nice(p99 / 20), nice(4 * p99), nice(p99 / 20),
			func(v float64) { change.P99 = pointer(v / milliseconds) }},
		{"headroom", "Headroom", "%", "beyond the forecast", p.Policy.Headroom * percents, 0, max(200, p.Policy.Headroom*percents), 5, share(&change.Headroom)},
		{"cache", "Answered by the cache", "%", "of the requests", p.Policy.CacheHitRate * percents, 0, 99, 1, share(&change.CacheHitRate)},
		{"zones", "Zones", "", "that replicas are spread over", float64(p.Policy.Zones), 1, max(6, float64(p.Policy.Zones)), 1,
			func(v float64) { change.Zones = pointer(int(v)) }},
	}
}

// nice is the next of 1, 2, 5, 10… that is at least v.
func nice(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= v*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// figureOf is a number as a field has it: four digits that count.
func figureOf(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return "0"
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// readKnobs are the knobs as they are asked for, and what that changes; wrong
// says which cannot be read.
func readKnobs(p *capacityplan.Plan, asked url.Values, change *capacityplan.Change) (list []knob, l losses, wrong string) {
	for _, d := range dials(p, change) {
		k := knob{Name: d.name, Label: d.label, Unit: d.unit, Title: d.title, Plan: figureOf(d.plan),
			Least: figureOf(d.least), Most: figureOf(d.most), Step: figureOf(d.step)}
		k.Value = k.Plan
		if text := asked.Get(d.name); text != "" && text != k.Plan {
			v, err := strconv.ParseFloat(text, 64)
			switch {
			case err != nil || math.IsNaN(v) || math.IsInf(v, 0) || d.name == "zones" && v != math.Trunc(min(v, 1000)):
				wrong = fmt.Sprintf("%s: %q is not a number that it can be", d.label, clipped(text))
			case figureOf(v) != k.Plan:
				k.Value = figureOf(v)
				d.set(v)
			}
		}
		list = append(list, k)
	}
	l, ok := readLosses(p, asked, change)
	if !ok {
		wrong = fmt.Sprintf("Bears the loss of: %q is none of the choices", clipped(asked.Get("losses")))
	}
	return list, l, wrong
}

// clipped is what of a text fits into a sentence.
func clipped(s string) string {
	const most = 30
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// losses is what a plan survives: a word of lossChoices. Note says what of it
// cannot be.
type losses struct{ Value, Plan, Note string }

// Choices are all that can be chosen, in order.
func (l losses) Choices() []lossChoice { return lossChoices }

// Changed tells whether it is not as planned.
func (l losses) Changed() bool { return l.Value != l.Plan }

// lossChoice is one way to be careful.
type lossChoice struct {
	Value, Label  string
	replica, zone bool
}

var lossChoices = []lossChoice{
	{"none", "nothing", false, false}, {"replica", "one replica", true, false}, {"zone", "one zone", false, true}, {"both", "a replica or a zone", true, true},
}

func readLosses(p *capacityplan.Plan, asked url.Values, change *capacityplan.Change) (l losses, ok bool) {
	for _, c := range lossChoices {
		if c.replica == p.Policy.SurviveReplica && c.zone == p.Policy.SurviveZone {
			l = losses{Value: c.Value, Plan: c.Value}
		}
	}
	text := asked.Get("losses")
	if text == "" || text == l.Plan {
		return l, true
	}
	for _, c := range lossChoices {
		if c.Value == text {
			l.Value, change.SurviveReplica, change.SurviveZone = text, pointer(c.replica), pointer(c.zone)
			return l, true
		}
	}
	return l, false
}
