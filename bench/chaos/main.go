// Command chaos kills and replaces the parts of a running system, again and
// again, while clients send requests, and counts what they notice.
//
//	chaos GREENLIGHT [-n 20] [-rate 500] [-only ROW,ROW]
//
// GREENLIGHT is the built program. Half of the clients keep their connection,
// half open one for each request; nothing is ever sent twice by them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// scenario is one thing that happens to a system under load.
type scenario struct {
	name string
	goal string
	run  func(s *system, ctx context.Context, l *load, n int) error
	// judge says what was lost that must not be lost; "" for nothing.
	judge func(t tally) string
}

var scenarios = []scenario{
	{"release", "0 failed", (*system).release, nothingFails},
	{"control plane killed", "0 failed, replicas adopted", (*system).killControl, nothingFails},
	{"replica killed", "0 failed but POST in flight on it", (*system).killReplica, onlyInFlight},
	{"gateway killed", "back within 1 s", (*system).killGateway, backWithin(time.Second)},
	{"gateway upgraded", "0 failed", (*system).upgradeGateway, nothingFails},
}

func nothingFails(t tally) string {
	if n := len(t.failures); n > 0 {
		return fmt.Sprintf("%d failed, the first: %v", n, t.failures[0])
	}
	return ""
}

// onlyInFlight allows failures of requests that may not be sent twice and
// that were sent before the replica's process was gone.
func onlyInFlight(t tally) string {
	for _, f := range t.failures {
		if f.method == "GET" || !t.during(f.sent) {
			return f.String()
		}
	}
	return ""
}

// backWithin allows failures while nobody listens, and bounds that time.
func backWithin(most time.Duration) func(tally) string {
	return func(t tally) string {
		for _, f := range t.failures {
			if !t.during(f.sent) {
				return f.String()
			}
		}
		for _, d := range t.disturbances {
			if d.took() > most {
				return fmt.Sprintf("once it took %s", d.took().Round(time.Millisecond))
			}
		}
		return ""
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench/chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) < 1 {
		return errors.New("usage: chaos GREENLIGHT [-n 20] [-rate 500] [-only ROW,ROW]")
	}
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	times := f.Int("n", 20, "how often each thing happens")
	rate := f.Float64("rate", 500, "requests a second")
	only := f.String("only", "", "rows to run, by name, with commas between")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	s, err := startSystem(ctx, args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.End()) }()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what happens\ttimes\trequests\tfailed\tof these in flight\tlongest\tgoal\tmet")
	missed := 0
	for _, sc := range scenarios {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), sc.name) {
			continue
		}
		t, err := s.under(ctx, *rate, *times, sc)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		met := "yes"
		if why := sc.judge(t); why != "" {
			met = "NO: " + why
			missed++
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", sc.name, *times, t.requests, len(t.failures), t.inFlight(),
			t.longest().Round(time.Millisecond), sc.goal, met)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if missed > 0 {
		return fmt.Errorf("%d goals missed", missed)
	}
	return nil
}

// under runs a scenario n times under load; the system must be as it should
// be after each time.
func (s *system) under(ctx context.Context, rate float64, n int, sc scenario) (tally, error) {
	if err := s.converge(ctx); err != nil {
		return tally{}, err
	}
	l, err := startLoad(ctx, s.gateway, rate)
	if err != nil {
		return tally{}, err
	}
	defer l.end()
	for i := range n {
		pause(ctx, 500*time.Millisecond)
		if err := sc.run(s, ctx, l, i); err != nil {
			return tally{}, fmt.Errorf("time %d: %w", i+1, err)
		}
		if err := s.converge(ctx); err != nil {
			return tally{}, fmt.Errorf("time %d: %w", i+1, err)
		}
		fmt.Fprintf(os.Stderr, "%s %d of %d: %s\n", sc.name, i+1, n, l.sofar())
	}
	pause(ctx, 500*time.Millisecond)
	return l.end(), nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
