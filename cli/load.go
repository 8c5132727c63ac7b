package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

// loadOptions are the flags that every kind of load test has.
type loadOptions struct {
	connectOptions
	path              string
	scenario          string
	environment       string
	noKeep            bool
	rate, from        float64
	shape             string
	steps             int
	duration, warmup  time.Duration
	timeout, think    time.Duration
	maxLag            time.Duration
	connections       int
	clients           int
	method, body      string
	headers           []string
	requests, data    string
	proof, log        string
	replayTimes       bool
	replayUnsafe      bool
	grpcMethod        string
	grpcModel         string
	speed             pace
	status            int
	contains          string
	http2, closeEach  bool
	insecure          bool
	ca                string
	own               bool
	maxRate           float64
	maxDuration       time.Duration
	seed              uint64
	thresholds        []string
	keepGoing         bool
	output            string
	html, junit, prom string
	json, quiet       bool
}

const loadLong = `Send requests to a target and measure what its clients would see.

With --rate (the open model) requests are due at fixed times, whatever the
target does; response times run from when a request was due, so a target that
stands still is seen. With --clients (the closed model) each client sends its
next request when it has the answer to the last one.

Response is due to answer, service is sent to answer, lag is what the generator
added. When lag or its own processor time spoil a test, the result is void and
the exit code 1, as when every request failed. With a --threshold that is not
met the exit code is 3.

--requests takes a file with a request on each line, in turn or by weight:

  {"path":"/a","weight":3}
  {"path":"/b?n={{random 1 9}}","body":{"x":1},"expect":{"status":201}}
  {"path":"/login","save":{"t":"data.token"},"then":[{"path":"/me?t={{t}}"}]}

grpc://HOST:PORT/MODEL (grpcs with TLS) asks a model of the Open Inference
Protocol: --body is its JSON request, or --proof its rows, sent as protobuf.

{{seq}} is the request's number, {{uuid}} a random one, {{name}} a column of
--data or a saved part of an earlier answer, {{json name}} the same as JSON.

Only this machine may be loaded, unless --i-own-this-target is given.

SERVICE is the name of a service that runs here, or ENVIRONMENT/NAME where
several environments have it. It is loaded through the gateway; a model gets the
request that it says works, unless flags say what is sent. Paths are as the
service sees them. What the gateway and its replicas saw stands beside the
result, which the control plane keeps (greenlight load list).

--scenario NAME runs one of those that greenlight.yaml lists under load; all
runs them all, one after the other.
`

func newLoad(env Env) *cobra.Command {
	var o loadOptions
	cmd := &cobra.Command{
		Use:   "load URL|SERVICE",
		Short: "Load a target and measure what its clients would see",
		Long:  loadLong + connectHelp + exitCodesHelp,
		Example: `  greenlight load http://127.0.0.1:8080/ --rate 200 --duration 30s
  greenlight load 127.0.0.1:8080/predict --rate 500 --body row.json --threshold 'p99<50ms'
  greenlight load 127.0.0.1:8080/ --clients 16 --duration 10s --html report.html
  greenlight load grpc://127.0.0.1:9000/penguins --rate 200 --body request.json
  greenlight load penguins --rate 200
  greenlight load --scenario all --environment dev`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.scenario != "" {
				return folderOnly(args)
			}
			return takes(1, 1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.scenario != "" {
				return runScenarios(cmd, env, o, optionalArgument(args, ""))
			}
			return runLoad(cmd.Context(), env, o, args[0])
		},
	}
	o.connectOptions.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.scenario, "scenario", "", "run this scenario of greenlight.yaml, here or in the folder that is named; all runs every one")
	f.StringVar(&o.environment, "environment", "", "with --scenario: whose services are loaded")
	f.BoolVar(&o.noKeep, "no-keep", false, "do not have the control plane keep the result of a service")
	completeServices(cmd, "")
	o.addRequestFlags(cmd.Flags())
	o.addShapeFlags(cmd.Flags())
	o.addReportFlags(cmd.Flags())
	cmd.AddCommand(newLoadKnee(env), newLoadCompare(env), newLoadList(env), newLoadShow(env), newLoadStop(env))
	return cmd
}

