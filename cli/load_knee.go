package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

type kneeOptions struct {
	loadOptions
	start, most, factor, precision float64
	hold, rest                     time.Duration
	gate                           string
	atLeast                        float64
}

// The defaults of a search, which a scenario has, too.
const (
	kneeFactor    = 1.5
	kneePrecision = 0.05
	kneeRest      = 2 * time.Second
	kneeWarmup    = 2 * time.Second
)

// kneeSLO is what a rate must meet when nothing is said.
var kneeSLO = []string{"p99<100ms", "errors<0.1%"}

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

Of a SERVICE it names the bottleneck, by what the gateway and the replicas saw:
their CPU, the model's queue, the gateway, the generator, or something else that
all requests wait for, as a lock. After the last rate that was too much it goes
back to a low one and says whether the target recovers: one that does not is
locked up, and the exit code is 3.

With --at-least the knee is a gate: the exit code is 3 when it is lower, and the
search ends within 25 % once that is sure. Without
--threshold the SLO is p99<100ms and errors<0.1%.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight load knee http://127.0.0.1:8080/ --threshold 'p99<50ms'
  greenlight load knee 127.0.0.1:8080/predict --body row.json --start 50 --hold 20s
  greenlight load knee penguins --at-least 200/s`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.parseGate(); err != nil {
				return err
			}
			return runLoadKnee(cmd.Context(), env, o, "", args[0])
		},
	}
	o.connectOptions.register(cmd)
	f := cmd.Flags()
	o.addRequestFlags(f)
	f.Float64Var(&o.start, "start", 20, "first rate")
	f.Float64Var(&o.most, "most", 10_000, "highest rate to try")
	f.Float64Var(&o.factor, "factor", kneeFactor, "from one rate to the next")
	f.Float64Var(&o.precision, "precision", kneePrecision, "how near the answer has to be, as a share")
	f.DurationVar(&o.warmup, "warmup", kneeWarmup, "of each rate, not counted")
	f.DurationVar(&o.hold, "hold", 10*time.Second, "of each rate")
	f.DurationVar(&o.rest, "rest", kneeRest, "after a rate that missed")
	f.StringVar(&o.gate, "at-least", "", "the rate that the knee must reach, as 200/s")
	f.StringArrayVar(&o.thresholds, "threshold", kneeSLO, "the SLO; may be given several times")
	f.StringVar(&o.output, "output", "", "write the search to this file, as JSON")
	f.StringVar(&o.html, "html", "", "write a report on the highest rate that met the SLO to this file")
	f.StringVar(&o.junit, "junit", "", "write the gate to this file as JUnit XML")
	f.BoolVar(&o.json, "json", false, "print the search as JSON")
	f.BoolVar(&o.quiet, "quiet", false, "no progress")
	f.BoolVar(&o.noKeep, "no-keep", false, "do not have the control plane keep the result of a service")
	completeServices(cmd, "")
	return cmd
}

func (o *kneeOptions) parseGate() error {
	if o.gate == "" {
		return nil
	}
	var err error
	if o.atLeast, err = strconv.ParseFloat(strings.TrimSuffix(o.gate, "/s"), 64); err != nil || !(o.atLeast > 0) {
		return &usageError{fmt.Errorf("--at-least %q: want requests a second, as 200/s", o.gate)}
	}
	if o.atLeast > o.most {
		return &usageError{fmt.Errorf("--at-least %s is above --most %v, which is the highest rate that is tried", o.gate, o.most)}
	}
	return nil
}

// runLoadKnee searches; dir is where the control plane of a service is looked
// for, "" here.
func runLoadKnee(ctx context.Context, env Env, o kneeOptions, dir, target string) error {
	o.rate, o.duration = o.most, o.warmup+o.hold
	test, err := o.prepare(ctx, env, dir, target)
	if err != nil {
		return err
	}
	ctx = test.tell(ctx, o.scenario, 0)
	defer test.live.finish()
	knee, err := load.FindKnee(ctx, load.KneeOptions{
		From: o.start, To: o.most, Factor: o.factor, Precision: o.precision, AtLeast: o.atLeast, Warmup: o.warmup, Hold: o.hold, Rest: o.rest, Thresholds: test.Thresholds,
		Observe: func(r load.Rung) {
			if !o.quiet {
				fmt.Fprintln(env.Stderr, rungText(r))
			}
		},
		Recover: func(ctx context.Context, rate float64, timeout time.Duration) (*load.Result, error) {
			return o.afterwards(ctx, env, test, rate, timeout)
		},
	}, func(ctx context.Context, rate float64) (*load.Result, error) { return o.trial(ctx, test, rate) })
	if err != nil && ctx.Err() != nil {
		err = whyDone(ctx)
	}
	if err != nil {
		return err
	}
	result := knee.Result(o.atLeast)
	if result != nil {
		result.Scenario = o.scenario
	}
	if err := o.writeKnee(env, knee, result); err != nil {
		return err
	}
	if test.service != nil && !o.noKeep && result != nil {
		test.live.came("", test.service.keep(ctx, env.Stderr, result, o.quiet))
	}
	return kneeVerdict(knee, o.atLeast)
}

// trial runs one rate, with what its service saw of it.
func (o *kneeOptions) trial(ctx context.Context, test *loadTest, rate float64) (*load.Result, error) {
	one := test.Options
	var err error
	if one.Arrivals, err = load.Constant(rate, o.duration); err != nil {
		return nil, err
	}
	end := func() *load.Server { return nil }
	if test.service != nil {
		end = test.service.watch(ctx)
	}
	test.live.follow(&one, fmt.Sprintf("search at %.4g/s", rate))
	r, err := load.Run(ctx, one)
	server := end()
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	r.Server = server
	return r, nil
}

// recoverFor is how long the low rate is sent after too high ones.
const recoverFor = 3 * time.Second

// afterwards sends a low rate for a short time.
func (o *kneeOptions) afterwards(ctx context.Context, env Env, test *loadTest, rate float64, timeout time.Duration) (*load.Result, error) {
	one := test.Options
	one.Warmup, one.Timeout, one.KeepGoing = 0, min(timeout, o.timeout), true
	var err error
	if one.Arrivals, err = load.Constant(rate, min(recoverFor, o.duration)); err != nil {
		return nil, err
	}
	test.live.follow(&one, fmt.Sprintf("search, afterwards at %.4g/s", rate))
	r, err := load.Run(ctx, one)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && !o.quiet {
		fmt.Fprintf(env.Stderr, "%8.4g/s  afterwards: %d of %d requests answered\n", rate, r.Requests-r.Errors, r.Requests)
	}
	return r, err
}

func rungText(r load.Rung) string {
	said := "met"
	if !r.Met {
		said = "missed: " + r.Why
	}
	return fmt.Sprintf("%8.4g/s  p50 %s  p99 %s  errors %d  %s", r.Rate, load.Seconds(r.Result.Response.P50), load.Seconds(r.Result.Response.P99), r.Result.Errors, said)
}

// writeKnee puts a search where the flags say; result is nil when no rate was
// measured.
func (o *kneeOptions) writeKnee(env Env, k *load.Knee, result *load.Result) error {
	var err error
	if o.output != "" {
		err = writeLoadFile(o.output, asJSON(k))
	}
	if result != nil {
		for name, write := range map[string]func(io.Writer) error{o.html: result.WriteHTML, o.junit: result.WriteJUnit, o.prom: result.WritePrometheus} {
			if name != "" {
				err = errors.Join(err, writeLoadFile(name, write))
			}
		}
	}
	if o.json {
		return errors.Join(err, writeJSON(env.Stdout, k))
	}
	err = errors.Join(err, k.Summary().WriteText(env.Stdout))
	if gate := k.Gate(o.atLeast); gate != nil {
		fmt.Fprintln(env.Stdout, gate)
	}
	return err
}

// kneeVerdict turns a search into the exit code.
func kneeVerdict(k *load.Knee, atLeast float64) error {
	gate := k.Gate(atLeast)
	switch {
	case k.Recovery != nil && !k.Recovery.Recovered:
		return greenlight.Errorf(greenlight.CodeRefused, "the target %s", k.Recovery)
	case k.Summary().Undecided(atLeast):
		return greenlight.Errorf(greenlight.CodeUnavailable, "the search is void: %s", k.Void)
	case gate != nil && !gate.OK:
		return greenlight.Errorf(greenlight.CodeRefused, "%s", gate)
	case k.Rate == 0:
		return greenlight.Errorf(greenlight.CodeRefused, "no rate meets the SLO")
	}
	return nil
}
