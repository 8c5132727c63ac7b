package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/greenlight-dev/greenlight/bench/cores"
)

// The goals, as ratios to nginx.
const (
	leastRate = 0.75
	mostP99   = 1.30
)

// row is one line of the table.
type row struct {
	name        string
	request     string
	connections int
	rate        float64
}

var rows = []row{
	{"GET, 32 connections", "GET", 32, 0},
	{"POST 130 B, 32 connections", "POST", 32, 0},
	{"POST 130 B, 4000/s on 16 connections", "POST", 16, 4000},
}

// speed runs both rivals in turns and compares the medians of the rounds.
func speed(ctx context.Context, dir, binary string, args []string) error {
	f := flag.NewFlagSet("speed", flag.ContinueOnError)
	rounds := f.Int("rounds", 7, "rounds of each rival for each row")
	only := f.String("only", "", "the rows whose name has this")
	each := f.Duration("each", 2*time.Second, "length of a round")
	if err := f.Parse(args); err != nil {
		return err
	}
	core, _, err := cores.Split()
	if err != nil {
		return err
	}
	upstream, err := startUpstream()
	if err != nil {
		return err
	}
	defer upstream.Close()
	var rivals []*rival
	defer func() {
		for _, r := range rivals {
			r.stop()
		}
	}()
	to := upstream.Addr().String()
	for _, start := range []func() (*rival, error){
		func() (*rival, error) { return startNginx(ctx, dir, core, to) },
		func() (*rival, error) { return startGreenlight(ctx, dir, binary, core, to) },
		func() (*rival, error) { return startPlain(ctx, core, to) },
	} {
		r, err := start()
		if r != nil {
			rivals = append(rivals, r)
		}
		if err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "what\tproxy\trequests/s\tto nginx\tp50\tp99\tto nginx\tCPU a request\tto nginx\tuser part\t")
	for _, k := range rows {
		if !strings.Contains(k.name, *only) {
			continue
		}
		medians, err := compare(ctx, rivals, k, *rounds, *each)
		if err != nil {
			return err
		}
		nginx := medians[0]
		for i, m := range medians {
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.2f\t%v\t%v\t%.2f\t%v\t%.2f\t%v\t\n", k.name, rivals[i].name, m.perSecond, m.perSecond/nginx.perSecond,
				m.p50.Round(time.Microsecond), m.p99.Round(time.Microsecond), ratio(m.p99, nginx.p99), m.cpu, ratio(m.cpu, nginx.cpu), m.user.Round(100*time.Nanosecond))
		}
	}
	fmt.Fprintf(w, "goal\tgreenlight\t\t%.2f\t\t\t%.2f\t\t\t\t\n", leastRate, mostP99)
	return w.Flush()
}

// compare runs the rivals in turns and gives the median of each.
func compare(ctx context.Context, rivals []*rival, k row, rounds int, each time.Duration) ([]measured, error) {
	all := make([][]measured, len(rivals))
	for round := range rounds + 1 {
		for i, r := range rivals {
			l := load{r.address, requests[k.request], k.connections, k.rate, each}
			m, err := l.run(r.usage)
			switch {
			case err != nil:
				return nil, fmt.Errorf("%s: %w", r.name, err)
			case m.failed > 0:
				return nil, fmt.Errorf("%s: %d requests were not answered 200", r.name, m.failed)
			case ctx.Err() != nil:
				return nil, ctx.Err()
			}
			if round > 0 { // the first warms up
				all[i] = append(all[i], m)
			}
		}
	}
	medians := make([]measured, len(rivals))
	for i := range all {
		medians[i] = median(all[i])
	}
	return medians, nil
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func median(all []measured) measured {
	mid := func(f func(measured) float64) float64 {
		v := make([]float64, len(all))
		for i := range all {
			v[i] = f(all[i])
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return measured{
		perSecond: mid(func(m measured) float64 { return m.perSecond }),
		p50:       time.Duration(mid(func(m measured) float64 { return float64(m.p50) })),
		p99:       time.Duration(mid(func(m measured) float64 { return float64(m.p99) })),
		cpu:       time.Duration(mid(func(m measured) float64 { return float64(m.cpu) })),
		user:      time.Duration(mid(func(m measured) float64 { return float64(m.user) })),
	}
}
