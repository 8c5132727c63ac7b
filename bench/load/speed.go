package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/greenlight-dev/greenlight/bench/cores"
)

// goals are the least ratios of Greenlight's rate to each rival's.
var goals = map[string]float64{"wrk": 0.6, "vegeta": 1.5, "k6": 2}

// speed runs the generators in turns on one core, as fast as they go, and
// compares the medians of the rounds.
func speed(ctx context.Context, binary string, args []string) error {
	f := flag.NewFlagSet("speed", flag.ContinueOnError)
	rounds := f.Int("rounds", 5, "rounds of each generator")
	each := f.Duration("each", 3*time.Second, "length of a round")
	connections := f.Int("connections", 16, "kept alive")
	if err := f.Parse(args); err != nil {
		return err
	}
	core, _, err := cores.Split()
	if err != nil {
		return err
	}
	target, err := startQuickTarget()
	if err != nil {
		return err
	}
	defer target.stop()
	all := append([]rival{greenlight(binary)}, installed("wrk", "vegeta", "hey", "fortio", "k6")...)
	results := make([][]measured, len(all))
	for round := range *rounds + 1 {
		for i, r := range all {
			m, err := r.run(ctx, work{url: "http://" + target.address + "/", connections: *connections, length: *each, core: core})
			if err != nil {
				return err
			}
			if round > 0 { // the first warms up
				results[i] = append(results[i], m)
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "generator\trequests/s\tGreenlight to it\tgoal\tCPU a request\tGreenlight to it\t")
	own := medians(results[0])
	for i, r := range all {
		m := medians(results[i])
		goal := ""
		if g := goals[r.title()]; g > 0 {
			goal = fmt.Sprintf("%.1f", g)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%s\t%.1f µs\t%.2f\t\n", r.title(), m.rate, own.rate/m.rate, goal, m.perRequest(), m.perRequest()/own.perRequest())
	}
	return w.Flush()
}

// perRequest is processor time in microseconds.
func (m measured) perRequest() float64 { return m.cpu.Seconds() * 1e6 / m.answers }

func medians(all []measured) measured {
	mid := func(f func(measured) float64) float64 {
		v := make([]float64, len(all))
		for i := range all {
			v[i] = f(all[i])
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return measured{
		rate: mid(func(m measured) float64 { return m.rate }), answers: 1e6,
		p50: mid(func(m measured) float64 { return m.p50 }), p99: mid(func(m measured) float64 { return m.p99 }),
		cpu: time.Duration(mid(measured.perRequest) * 1e9),
	}
}

// pacing measures what the generator adds at 2,000 requests a second: its
// p50 against that of one client that sends one request after the other.
func pacing(ctx context.Context, binary string, args []string) error {
	f := flag.NewFlagSet("pacing", flag.ContinueOnError)
	rounds := f.Int("rounds", 5, "rounds")
	each := f.Duration("each", 3*time.Second, "length of a round")
	if err := f.Parse(args); err != nil {
		return err
	}
	target, err := startQuickTarget()
	if err != nil {
		return err
	}
	defer target.stop()
	g := greenlight(binary)
	url := "http://" + target.address + "/"
	var paced, alone []measured
	for range *rounds {
		m, err := g.run(ctx, work{url: url, rate: 2000, connections: 64, length: *each})
		if err != nil {
			return err
		}
		paced = append(paced, m)
		if m, err = g.run(ctx, work{url: url, connections: 1, length: *each}); err != nil {
			return err
		}
		alone = append(alone, m)
	}
	a, b := medians(paced), medians(alone)
	fmt.Printf("2,000/s: %.0f answers/s, p50 %.3f ms, p99 %.3f ms; one client: p50 %.3f ms; added at p50: %.3f ms (goal: under 0.35)\n",
		a.rate, 1e3*a.p50, 1e3*a.p99, 1e3*b.p50, 1e3*(a.p50-b.p50))
	return nil
}