// addRequestFlags adds what is sent, and how.
func (o *loadOptions) addRequestFlags(f *pflag.FlagSet) {
	f.StringVar(&o.path, "path", "", "of a SERVICE: the path that is asked for, as it sees it (default: a model's for predictions, else where its route begins)")
	f.StringVar(&o.method, "method", "", "method (default GET, with a body POST)")
	f.StringVar(&o.body, "body", "", "file with the body; - is standard input")
	f.StringArrayVar(&o.headers, "header", nil, "header field 'NAME: VALUE'; may be given several times")
	f.StringVar(&o.requests, "requests", "", "file of requests: one JSON object a line (path, method, headers, body, name, weight, expect, save, then), or a browser's .har")
	f.StringVar(&o.proof, "proof", "", "proof.json of a model, or its folder: every row is a request to URL, which ends in /predict or /infer")
	f.StringVar(&o.data, "data", "", "CSV or JSON lines whose columns fill {{name}} in paths, header values and bodies")
	f.Uint64Var(&o.seed, "seed", 1, "decides every random choice")
	f.IntVar(&o.status, "expect-status", 0, "status of a right answer (default: any below 400)")
	f.StringVar(&o.contains, "expect-contains", "", "text that a right answer holds")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "for one answer")
	f.DurationVar(&o.maxLag, "max-lag", load.DefaultMaxLag, "lag p99 above which a test is void, where it is over a tenth of the response p99 too")
	f.IntVar(&o.connections, "connections", 64, "most connections at once, with --rate")
	f.BoolVar(&o.closeEach, "no-keep-alive", false, "a new connection for every request")
	f.StringVar(&o.grpcModel, "grpc-model", "", "gRPC: ask this model (NAME or NAME/versions/VERSION) for predictions, as the path of grpc://HOST:PORT/NAME does")
	f.StringVar(&o.grpcMethod, "grpc-method", "", "gRPC: call /package.Service/Method with the protobuf message of --body")
	f.BoolVar(&o.http2, "http2", false, "HTTP/2 (--connections is then requests at once)")
	f.StringVar(&o.ca, "ca", "", "file of certificates (PEM) that the target's is checked against")
	f.BoolVar(&o.insecure, "insecure", false, "do not check the target's certificate")
	f.BoolVar(&o.own, "i-own-this-target", false, "load a target that is neither this machine nor a SERVICE")
	f.Float64Var(&o.maxRate, "max-rate", 20_000, "ceiling on the rate")
	f.DurationVar(&o.maxDuration, "max-duration", time.Hour, "ceiling on the time")
}

// addShapeFlags adds how much is sent, and when.
func (o *loadOptions) addShapeFlags(f *pflag.FlagSet) {
	f.Float64Var(&o.rate, "rate", 0, "requests a second (open model)")
	f.StringVar(&o.shape, "shape", "constant", "constant; ramp or steps from --from to --rate; spike from --from up to --rate and back")
	f.Float64Var(&o.from, "from", 0, "rate that a ramp, steps or a spike begin at")
	f.IntVar(&o.steps, "steps", 5, "number of steps")
	f.StringVar(&o.log, "replay", "", "access log whose requests are sent again at the times that it has, instead of --rate; where it has times only, the other flags say what")
	f.BoolVar(&o.replayTimes, "replay-times", false, "take only the times of the log")
	f.BoolVar(&o.replayUnsafe, "replay-unsafe", false, "send the requests of the log that may change something, too: POST (with --body, or --requests for each path), PUT, DELETE")
	o.speed = 1
	f.Var(&o.speed, "speed", "of the replay: 2x is twice as fast")
	f.IntVar(&o.clients, "clients", 0, "clients that send one request after the other (closed model)")
	f.DurationVar(&o.think, "think", 0, "pause of a client between an answer and its next request")
	f.DurationVar(&o.duration, "duration", 10*time.Second, "how long")
	f.DurationVar(&o.warmup, "warmup", 0, "part of it, at the start, that is not counted")
}

// addReportFlags adds what is done with the result.
func (o *loadOptions) addReportFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.thresholds, "threshold", nil, "what the result must meet: p99<50ms, errors<0.1%, rate>=500/s (of right answers); may be given several times")
	f.BoolVar(&o.keepGoing, "keep-going", false, "go on when a threshold cannot be met any more")
	f.StringVar(&o.output, "output", "", "write the result to this file, as JSON")
	f.StringVar(&o.html, "html", "", "write a report with charts to this file")
	f.StringVar(&o.junit, "junit", "", "write the thresholds to this file as JUnit XML")
	f.StringVar(&o.prom, "prometheus", "", "write the figures to this file in Prometheus' text format")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	f.BoolVar(&o.quiet, "quiet", false, "no progress")
}

