package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/greenlight-dev/greenlight/load"
)

// same asks greenlight load compare again and again whether a target differs
// from itself, and whether one that is 5 % slower does.
func same(ctx context.Context, binary string, args []string) error {
	f := flag.NewFlagSet("same", flag.ContinueOnError)
	c := comparisons{binary: binary}
	f.IntVar(&c.rounds, "rounds", 30, "comparisons of each kind")
	f.IntVar(&c.pairs, "pairs", 50, "pairs of runs in a comparison")
	f.DurationVar(&c.each, "each", 250*time.Millisecond, "length of a run")
	f.IntVar(&c.parallel, "parallel", 6, "comparisons at the same time; the targets sleep, so they share nothing but the noise")
	if err := f.Parse(args); err != nil {
		return err
	}
	// Whole milliseconds, which is what the runtime's timers wake up at while
	// nothing else happens: 5 % of it is one.
	const service = 20 * time.Millisecond
	base, err := startSlowTarget(service)
	if err != nil {
		return err
	}
	defer base.Close()
	slower, err := startSlowTarget(service + service/20)
	if err != nil {
		return err
	}
	defer slower.Close()
	for _, kind := range []struct {
		what string
		b    net.Listener
		goal string
	}{{"A against A called different", base, "5 % or fewer"}, {"A against A + 5 % called different", slower, "80 % or more"}} {
		all, err := c.all(ctx, base, kind.b)
		if err != nil {
			return err
		}
		different, sure := 0, 0
		for _, r := range all {
			if r.Different {
				different++
			}
			if r.Sure() {
				sure++
			}
		}
		fmt.Printf("%s: %d of %d comparisons of %d pairs (%s; goal: %s); by the permutation test alone, however small: %d (%s)\n",
			kind.what, different, c.rounds, c.pairs, shareText(different, c.rounds), kind.goal, sure, shareText(sure, c.rounds))
	}
	return nil
}

// comparisons are many of the same.
type comparisons struct {
	binary                  string
	rounds, pairs, parallel int
	each                    time.Duration
}

// all compares b with a again and again.
func (c *comparisons) all(ctx context.Context, a, b net.Listener) ([]*load.Comparison, error) {
	var group errgroup.Group
	group.SetLimit(c.parallel)
	found := make([]*load.Comparison, c.rounds)
	for i := range found {
		group.Go(func() error {
			var err error
			for tries := 0; tries < 4 && ctx.Err() == nil; tries++ { // the machine may be too busy
				if found[i], err = compareOnce(ctx, c.binary, a, b, c.pairs, c.each, i); err == nil {
					return nil
				}
			}
			return errors.Join(err, ctx.Err())
		})
	}
	return found, group.Wait()
}

// shareText is a share with its 95 % interval (Clopper and Pearson).
func shareText(found, of int) string {
	k, n := float64(found), float64(of)
	low, high := 0.0, 1.0
	if found > 0 {
		low = distuv.Beta{Alpha: k, Beta: n - k + 1}.Quantile(0.025)
	}
	if found < of {
		high = distuv.Beta{Alpha: k + 1, Beta: n - k}.Quantile(0.975)
	}
	return fmt.Sprintf("%.0f %%, 95 %% interval %.0f to %.0f %%", 100*k/n, 100*low, 100*high)
}

func compareOnce(ctx context.Context, binary string, a, b net.Listener, pairs int, each time.Duration, seed int) (*load.Comparison, error) {
	cmd := exec.CommandContext(ctx, binary, "load", "compare", "http://"+a.Addr().String(), "http://"+b.Addr().String(), //nolint:gosec // the program under test
		"--rate", "100", "--pairs", count(pairs), "--each", seconds(each), "--warmup", "100ms", "--metric", "p50", "--json", "--quiet", "--seed", count(seed+1))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []*load.Comparison
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, err
	}
	return all[0], nil
}

// startSlowTarget takes a fixed time for each answer.
func startSlowTarget(service time.Duration) (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(service)
		_, _ = w.Write([]byte("ok\n"))
	})}
	go func() { _ = server.Serve(ln) }()
	return ln, nil
}
