package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/spec"
)

// ofScenario are the flags for what a scenario says itself.
var ofScenario = []string{
	"path", "method", "grpc-method", "grpc-model", "body", "header", "requests", "proof", "data", "expect-status", "expect-contains", "rate", "shape", "from",
	"steps", "replay", "replay-times", "replay-unsafe", "speed", "clients", "think", "duration", "warmup", "connections", "timeout",
}

// folderOnly checks the arguments beside --scenario.
func folderOnly(args []string) error {
	if len(args) > 1 {
		return &usageError{fmt.Errorf("load --scenario takes [DIR], got %q; see greenlight load --help", args)}
	}
	return nil
}

// runScenarios runs one of a description's load tests, or all of them.
func runScenarios(cmd *cobra.Command, env Env, o loadOptions, dir string) error {
	var said []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(ofScenario, f.Name) {
			said = append(said, "--"+f.Name)
		}
	})
	if len(said) > 0 {
		return &usageError{fmt.Errorf("the scenario says that itself; leave %s out", strings.Join(said, ", "))}
	}
	path, err := descriptionPath(cmp.Or(dir, "."))
	if err != nil {
		return err
	}
	file, _, err := parseDescription(path)
	if err != nil {
		return reportMistakes(env.Stderr, path, err)
	}
	tests, err := scenariosOf(file, o.scenario)
	if err != nil {
		return err
	}
	if len(tests) > 1 && o.output+o.html+o.junit+o.prom != "" {
		return &usageError{errors.New("--output, --html, --junit and --prometheus name one file, but there are several scenarios; run them one by one, or see greenlight load list afterwards")}
	}
	return o.runAll(cmd.Context(), env, tests, dir, filepath.Dir(path))
}

// allScenarios is what --scenario calls every one.
const allScenarios = "all"

func scenariosOf(file *spec.File, name string) ([]spec.LoadTest, error) {
	tests := file.Loads()
	var names []string
	for _, t := range tests {
		if t.Name == name {
			return []spec.LoadTest{t}, nil
		}
		names = append(names, t.Name)
	}
	switch {
	case len(tests) == 0:
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "%s has no load tests; it lists them under load, as load: {steady: {service: NAME, rate: 50/s}}", file.Path())
	case name == allScenarios:
		return tests, nil
	}
	return nil, greenlight.Errorf(greenlight.CodeNotFound, "%s has no load test %q, only %s", file.Path(), name, strings.Join(firstOf(names, 20), ", "))
}

// runAll runs tests one after the other, also when one fails. The error is a
// refusal when thresholds were not met and nothing worse happened.
func (o *loadOptions) runAll(ctx context.Context, env Env, tests []spec.LoadTest, dir, folder string) error {
	var refused, failed []string
	for i := range tests {
		one := o.of(&tests[i], folder)
		if len(tests) > 1 && !o.quiet {
			fmt.Fprintf(env.Stderr, "scenario %s\n", tests[i].Name)
		}
		err := one.runScenario(ctx, env, dir, &tests[i])
		switch {
		case err == nil:
		case ctx.Err() != nil, len(tests) == 1, isStop(err):
			return err
		default:
			fmt.Fprintf(env.Stderr, "scenario %s: %v\n", tests[i].Name, err)
			if greenlight.CodeOf(err) == greenlight.CodeRefused {
				refused = append(refused, tests[i].Name)
			} else {
				failed = append(failed, tests[i].Name)
			}
		}
	}
	switch {
	case len(failed) > 0:
		return greenlight.Errorf(greenlight.CodeUnavailable, "of %d scenarios, these failed: %s", len(tests), strings.Join(append(failed, refused...), ", "))
	case len(refused) > 0:
		return greenlight.Errorf(greenlight.CodeRefused, "of %d scenarios, these do not meet their thresholds: %s", len(tests), strings.Join(refused, ", "))
	}
	return nil
}

func (o *loadOptions) runScenario(ctx context.Context, env Env, dir string, t *spec.LoadTest) error {
	service := t.Service
	if o.environment != "" {
		service = o.environment + "/" + service
	}
	if t.Knee.Most > 0 {
		return runLoadKnee(ctx, env, o.knee(t), dir, service)
	}
	test, err := o.prepare(ctx, env, dir, service)
	if err != nil {
		return err
	}
	if err := o.plan(test); err != nil {
		return err
	}
	return o.run(ctx, env, test)
}

// knee are the options of a scenario that searches.
func (o *loadOptions) knee(t *spec.LoadTest) kneeOptions {
	k := kneeOptions{
		loadOptions: *o, start: float64(t.Knee.Start), most: float64(t.Knee.Most), atLeast: float64(t.Knee.AtLeast),
		factor: kneeFactor, precision: kneePrecision, rest: kneeRest, hold: o.duration - o.warmup,
	}
	if len(k.thresholds) == 0 {
		k.thresholds = kneeSLO
	}
	return k
}

// of are the options that a scenario means; its files are in folder.
func (o loadOptions) of(t *spec.LoadTest, folder string) loadOptions {
	o.scenario = t.Name
	o.duration, o.warmup, o.timeout = t.Duration.Std(), t.Warmup.Std(), t.Timeout.Std()
	o.clients, o.think, o.connections = t.Clients, t.Think.Std(), t.Connections
	switch {
	case t.Ramp.To > 0:
		o.shape, o.from, o.rate = "ramp", float64(t.Ramp.From), float64(t.Ramp.To)
	case t.Spike.To > 0:
		o.shape, o.from, o.rate = "spike", float64(t.Spike.From), float64(t.Spike.To)
	case t.Steps.To > 0:
		o.shape, o.from, o.rate, o.steps = "steps", float64(t.Steps.From), float64(t.Steps.To), t.Steps.Count
	default:
		o.shape, o.rate = "constant", float64(t.Rate)
	}
	if t.Replay.Log != "" {
		o.speed, o.replayTimes, o.replayUnsafe = pace(t.Replay.Speed)/100, t.Replay.Times, t.Replay.Unsafe
	}
	r := &t.Requests
	o.path, o.method, o.status, o.contains = r.Path, r.Method, r.Status, r.Contains
	o.grpcMethod, o.grpcModel = r.GRPCMethod, r.GRPCModel
	for name, value := range r.Headers {
		o.headers = append(o.headers, name+": "+value)
	}
	slices.Sort(o.headers)
	for to, name := range map[*string]string{&o.log: t.Replay.Log, &o.body: r.Body, &o.requests: r.File, &o.proof: r.Proof, &o.data: r.Data} {
		if *to = name; name != "" && !filepath.IsAbs(name) {
			*to = filepath.Join(folder, name)
		}
	}
	o.thresholds = append(slices.Clone(t.Thresholds), o.thresholds...)
	return o
}