func runLoad(ctx context.Context, env Env, o loadOptions, target string) error {
	test, err := o.prepare(ctx, env, "", target)
	if err != nil {
		return err
	}
	if err := o.plan(test); err != nil {
		return err
	}
	return o.run(ctx, env, test)
}

// loadTest is a test that can begin; service is nil for a plain address, and
// live until its control plane is told of it.
type loadTest struct {
	load.Options
	service *loadedService
	live    *liveTest
	notes   []string
}

// run runs a test, with what its service saw of it, and does with the result
// what the flags say.
func (o *loadOptions) run(ctx context.Context, env Env, test *loadTest) error {
	view := newLoadView(env.Stderr, o.quiet, test.length())
	test.Observe = view.observe
	ctx = test.tell(ctx, o.scenario, test.length())
	defer test.live.finish()
	test.live.follow(&test.Options, "")
	end := func() *load.Server { return nil }
	if test.service != nil {
		end = test.service.watch(ctx)
	}
	result, err := load.Run(ctx, test.Options)
	server := end()
	view.finish()
	if err != nil {
		return err
	}
	result.Server, result.Scenario, result.Notes = server, o.scenario, test.notes
	if err := o.write(env, result); err != nil {
		return err
	}
	kept := ""
	if test.service != nil && !o.noKeep {
		kept = test.service.keep(ctx, env.Stderr, result, o.quiet)
	}
	test.live.came(result.Stopped, kept)
	return loadVerdict(ctx, result)
}

// length is how long a test takes.
func (t *loadTest) length() time.Duration {
	if t.Arrivals != nil {
		return t.Arrivals.Length()
	}
	return t.Duration
}

// loadVerdict turns a result into the exit code.
func loadVerdict(ctx context.Context, r *load.Result) error {
	switch {
	case ctx.Err() != nil:
		return whyDone(ctx)
	case strings.HasPrefix(r.Stopped, "the target is down"):
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s", r.Stopped)
	case r.Void:
		return greenlight.Errorf(greenlight.CodeUnavailable, "the test is void: %s", r.VoidReason)
	case !r.Passed():
		var failed []string
		for _, v := range r.Verdicts {
			if !v.OK {
				failed = append(failed, v.Threshold)
			}
		}
		return greenlight.Errorf(greenlight.CodeRefused, "not met: %s", strings.Join(failed, ", "))
	case r.AllFailed():
		return greenlight.Errorf(greenlight.CodeUnavailable, "every request failed (%d of %d), so this says nothing about the target's speed", r.Errors, r.Requests)
	}
	return nil
}

// prepare makes of the flags what every kind of test needs. dir is where the
// control plane of a service is looked for, "" here.
func (o *loadOptions) prepare(ctx context.Context, env Env, dir, target string) (*loadTest, error) {
	out := &loadTest{Options: load.Options{
		Connections: o.connections, Clients: o.clients, Think: o.think, Duration: o.duration, Warmup: o.warmup,
		Timeout: o.timeout, MaxLag: o.maxLag, CloseEach: o.closeEach, HTTP2: o.http2, KeepGoing: o.keepGoing,
	}}
	if err := o.checkCeilings(); err != nil {
		return nil, err
	}
	for _, text := range o.thresholds {
		t, err := load.ParseThreshold(text)
		if err != nil {
			return nil, &usageError{err}
		}
		out.Thresholds = append(out.Thresholds, t)
	}
	var err error
	if namesService(target) {
		if out.service, err = o.findLoaded(ctx, dir, target); err != nil {
			return nil, err
		}
		out.Target, err = out.service.target(ctx, o.path)
	} else if o.path != "" {
		err = &usageError{errors.New("--path is for a SERVICE; an address has its path in itself")}
	} else {
		out.Target, err = o.target(ctx, target)
	}
	if err != nil {
		return nil, err
	}
	o.speak(out)
	err = o.mix(env, out)
	return out, err
}

