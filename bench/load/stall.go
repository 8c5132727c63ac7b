package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// stall has every generator send 200 requests a second over 16 connections
// to a target that stands still 1 s in every 10, and compares the p99 that
// it reports with the truth. A tenth of the requests is due while the target
// stands still and waits up to a second, so the truth is 0.90 s.
func stall(ctx context.Context, binary string, args []string) error {
	f := flag.NewFlagSet("stall", flag.ContinueOnError)
	length := f.Duration("length", 30*time.Second, "of each run; whole tens of seconds")
	if err := f.Parse(args); err != nil {
		return err
	}
	target, err := startStallTarget()
	if err != nil {
		return err
	}
	defer target.server.Close()
	const rate, connections = 200, 16
	truth := stallTruth(rate, *length)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "generator\tanswers/s\tp50\tp99\tof the truth\t")
	fmt.Fprintf(w, "truth\t%d\t\t%.3f s\t\t\n", rate, truth)
	for _, r := range append([]rival{greenlight(binary)}, installed("wrk2", "vegeta", "fortio", "hey")...) {
		target.reset()
		m, err := r.run(ctx, work{url: target.base, rate: rate, connections: connections, length: *length})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%.1f\t%.4f s\t%.3f s\t%.2f\t\n", r.title(), m.rate, m.p50, m.p99, m.p99/truth)
	}
	fmt.Fprintf(w, "goal\t\t\t\t0.97 … 1.03\t\n")
	return w.Flush()
}

// stallTruth is the p99 of the time from when each request is due to when
// the target goes on.
func stallTruth(rate float64, length time.Duration) float64 {
	n := int(rate * length.Seconds())
	times := make([]float64, n)
	for i := range times {
		into := time.Duration(float64(i)/rate*1e9) % stallEvery
		if into >= stallFrom && into < stallFrom+stallFor {
			times[i] = (stallFrom + stallFor - into).Seconds()
		}
	}
	slices.Sort(times)
	return times[int(math.Ceil(0.99*float64(n)))-1]
}
