package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// same asks greenlight load compare again and again whether a target differs
// from itself, and whether one that is 5 % slower does.
func same(ctx context.Context, binary string, args []string) error {
	f := flag.NewFlagSet("same", flag.ContinueOnError)
	rounds := f.Int("rounds", 20, "comparisons of each kind")
	pairs := f.Int("pairs", 12, "pairs of runs in a comparison")
	each := f.Duration("each", time.Second, "length of a run")
	if err := f.Parse(args); err != nil {
		return err
	}
	const service = 10 * time.Millisecond
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
	for _, c := range []struct {
		what string
		b    net.Listener
		goal string
	}{{"A against A called different", base, "5 % or fewer"}, {"A against A + 5 % called different", slower, "80 % or more"}} {
		found := 0
		for i := range *rounds {
			different, err := compareOnce(ctx, binary, base, c.b, *pairs, *each, i)
			for tries := 0; err != nil && ctx.Err() == nil && tries < 3; tries++ { // the machine was too busy
				different, err = compareOnce(ctx, binary, base, c.b, *pairs, *each, i)
			}
			if err != nil {
				return err
			}
			if different {
				found++
			}
		}
		fmt.Printf("%s: %d of %d comparisons (goal: %s)\n", c.what, found, *rounds, c.goal)
	}
	return nil
}

func compareOnce(ctx context.Context, binary string, a, b net.Listener, pairs int, each time.Duration, seed int) (bool, error) {
	cmd := exec.CommandContext(ctx, binary, "load", "compare", "http://"+a.Addr().String(), "http://"+b.Addr().String(), //nolint:gosec // the program under test
		"--rate", "100", "--pairs", count(pairs), "--each", seconds(each), "--warmup", "100ms", "--metric", "p50", "--json", "--quiet", "--seed", count(seed+1))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return false, err
	}
	var all []load.Comparison
	if err := json.Unmarshal(out, &all); err != nil {
		return false, err
	}
	return all[0].Different, nil
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
