// Package price says what machines cost: it reads a dated list of instance
// types and finds the cheapest that hold so many replicas.
package price

import (
	_ "embed"
	"math"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// HoursInMonth is what the providers count a month as.
const HoursInMonth = 730

// List is what machines cost at a date.
type List struct {
	AsOf      time.Time  `json:"as_of"`
	Providers []Provider `json:"providers"`
}

// Provider is what one provider asks for its machines in one region.
type Provider struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	Source string `json:"source"` // where it publishes its prices
	Types  []Type `json:"types"`
}

// Type is a kind of machine.
type Type struct {
	Name      string  `json:"name"`
	VCPU      float64 `json:"vcpu"`
	MemoryGiB float64 `json:"memory_gib"`
	HourlyUSD float64 `json:"hourly_usd"`
}

//go:embed prices.yaml
var embedded []byte

// Default is the list that comes with Greenlight. Its date and how far to
// trust it stand in the file, prices.yaml.
func Default() *List {
	l, err := Parse(embedded)
	if err != nil {
		panic("the embedded price list: " + err.Error()) // a test reads it
	}
	return l
}

// Need is what has to run.
type Need struct {
	CPU      float64 // cores for each replica; 0: not known, no bound
	Memory   int64   // bytes for each replica; 0: not known, no bound
	Replicas int
	// LeastMachines is on how many the replicas must be spread, so that the
	// loss of one is borne.
	LeastMachines int
	// MostPerMachine is how many replicas may be lost with one machine; 0 is
	// no bound.
	MostPerMachine int
	// Reserve is the share of a machine that is kept for its own system, 0 to
	// below 1.
	Reserve float64
}

// Choice is machines that hold what is needed.
type Choice struct {
	Type       Type
	PerMachine int // replicas that one may hold
	Machines   int
	MonthlyUSD float64
}

// Cheapest is the choice of the provider's types that costs least; of equal
// ones that with the fewest machines. A provider without a type that holds
// even one replica is CodeUnsupported.
func (p Provider) Cheapest(n Need) (Choice, error) {
	if err := n.check(); err != nil {
		return Choice{}, err
	}
	var best Choice
	for _, t := range p.Types {
		per := t.holds(n)
		if per == 0 {
			continue
		}
		c := Choice{Type: t, PerMachine: per, Machines: (n.Replicas + per - 1) / per}
		if n.Replicas > 0 {
			c.Machines = max(c.Machines, min(n.LeastMachines, n.Replicas))
		}
		c.MonthlyUSD = float64(c.Machines) * t.HourlyUSD * HoursInMonth
		if best.PerMachine == 0 || c.MonthlyUSD < best.MonthlyUSD || c.MonthlyUSD == best.MonthlyUSD && c.Machines < best.Machines {
			best = c
		}
	}
	if best.PerMachine == 0 {
		return best, greenlight.Errorf(greenlight.CodeUnsupported, "%s %s: no listed machine holds a replica of %.3g cores and %.3g GiB beside its own system", p.Name, p.Region, n.CPU, float64(n.Memory)/gib)
	}
	return best, nil
}

const gib = 1 << 30

func (n Need) check() error {
	switch {
	case n.CPU == 0 && n.Memory == 0:
		return greenlight.Errorf(greenlight.CodeInvalid, "neither the cores nor the memory of a replica are known, so no machine can be chosen; state resources")
	case !(n.CPU >= 0 && n.CPU < 1e6), n.Memory < 0, n.Replicas < 0, n.LeastMachines < 0, n.MostPerMachine < 0, !(n.Reserve >= 0 && n.Reserve < 1):
		return greenlight.Errorf(greenlight.CodeInvalid, "%d replicas of %v cores and %d bytes on %d or more machines, %d or fewer on one, with %v kept free: a figure is outside what is possible", n.Replicas, n.CPU, n.Memory, n.LeastMachines, n.MostPerMachine, n.Reserve)
	}
	return nil
}

// holds is how many replicas the machine has room for.
func (t Type) holds(n Need) int {
	const most = 1_000_000
	room := float64(most)
	if n.CPU > 0 {
		room = min(room, t.VCPU*(1-n.Reserve)/n.CPU)
	}
	if n.Memory > 0 {
		room = min(room, t.MemoryGiB*gib*(1-n.Reserve)/float64(n.Memory))
	}
	per := int(math.Floor(room + 1e-9)) // 1.8 cores hold six times 0.3
	if n.MostPerMachine > 0 {
		per = min(per, n.MostPerMachine)
	}
	return per
}

// PerMillion is what a million requests cost at a monthly price and a mean
// rate, in requests a second; +Inf without requests.
func PerMillion(monthlyUSD, rate float64) float64 {
	if rate <= 0 {
		return math.Inf(1)
	}
	return monthlyUSD / (rate * HoursInMonth * 3600 / 1e6)
}
