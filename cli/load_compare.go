package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

type compareOptions struct {
	loadOptions
	pairs   int
	each    time.Duration
	metrics []string
	least   string
}

func newLoadCompare(env Env) *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Tell whether two targets, or two results, differ",
		Long: `Tell whether two targets differ: runs of A and B in turn, in pairs, each the
first of half of them, and a permutation test over the pairs. It prints the
difference with its 95 % interval, how often the method calls a difference where
there is none, and the smallest change that this many pairs would find. What is
smaller than --least is not called different. With the same URL twice it checks
itself.

A and B can also be results: files that greenlight load --output wrote, ids that
greenlight load list shows, or SERVICE@ID. Then only the chance within each run
can be told, not what differs from one run to the next.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight load compare 127.0.0.1:8081/ 127.0.0.1:8082/ --rate 200
  greenlight load compare monday.json friday.json
  greenlight load compare 20260102-030405000-4b7d9a production/web@20260103-030405000-9a4b7d`,
		Args: takes(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := missingResult(args); err != nil {
				return err
			}
			switch a, b := namesResult(args[0]), namesResult(args[1]); {
			case a && b:
				return o.compareStored(cmd.Context(), env, args[0], args[1])
			case a != b:
				return &usageError{fmt.Errorf("%s and %s cannot be compared: one is a result, the other a target to be loaded; load that one with --output first", args[0], args[1])}
			}
			return runLoadCompare(cmd.Context(), env, o, args[0], args[1])
		},
	}
	o.connectOptions.register(cmd)
	f := cmd.Flags()
	o.addRequestFlags(f)
	f.Float64Var(&o.rate, "rate", 0, "requests a second (open model)")
	f.IntVar(&o.clients, "clients", 0, "clients that send one request after the other (closed model)")
	f.IntVar(&o.pairs, "pairs", 12, fmt.Sprintf("runs of each, %d or more", load.MinPairs))
	f.DurationVar(&o.each, "each", 5*time.Second, "time of each run")
	f.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "part of it, at the start, that is not counted")
	f.StringSliceVar(&o.metrics, "metric", []string{"p50", "p99"}, "what is compared: p50 to p99.99, mean, max, rate, service.p99")
	f.StringVar(&o.least, "least", "1%", "the smallest change that is called different")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	f.BoolVar(&o.quiet, "quiet", false, "no progress")
	return cmd
}

// missingResult tells of the first argument that can only mean a file and is
// none; HOST:PORT/PATH is a target.
func missingResult(args []string) error {
	for _, arg := range args {
		path := strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../")
		if !path && (strings.Contains(arg, ":") || !strings.HasSuffix(arg, ".json")) {
			continue
		}
		if _, err := os.Stat(arg); os.IsNotExist(err) {
			return &usageError{fmt.Errorf("%s is a file that does not exist; greenlight load --output writes one", arg)}
		}
	}
	return nil
}

