package load

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// KneeSummary is a search for a knee without the results of its rungs.
type KneeSummary struct {
	Rate       float64       `json:"rate"` // the highest that met the SLO, 0 when none did
	Next       float64       `json:"next"` // the lowest that did not, 0 when all did
	Void       string        `json:"void_reason,omitempty"`
	Bottleneck *Bottleneck   `json:"bottleneck,omitempty"`
	Collapse   *Collapse     `json:"collapse,omitempty"`
	Recovery   *Recovery     `json:"recovery,omitempty"`
	Rungs      []RungSummary `json:"rungs"`
}

// RungSummary is one rate that was tried, in short. Times are in seconds.
type RungSummary struct {
	Rate     float64 `json:"rate"`
	Met      bool    `json:"met"`
	Why      string  `json:"why,omitempty"`
	Goodput  float64 `json:"goodput"`
	Errors   float64 `json:"errors"` // share
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	InFlight float64 `json:"in_flight"`
	CPU      float64 `json:"cpu,omitempty"` // cores that all replicas used, where known
}

// Summary leaves the rungs' results out.
func (k *Knee) Summary() *KneeSummary {
	s := &KneeSummary{Rate: k.Rate, Next: k.Next, Void: k.Void, Bottleneck: k.Bottleneck, Collapse: k.Collapse, Recovery: k.Recovery, Rungs: []RungSummary{}}
	for i := range k.Rungs {
		r := k.Rungs[i].Result
		rung := RungSummary{Rate: k.Rungs[i].Rate, Met: k.Rungs[i].Met, Why: k.Rungs[i].Why, Goodput: r.Goodput, Errors: r.ErrorShare(),
			P50: r.Response.P50, P99: r.Response.P99, InFlight: r.InFlight}
		if r.Server != nil {
			rung.CPU = r.Server.CPU.Mean
		}
		s.Rungs = append(s.Rungs, rung)
	}
	return s
}

// Result is the one to keep of a search: of the highest rate that met the
// SLO, else of the lowest one that was measured, with what the search found and
// its gate. It is nil when no rate was measured.
func (k *Knee) Result(atLeast float64) *Result {
	at, _, first := k.evidence()
	chosen := cmp.Or(at, first)
	if chosen == nil || chosen.Result.ResponseTimes == nil {
		return nil
	}
	r := *chosen.Result
	r.Knee = k.Summary()
	if gate := k.Gate(atLeast); gate != nil {
		r.Verdicts = append(r.Verdicts[:len(r.Verdicts):len(r.Verdicts)], *gate)
	}
	return &r
}

// Gate holds the knee against the rate that it must reach, in requests a
// second; nil without one. A target that does not recover has not reached it,
// whatever it did before.
func (k *Knee) Gate(atLeast float64) *Verdict {
	if atLeast <= 0 {
		return nil
	}
	locked := k.Recovery != nil && !k.Recovery.Recovered
	return &Verdict{Threshold: fmt.Sprintf("knee>=%.4g/s", atLeast), Value: k.Rate, OK: k.Rate >= atLeast && !locked}
}

// Undecided tells whether a search that became void could not hold the knee
// against the rate that it must reach.
func (k *KneeSummary) Undecided(atLeast float64) bool {
	return k.Void != "" && (atLeast <= 0 || k.Rate < atLeast)
}

// String is what was found, in a line.
func (k *KneeSummary) String() string {
	switch {
	case k.Rate == 0 && k.Next == 0:
		return "no rate was tried to the end"
	case k.Rate == 0:
		return fmt.Sprintf("even %s misses the SLO", PerSecond(k.Next))
	case k.Next == 0 && k.Void != "":
		return fmt.Sprintf("at least %s meets the SLO; higher rates could not be measured", PerSecond(k.Rate))
	case k.Next == 0:
		return fmt.Sprintf("at least %s: the highest rate that was tried meets the SLO", PerSecond(k.Rate))
	}
	return fmt.Sprintf("%s meets the SLO, %s does not", PerSecond(k.Rate), PerSecond(k.Next))
}

// WriteText prints what was found, for a person.
func (k *KneeSummary) WriteText(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, k)
	if k.Bottleneck != nil {
		fmt.Fprintf(&b, "bottleneck: %s\n", k.Bottleneck.Says)
		for _, line := range k.Bottleneck.Evidence {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if k.Collapse != nil {
		fmt.Fprintf(&b, "breaks down: %s\n", k.Collapse)
	}
	if k.Recovery != nil {
		if !k.Recovery.Recovered {
			fmt.Fprint(&b, "locks up: ")
		}
		fmt.Fprintln(&b, k.Recovery)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