// checkRanges refuses numbers that no test can have.
func (o *loadOptions) checkRanges() error {
	switch {
	case o.rate < 0:
		return &usageError{fmt.Errorf("--rate is %v; it must be above 0", o.rate)}
	case o.clients < 0 || o.clients > load.MaxConnections:
		return &usageError{fmt.Errorf("--clients is %d; from 1 to %d are possible", o.clients, load.MaxConnections)}
	case o.connections < 1 || o.connections > load.MaxConnections:
		return &usageError{fmt.Errorf("--connections is %d; from 1 to %d are possible", o.connections, load.MaxConnections)}
	case o.duration < 0:
		return &usageError{fmt.Errorf("--duration is %s; it must be above 0", o.duration)}
	case o.steps < 1 && o.shape == "steps":
		return &usageError{fmt.Errorf("--steps is %d; it must be above 0", o.steps)}
	}
	return checkAnswerFlags(o.status, o.timeout)
}

// checkAnswerFlags refuses an answer that cannot come.
func checkAnswerFlags(status int, timeout time.Duration) error {
	switch {
	case timeout <= 0:
		return &usageError{fmt.Errorf("--timeout is %s; it must be above 0", timeout)}
	case status != 0 && (status < 100 || status > 599):
		return &usageError{fmt.Errorf("--expect-status is %d; a status is from 100 to 599", status)}
	}
	return nil
}

func (o *loadOptions) checkCeilings() error {
	if err := o.checkRanges(); err != nil {
		return err
	}
	switch {
	case o.think != 0 && o.clients == 0:
		return &usageError{errors.New("--think is for --clients: with a rate or a log, requests are due at fixed times")}
	case o.from != 0 && o.shape == "constant":
		return &usageError{errors.New("--from is for --shape ramp, steps or spike; a constant rate is --rate alone")}
	case o.speed != 0 && o.speed != 1 && o.log == "":
		return &usageError{errors.New("--speed is for --replay")}
	case o.rate > 0 && o.clients > 0, o.log != "" && o.rate+float64(o.clients) > 0:
		return &usageError{fmt.Errorf("--rate, --clients and --replay are different models; give one")}
	case o.rate > o.maxRate || o.from > o.maxRate:
		return &usageError{fmt.Errorf("the rate is above --max-rate %v; raise that if you mean it", o.maxRate)}
	case o.duration > o.maxDuration:
		return &usageError{fmt.Errorf("the duration is above --max-duration %v; raise that if you mean it", o.maxDuration)}
	}
	return nil
}

// target resolves the URL and holds it against --i-own-this-target.
func (o *loadOptions) target(ctx context.Context, text string) (*load.Target, error) {
	t, err := load.ParseTarget(ctx, text)
	if err != nil {
		return nil, err
	}
	if !t.Loopback() && !o.own {
		return nil, greenlight.Errorf(greenlight.CodeRefused, "%s is not this machine; load only what is yours, and say so with --i-own-this-target", t.Address)
	}
	if t.TLS == nil {
		if o.ca != "" || o.insecure {
			return nil, &usageError{fmt.Errorf("--ca and --insecure are for https")}
		}
		return t, nil
	}
	t.TLS.InsecureSkipVerify = o.insecure //nolint:gosec // asked for by name
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, greenlight.WithCode(greenlight.CodeNotFound, err)
		}
		t.TLS.RootCAs = x509.NewCertPool()
		if !t.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "%s holds no certificate", o.ca)
		}
	}
	t.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(1024)
	return t, nil
}

// plan says when requests are due, unless that is known already.
func (o *loadOptions) plan(test *loadTest) error {
	if test.Arrivals != nil {
		return nil
	}
	var err error
	if o.log == "" {
		test.Arrivals, err = o.arrivals()
		return err
	}
	log, err := o.readLog(test)
	if err == nil {
		test.Arrivals, err = o.replayed(log.Times())
	}
	return err
}

// arrivals is the plan of the open model, nil for the closed one.
func (o *loadOptions) arrivals() (*load.Arrivals, error) {
	if o.clients > 0 {
		return nil, nil
	}
	if o.rate <= 0 {
		return nil, &usageError{fmt.Errorf("how much? give --rate (requests a second) or --clients")}
	}
	switch o.shape {
	case "constant":
		return load.Constant(o.rate, o.duration)
	case "ramp":
		return load.Ramp(o.from, o.rate, o.duration)
	case "steps":
		return load.Steps(o.from, o.rate, o.steps, o.duration)
	case "spike":
		return load.Spike(o.from, o.rate, o.duration)
	}
	return nil, &usageError{fmt.Errorf("--shape %q is unknown; want constant, ramp, steps or spike", o.shape)}
}