func runLoadCompare(ctx context.Context, env Env, o compareOptions, a, b string) error {
	o.duration = o.each
	o.shape = "constant"
	if o.pairs < load.MinPairs || o.pairs > load.MaxPairs {
		return &usageError{fmt.Errorf("--pairs is %d; want %d to %d", o.pairs, load.MinPairs, load.MaxPairs)}
	}
	least, err := parseShare("least", o.least)
	if err != nil {
		return err
	}
	if least < 0 || least >= 1 {
		return &usageError{fmt.Errorf("--least is %s; want 0%% or more, and less than 100%%", o.least)}
	}
	var tests [2]*loadTest
	for i, url := range []string{a, b} {
		var err error
		if tests[i], err = o.prepare(ctx, env, "", url); err != nil {
			return err
		}
		if tests[i].Arrivals, err = o.arrivals(); err != nil {
			return err
		}
	}
	figures := make([]func(*load.Result) float64, len(o.metrics))
	for i, name := range o.metrics {
		var err error
		if figures[i], err = load.Metric(name); err != nil {
			return &usageError{err}
		}
	}
	ctx = o.tell(ctx, &tests)
	defer tests[0].live.finish()
	if tests[1].live != tests[0].live {
		defer tests[1].live.finish()
	}
	resultsA, resultsB, err := load.Interleave(ctx, o.pairs, o.seed, o.trial(env, tests))
	if err != nil && ctx.Err() != nil {
		err = whyDone(ctx)
	}
	if err != nil {
		return err
	}
	var all []*load.Comparison
	for i, name := range o.metrics {
		pairs := make([]load.Pair, o.pairs)
		for k := range pairs {
			pairs[k] = load.Pair{A: figures[i](resultsA[k]), B: figures[i](resultsB[k])}
		}
		c, err := load.Compare(name, pairs, least, o.seed)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	if o.json {
		return writeJSON(env.Stdout, all)
	}
	return printComparisons(env.Stdout, all)
}

// tell tells the control planes of services about the comparison; one of a
// service with itself is one test.
func (o *compareOptions) tell(ctx context.Context, tests *[2]*loadTest) context.Context {
	total := time.Duration(2*o.pairs) * o.each
	ctx = tests[0].tell(ctx, "", total)
	a, b := tests[0].service, tests[1].service
	if a != nil && b != nil && a.name == b.name && a.client.Address() == b.client.Address() {
		tests[1].live = tests[0].live
		return ctx
	}
	return tests[1].tell(ctx, "", total)
}

// trial runs A or B once, again when the run was void, as often as there are
// pairs.
func (o *compareOptions) trial(env Env, tests [2]*loadTest) func(context.Context, bool) (*load.Result, error) {
	left, runs := o.pairs, 0
	return func(ctx context.Context, isB bool) (*load.Result, error) {
		of, name := tests[0], "A"
		if isB {
			of, name = tests[1], "B"
		}
		test := of.Options
		runs++
		of.live.follow(&test, fmt.Sprintf("comparison, %s, run %d of %d", name, runs, 2*o.pairs))
		r, err := load.Run(ctx, test)
		for ; err == nil && r.Void && ctx.Err() == nil && left > 0; left-- {
			fmt.Fprintf(env.Stderr, "%s  void, run again: %s\n", name, r.VoidReason)
			r, err = load.Run(ctx, test)
		}
		switch {
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case r.Void:
			return nil, greenlight.Errorf(greenlight.CodeUnavailable, "too many runs are void, the last one of %s, so nothing is compared: %s", name, r.VoidReason)
		}
		if !o.quiet {
			fmt.Fprintf(env.Stderr, "%s  %s  p50 %s  p99 %s  errors %d\n", name, load.PerSecond(r.Rate), load.Seconds(r.Response.P50), load.Seconds(r.Response.P99), r.Errors)
		}
		return r, nil
	}
}

func printComparisons(out io.Writer, all []*load.Comparison) error {
	t := &table{}
	t.add(cell{}, cell{}, cell{"A", dim, true}, cell{"B", dim, true}, cell{"change", dim, true}, cell{"95 % interval", dim, false}, cell{"p", dim, true}, cell{"would find", dim, true})
	alarms := 0.0
	for _, c := range all {
		said, standing := "no difference shown", plain
		switch {
		case c.Different:
			said, standing = "different", yellow
		case c.Sure():
			said = fmt.Sprintf("differ by less than %.3g %%", 100*c.Least)
		}
		t.add(cell{text: c.Metric, colour: bold}, cell{text: said, colour: standing}, cell{text: metricText(c.Metric, c.A), right: true}, cell{text: metricText(c.Metric, c.B), right: true},
			cell{text: changeText(c.Change), right: true}, cell{text: fmt.Sprintf("%+.1f … %+.1f %%", 100*c.CI95[0], 100*c.CI95[1])},
			cell{text: fmt.Sprintf("%.3f", c.P), right: true}, cell{text: fmt.Sprintf("%.0f %%", 100*c.Detectable), right: true})
		alarms = max(alarms, c.FalseAlarms)
	}
	var b strings.Builder
	t.write(&b, paletteFor(out))
	text := fmt.Sprintf("%d pairs. The change is of B against A. p is how likely chance alone shows as much; at most %.1f %% of comparisons of equals are called different. "+
		"Would find: the smallest change that so many pairs find in 80 %% of cases.", all[0].Pairs, 100*alarms)
	b.WriteString("\n" + wrapped(text, lineWidth, "") + "\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// changeText is a change as a share of A; one of more than ten times that, which
// nobody reads as a percentage, as how many times A it makes B.
func changeText(change float64) string {
	if change > 10 {
		return fmt.Sprintf("x %.0f", 1+change)
	}
	return fmt.Sprintf("%+.1f %%", 100*change)
}

func metricText(metric string, v float64) string {
	if metric == "rate" {
		return load.PerSecond(v)
	}
	return load.Seconds(v)
}
