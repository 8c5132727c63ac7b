package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"path/filepath"
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
	proof, replay     string
	speed             float64
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
the exit code 1. With a --threshold that is not met the exit code is 3.

--requests takes a file with a request on each line, in turn or by weight:

  {"path":"/a","weight":3}
  {"path":"/b?n={{random 1 9}}","body":{"x":1},"expect":{"status":201}}
  {"path":"/login","save":{"t":"data.token"},"then":[{"path":"/me?t={{t}}"}]}

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
	cmd.AddCommand(newLoadKnee(env), newLoadCompare(env), newLoadList(env), newLoadShow(env))
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
	f.StringVar(&o.replay, "replay", "", "access log whose times the requests are due at, instead of --rate")
	f.Float64Var(&o.speed, "speed", 1, "of the replay: 2 is twice as fast")
	f.IntVar(&o.clients, "clients", 0, "clients that send one request after the other (closed model)")
	f.DurationVar(&o.think, "think", 0, "pause of a client between an answer and its next request")
	f.DurationVar(&o.duration, "duration", 10*time.Second, "how long")
	f.DurationVar(&o.warmup, "warmup", 0, "part of it, at the start, that is not counted")
}

// addReportFlags adds what is done with the result.
func (o *loadOptions) addReportFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.thresholds, "threshold", nil, "what the result must meet: p99<50ms, errors<0.1%, rate>=500/s; may be given several times")
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
	if test.Arrivals, err = o.arrivals(); err != nil {
		return err
	}
	return o.run(ctx, env, test)
}

// loadTest is a test that can begin; service is nil for a plain address.
type loadTest struct {
	load.Options
	service *loadedService
}

// run runs a test, with what its service saw of it, and does with the result
// what the flags say.
func (o *loadOptions) run(ctx context.Context, env Env, test *loadTest) error {
	live := newLoadView(env.Stderr, o.quiet, test.Options)
	test.Observe = live.observe
	end := func() *load.Server { return nil }
	if test.service != nil {
		end = test.service.watch(ctx)
	}
	result, err := load.Run(ctx, test.Options)
	server := end()
	live.finish()
	if err != nil {
		return err
	}
	result.Server, result.Scenario = server, o.scenario
	if err := o.write(env, result); err != nil {
		return err
	}
	if test.service != nil && !o.noKeep {
		test.service.keep(ctx, env.Stderr, result, o.quiet)
	}
	return loadVerdict(ctx, result)
}

// loadVerdict turns a result into the exit code.
func loadVerdict(ctx context.Context, r *load.Result) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
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
	out.Mix, err = o.mix(env, out)
	return out, err
}

