package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

type kneeOptions struct {
	loadOptions
	start, most, factor, precision float64
	hold, rest                     time.Duration
}

func newLoadKnee(env Env) *cobra.Command {
	var o kneeOptions
	cmd := &cobra.Command{
		Use:   "knee URL|SERVICE",
		Short: "Find the highest rate that meets an SLO",
		Long: `Find the highest rate at which a target meets an SLO: a ladder of rates, each a
factor above the last, until one misses, then halving between it and the one
before. Each rate is warmed up, held, and counts only in a steady state: answers
keep up, response times do not grow, and the requests in flight are what Little's
law says. A rate that misses is tried once more.

Without --threshold the SLO is p99<100ms and errors<0.1%.
` + exitCodesHelp,
		Example: `  greenlight load knee http://127.0.0.1:8080/ --threshold 'p99<50ms'
  greenlight load knee 127.0.0.1:8080/predict --body row.json --start 50 --hold 20s`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return runLoadKnee(cmd.Context(), env, o, args[0]) },
	}
	o.connectOptions.register(cmd)
	f := cmd.Flags()
	o.addRequestFlags(f)
	f.Float64Var(&o.start, "start", 20, "first rate")
	f.Float64Var(&o.most, "most", 10_000, "highest rate to try")
	f.Float64Var(&o.factor, "factor", 1.5, "from one rate to the next")
	f.Float64Var(&o.precision, "precision", 0.05, "how near the answer has to be, as a share")
	f.DurationVar(&o.warmup, "warmup", 2*time.Second, "of each rate, not counted")
	f.DurationVar(&o.hold, "hold", 10*time.Second, "of each rate")
	f.DurationVar(&o.rest, "rest", 2*time.Second, "after a rate that missed")
	f.StringArrayVar(&o.thresholds, "threshold", []string{"p99<100ms", "errors<0.1%"}, "the SLO; may be given several times")
	f.StringVar(&o.output, "output", "", "write the result to this file, as JSON")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func runLoadKnee(ctx context.Context, env Env, o kneeOptions, target string) error {
	o.rate, o.duration = o.most, o.warmup+o.hold
	base, err := o.prepare(ctx, env, "", target)
	if err != nil {
		return err
	}
	slo := base.Thresholds
	knee, err := load.FindKnee(ctx, load.KneeOptions{
		From: o.start, To: o.most, Factor: o.factor, Precision: o.precision, Warmup: o.warmup, Hold: o.hold, Rest: o.rest, Thresholds: slo,
		Observe: func(r load.Rung) { fmt.Fprintln(env.Stderr, rungText(r)) },
	}, func(ctx context.Context, rate float64) (*load.Result, error) {
		trial := base.Options
		if trial.Arrivals, err = load.Constant(rate, o.duration); err != nil {
			return nil, err
		}
		r, err := load.Run(ctx, trial)
		if err == nil {
			err = ctx.Err()
		}
		return r, err
	})
	if err != nil {
		return err
	}
	return o.writeKnee(env, knee)
}

func rungText(r load.Rung) string {
	said := "met"
	if !r.Met {
		said = "missed: " + r.Why
	}
	return fmt.Sprintf("%8.4g/s  p50 %s  p99 %s  errors %d  %s", r.Rate, load.Seconds(r.Result.Response.P50), load.Seconds(r.Result.Response.P99), r.Result.Errors, said)
}

func (o *kneeOptions) writeKnee(env Env, k *load.Knee) error {
	var err error
	if o.output != "" {
		err = writeLoadFile(o.output, asJSON(k))
	}
	if o.json {
		err = errors.Join(err, writeJSON(env.Stdout, k))
	} else {
		fmt.Fprintln(env.Stdout, kneeText(k))
	}
	switch {
	case err != nil:
		return err
	case k.Void != "":
		return greenlight.Errorf(greenlight.CodeUnavailable, "the search is void: %s", k.Void)
	case k.Rate == 0:
		return greenlight.Errorf(greenlight.CodeRefused, "no rate meets the SLO")
	}
	return nil
}

func kneeText(k *load.Knee) string {
	switch {
	case k.Rate == 0 && k.Next == 0:
		return "no rate was tried to the end"
	case k.Rate == 0:
		return fmt.Sprintf("even %.4g/s misses the SLO", k.Next)
	case k.Next == 0:
		return fmt.Sprintf("at least %.4g/s: the highest rate that was tried meets the SLO", k.Rate)
	}
	return fmt.Sprintf("%.4g/s meets the SLO, %.4g/s does not", k.Rate, k.Next)
}
