package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
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
	each := f.Duration("each", 2*time.Second, "length of a round")
	if err := f.Parse(args); err != nil {
		return err
	}
	cores, err := twoCores()
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
	for _, start := range []func() (*rival, error){
		func() (*rival, error) { return startNginx(ctx, dir, cores[0], upstream.Addr().String()) },
		func() (*rival, error) {
			return startGreenlight(ctx, dir, binary, cores[0], upstream.Addr().String())
		},
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
	fmt.Fprintln(w, "what\tnginx/s\tgreenlight/s\tratio\tnginx p99\tgreenlight p99\tratio\tnginx CPU\tgreenlight CPU\tratio\t")
	for _, k := range rows {
		all := make([][]measured, len(rivals))
		for range *rounds + 1 {
			for i, r := range rivals {
				l := load{r.address, requests[k.request], k.connections, k.rate, *each}
				m, err := l.run(r.cpu)
				if err != nil {
					return fmt.Errorf("%s: %w", r.name, err)
				}
				if m.failed > 0 {
					return fmt.Errorf("%s: %d requests were not answered 200", r.name, m.failed)
				}
				all[i] = append(all[i], m)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		nginx, ours := median(all[0][1:]), median(all[1][1:]) // the first round warms up
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%v\t%v\t%.2f\t%v\t%v\t%.2f\t\n", k.name, nginx.perSecond, ours.perSecond, ours.perSecond/nginx.perSecond,
			nginx.p99.Round(time.Microsecond), ours.p99.Round(time.Microsecond), ratio(ours.p99, nginx.p99), nginx.cpu, ours.cpu, ratio(ours.cpu, nginx.cpu))
	}
	fmt.Fprintf(w, "goal\t\t\t%.2f\t\t\t%.2f\t\t\t\t\n", leastRate, mostP99)
	return w.Flush()
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
	}
}

// twoCores gives one core to the rivals and puts this process on another.
func twoCores() ([2]string, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return [2]string{}, err
	}
	var cores []int
	for c := 0; c < 1024 && len(cores) < 2; c++ {
		if set.IsSet(c) {
			cores = append(cores, c)
		}
	}
	if len(cores) < 2 {
		return [2]string{}, fmt.Errorf("needs two cores, one for what is measured and one for the load")
	}
	var own unix.CPUSet
	own.Set(cores[1])
	runtime.GOMAXPROCS(1)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return [2]string{}, err
	}
	for _, t := range tasks {
		var tid int
		if _, err := fmt.Sscan(t.Name(), &tid); err == nil {
			_ = unix.SchedSetaffinity(tid, &own) // a thread may have ended; new ones inherit
		}
	}
	return [2]string{fmt.Sprint(cores[0]), fmt.Sprint(cores[1])}, nil
}