func (o *loadOptions) checkCeilings() error {
	switch {
	case o.rate > 0 && o.clients > 0, o.replay != "" && o.rate+float64(o.clients) > 0:
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

// mix is what is sent: the file of requests, or the one of the flags.
func (o *loadOptions) mix(env Env, test *loadTest) (*load.Mix, error) {
	t := test.Target
	rows, err := o.rows()
	if err != nil {
		return nil, err
	}
	fields, err := parseFields(o.headers)
	if err != nil {
		return nil, err
	}
	expect := load.Expect{Status: o.status, Contains: o.contains}
	var requests []load.Request
	switch {
	case o.requests != "" && (o.body != "" || o.method != ""):
		return nil, &usageError{fmt.Errorf("--requests names method and body of each request; leave --method and --body out")}
	case o.requests != "" && o.proof != "":
		return nil, &usageError{fmt.Errorf("--requests and --proof both say what is sent; give one")}
	case o.proof != "":
		requests, err = o.proofRequests(t, fields, expect)
	case o.requests != "":
		if requests, err = o.fileRequests(env); test.service != nil {
			test.service.relative(requests)
		}
		for i := range requests {
			requests[i].Header = append(requests[i].Header, fields...)
			if requests[i].Expect == (load.Expect{}) {
				requests[i].Expect = expect
			}
		}
	case test.service != nil && o.path+o.method+o.body == "":
		requests = make([]load.Request, 1)
		requests[0], err = test.service.sample()
		requests[0].Header, requests[0].Expect = fields, expect
	default:
		r := load.Request{Method: strings.ToUpper(o.method), Header: fields, Expect: expect}
		if r.Body, err = readBody(env, o.body); r.Body != "" && r.Method == "" {
			r.Method = "POST"
		}
		requests = []load.Request{r}
	}
	if err != nil {
		return nil, err
	}
	return load.NewMix(t, requests, rows, !o.closeEach, o.seed)
}

// fileRequests are those of JSON lines or of a HAR file.
func (o *loadOptions) fileRequests(env Env) (requests []load.Request, err error) {
	err = readLoadFile(o.requests, func(in io.Reader) (err error) {
		if filepath.Ext(o.requests) != ".har" {
			requests, err = load.ReadRequests(in)
			return err
		}
		others := 0
		if requests, others, err = load.ReadHAR(in); others > 0 {
			fmt.Fprintf(env.Stderr, "%s: %d requests to other origins are left out\n", o.requests, others)
		}
		return err
	})
	return requests, err
}

// proofRequests are the rows of a model's proof.
func (o *loadOptions) proofRequests(t *load.Target, fields []load.Field, expect load.Expect) (requests []load.Request, err error) {
	name := o.proof
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, "proof.json")
	}
	err = readLoadFile(name, func(in io.Reader) (err error) {
		requests, err = load.ReadProof(in, t.URL.Path)
		return err
	})
	for i := range requests {
		requests[i].Header, requests[i].Expect = fields, expect
	}
	return requests, err
}

func (o *loadOptions) rows() (rows *load.Rows, err error) {
	if o.data == "" {
		return nil, nil
	}
	err = readLoadFile(o.data, func(in io.Reader) error {
		if filepath.Ext(o.data) == ".csv" {
			rows, err = load.ReadCSVRows(in)
		} else {
			rows, err = load.ReadJSONRows(in)
		}
		return err
	})
	return rows, err
}

func readLoadFile(name string, read func(io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func readBody(env Env, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	var body string
	read := func(in io.Reader) error {
		data, err := io.ReadAll(io.LimitReader(in, load.MaxBody+1))
		body = string(data)
		return err
	}
	if name == "-" {
		return body, read(env.Stdin)
	}
	err := readLoadFile(name, read)
	return body, err
}

func parseFields(texts []string) ([]load.Field, error) {
	var fields []load.Field
	for _, text := range texts {
		name, value, found := strings.Cut(text, ":")
		if !found {
			return nil, &usageError{fmt.Errorf("--header %q has no colon; want 'NAME: VALUE'", text)}
		}
		fields = append(fields, load.Field{Name: textproto.TrimString(name), Value: textproto.TrimString(value)})
	}
	return fields, nil
}

// arrivals is the plan of the open model, nil for the closed one.
func (o *loadOptions) arrivals() (*load.Arrivals, error) {
	if o.clients > 0 {
		return nil, nil
	}
	if o.replay != "" {
		return o.replayed()
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

// replayed is a plan of recorded times, held against the ceilings.
func (o *loadOptions) replayed() (a *load.Arrivals, err error) {
	var times []time.Duration
	err = readLoadFile(o.replay, func(in io.Reader) (err error) {
		times, err = load.ReadTimes(in)
		return err
	})
	if err != nil {
		return nil, err
	}
	if a, err = load.Replay(times, o.speed); err != nil {
		return nil, err
	}
	switch {
	case a.Length() > o.maxDuration:
		return nil, &usageError{fmt.Errorf("%s spans %v, above --max-duration %v; raise that or --speed", o.replay, a.Length().Round(time.Second), o.maxDuration)}
	case a.Peak() > o.maxRate:
		return nil, &usageError{fmt.Errorf("%s has a second of %.0f requests, above --max-rate %v; raise that or lower --speed", o.replay, a.Peak(), o.maxRate)}
	}
	return a, nil
}
