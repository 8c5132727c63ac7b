package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	greenlight "github.com/greenlight-dev/greenlight"
	simulation "github.com/greenlight-dev/greenlight/capacity/latency"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/measure"
	"github.com/greenlight-dev/greenlight/spec"
)

// measureFlags say how it is measured.
type measureFlags struct {
	cpu              float64
	rounds           int
	warmup, duration time.Duration
	clients          int
	attempts         int
	wait             time.Duration
	quiet            bool
}

func (o *measureFlags) addFlags(f *pflag.FlagSet) {
	f.Float64Var(&o.cpu, "cpu", 0, "cores that each replica is held to (default: resources.cpu of the description, else as many as fit)")
	f.IntVar(&o.clients, "clients", 0, "clients for each replica, one request after the other (default: found out)")
	o.addRunFlags(f)
}

func (o *measureFlags) addRunFlags(f *pflag.FlagSet) {
	f.IntVar(&o.rounds, "rounds", 3, "how often each number of replicas is measured")
	f.DurationVar(&o.warmup, "warmup", time.Second, "before each run, not counted")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "of each run")
	f.IntVar(&o.attempts, "attempts", 3, "at a run that shows something else than the replicas, before the measurement is void")
	f.DurationVar(&o.wait, "wait", time.Minute, "before a run, for other processes of this machine to leave it room")
	f.BoolVar(&o.quiet, "quiet", false, "no progress")
}

func (o *measureFlags) options(replicas []int, progress func(string)) measure.Options {
	return measure.Options{
		Replicas: replicas, Quota: o.cpu, Cores: runtime.NumCPU(), Rounds: o.rounds, Warmup: o.warmup, Duration: o.duration,
		Clients: o.clients, Attempts: o.attempts, Gateway: measure.GatewayStage, Seed: uint64(time.Now().UnixNano()), Progress: progress, //nolint:gosec // any number will do
	}
}

type capacityPlanOptions struct {
	measureFlags
	demandFlags
	subject  measuredSystem
	connect  connectOptions
	replicas []int
	stages   stageFlags
	out      string
	json     bool
}

func newCapacityPlan(env Env) *cobra.Command {
	var o capacityPlanOptions
	cmd := &cobra.Command{
		Use:   "plan [ENV/]SERVICE [DIR|FILE]",
		Short: "Measure a service, and plan how many replicas it needs",
		Long: `Measure what 1, 2, 3, 4 replicas of a service carry, fit the scalability law,
forecast the demand, and decide how many replicas each period needs.

What is measured is not production: a system of its own is brought up on this
machine from the description in this folder, DIR or FILE, with that service and
what it depends on. Each replica is held to so many cores by control groups, and
saturated through a gateway. A measurement that shows the generator, the gateway
or other work of this machine is void, and the exit code 1. What replicas share,
a database or a cache, is measured alone when it is named with --stage, by a URL
of this machine; what nobody names is looked for by giving the replicas more cores.
Use copies: whatever the requests do, they do it many times.

A PostgreSQL database is measured by what one request does there: the statements
of a file (--stage-sql), sent together by each client on a connection of its own.
One operation is the whole file; it is one transaction, unless BEGIN and COMMIT in
it say otherwise. The password comes from PGPASSWORD, ~/.pgpass or a service file,
never from the URL. The server's limits on connections bound the clients.

The demand is stated with --rate and --growth, or forecast from --history: own is
the traffic that the running control plane counted, with its trend and season as
far as it reaches back (greenlight capacity traffic prints it).

Where the peak of a period is not met, whatever the number of replicas, the plan says
so. It is made all the same, and the exit code 0; greenlight capacity what-if
PLAN.json is the gate that ends with 3 then.

plan.md, plan.html and plan.json are written to --out, and beside them
replicas.yaml and hpa.yaml with the scaling settings. greenlight capacity check
holds the plan against a measurement at a number of replicas that was not fitted,
and later against what production did.

The control plane that runs the service, where there is one, keeps the plan and
shows it in its console, where sliders say what would be if something changed: the
one beside the description, or that of --state or --control. greenlight capacity
what-if does the same with plan.json.
` + exitCodesHelp,
		Example: `  greenlight capacity plan penguins --rate 400 --growth 5%/month --slo 'p99<50ms'
  greenlight capacity plan production/api --history own --slo 'p99<50ms'
  greenlight capacity plan production/api shop --history traffic.csv --event 'sale=2027-03-08..2027-03-15:x1.5'
  greenlight capacity plan api --rate 50 --path /cart --stage cache=http://127.0.0.1:9000/cart/7
  greenlight capacity plan api --rate 50 --path /cart \
      --stage database=postgres://app@127.0.0.1:5432/shop --stage-sql database=cart.sql`,
		Args: takes(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), env, args[0], optionalArgument(args[1:], "."))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	o.demandFlags.addFlags(f)
	f.IntSliceVar(&o.replicas, "replicas", []int{1, 2, 3, 4}, "how many are measured")
	o.measureFlags.addFlags(f)
	o.stages.addFlags(f)
	o.subject.addFlags(f)
	f.StringVar(&o.out, "out", "capacity-plan", "folder that the plan is written to")
	f.BoolVar(&o.json, "json", false, "print the plan as JSON")
	o.connect.register(cmd)
	return cmd
}

func (o *capacityPlanOptions) run(ctx context.Context, env Env, service, arg string) error {
	now := env.now()
	in, err := o.input(now, func() (history, error) { return o.ownHistory(ctx, env.Stderr, service, arg, now) })
	if err != nil {
		return err
	}
	stages, err := o.stages.parse(ctx)
	if err != nil {
		return err
	}
	if err := o.subject.choose(env.Stderr, service, arg); err != nil {
		return err
	}
	progress := newStepProgress(env.Stderr, o.quiet)
	defer progress.finish()
	found, err := o.measure(ctx, &env, stages, progress, in)
	if err != nil {
		return err
	}
	progress.step("simulating response times")
	if in.Latency, err = o.latency(ctx, found, in.Policy); err != nil {
		return err
	}
	in.Measurements, in.Larger, in.Stages = found.Measurements(), found.Larger, found.Stages
	p, err := plan.Make(*in)
	if err != nil {
		return err
	}
	progress.finish()
	if err := o.write(p, found); err != nil {
		return err
	}
	keeper := planKeeper{o.connect, env.Stderr, o.quiet, o.subject.Description, serviceName{o.subject.Environment, o.subject.Service}}
	defer keeper.keep(ctx, p)
	if o.json {
		return writeJSON(env.Stdout, p)
	}
	if err := printCapacityPlan(env.Stdout, p); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "\nread        %s, or plan.md beside it\nuse         replicas.yaml (greenlight.yaml) or hpa.yaml (Kubernetes)\ncheck       greenlight capacity check %s --at %d\n",
		filepath.Join(o.out, "plan.html"), shellWord(filepath.Join(o.out, "plan.json")), usualAt(p))
	return err
}

// ownHistory is what the control plane of a description counted of the
// service.
func (o *capacityPlanOptions) ownHistory(ctx context.Context, stderr io.Writer, service, arg string, now time.Time) (history, error) {
	if err := o.subject.choose(stderr, service, arg); err != nil {
		return history{}, err
	}
	if arg == "." {
		arg = "" // or a folder above
	}
	c, err := o.connect.connect(arg)
	if err != nil {
		return history{}, err
	}
	h, err := ownHistory(ctx, c, serviceName{o.subject.Environment, o.subject.Service}, now)
	h.said = stderr
	return h, err
}

// input is what the flags say, checked before anything is measured.
func (o *capacityPlanOptions) input(now time.Time, own func() (history, error)) (*plan.Input, error) {
	in := &plan.Input{At: now}
	var err error
	if in.SLO, err = o.objectives(); err != nil {
		return nil, err
	}
	if in.Policy, err = o.policy(); err != nil {
		return nil, err
	}
	if in.Demand, err = o.demand(now, own); err != nil {
		return nil, err
	}
	if in.Prices, err = o.priceList(); err != nil {
		return nil, err
	}
	if len(slices.Compact(slices.Sorted(slices.Values(o.replicas)))) < 3 {
		return nil, &usageError{errors.New("--replicas: three different numbers are the least that a law can be fitted to")}
	}
	if len(o.replicas)*o.rounds < 4 {
		return nil, &usageError{errors.New("three measurements leave no error to estimate; measure more numbers of --replicas, or more --rounds")}
	}
	return in, o.subject.settle()
}

// choose finds the description, environment and service that are meant.
func (m *measuredSystem) choose(stderr io.Writer, service, arg string) error {
	if environment, name, found := strings.Cut(service, "/"); found {
		m.Environment, service = environment, name
	}
	if m.opened == nil {
		var err error
		if m.opened, err = openDescription(stderr, arg, m.Environment); err != nil {
			return err
		}
	}
	m.Description, m.Environment, m.Service = m.opened.path, m.opened.environment, service
	return nil
}

// resolved is the description, opened and resolved once, with what it
// describes.
func (m *measuredSystem) resolved(stderr io.Writer) (_ *description, _ *spec.System, err error) {
	if m.opened == nil {
		if m.opened, err = openDescription(stderr, m.Description, m.Environment); err != nil {
			return nil, nil, err
		}
	}
	if m.system == nil {
		m.system, err = m.opened.resolve(stderr, true)
	}
	return m.opened, m.system, err
}

// measure brings the system up, measures it, and stops it.
func (o *capacityPlanOptions) measure(ctx context.Context, env *Env, stages []sharedStage, progress *stepProgress, in *plan.Input) (found *measure.Evidence, err error) {
	ctx, stop := untilHangup(ctx)
	defer stop()
	cores, err := o.subject.cores(env.Stderr)
	if err != nil {
		return nil, err
	}
	if o.cpu == 0 {
		o.cpu = cores
	}
	options := o.options(o.replicas, progress.step)
	options.Stages = stageNames(stages)
	if err := options.Check(); err != nil {
		return nil, misused(err) // before anything runs
	}
	if err := writable(o.out); err != nil {
		return nil, err
	}
	in.Notes = append(in.Notes, machineNote(env.Build.Version))
	progress.step(fmt.Sprintf("bringing up a system of its own with %s", o.subject.Service))
	t, err := env.bringUp(ctx, &o.subject, stages, cmp.Or(o.cpu, measure.FirstQuota))
	if err != nil {
		return nil, err
	}
	t.Wait = o.wait
	defer func() {
		progress.step("stopping it")
		err = errors.Join(err, t.end())
	}()
	if found, err = measure.Measure(ctx, t, options); err != nil {
		return nil, err
	}
	mark(found.Stages, stages)
	in.System, in.Service = t.system.Name, o.subject.Service
	in.Replica = plan.Replica{CPU: found.Quota, Memory: t.Memory, Start: t.Start}
	in.Notes = append(in.Notes, fmt.Sprintf("%d runs of %s counted, %d were repeated because they showed something else; each replica had %d clients.",
		len(found.Runs)+len(found.Lifted), o.duration, found.Repeated, found.Clients))
	in.Notes = append(append(in.Notes, t.notes...), found.Notes...)
	return found, nil
}

// cores are those that the description gives a replica of the service, 0 for
// none.
func (m *measuredSystem) cores(stderr io.Writer) (float64, error) {
	_, system, err := m.resolved(stderr)
	if err != nil {
		return 0, err
	}
	for i := range system.Services {
		if s := &system.Services[i]; s.Name == m.Service {
			return float64(s.Resources.CPU) / 1000, nil
		}
	}
	var names []string
	for i := range system.Services {
		names = append(names, system.Services[i].Name)
	}
	return 0, greenlight.Errorf(greenlight.CodeNotFound, "environment %s has no service %q, only %s", m.Environment, m.Service, strings.Join(names, ", "))
}

// latency simulates response times with the variation that was measured.
func (o *capacityPlanOptions) latency(ctx context.Context, found *measure.Evidence, policy plan.Policy) (plan.Latency, error) {
	service, err := simulation.Measured(found.ServiceTimes())
	if err != nil {
		return plan.Latency{}, err
	}
	surface, err := simulation.NewSurface(ctx, simulation.Config{
		Replicas: policy.MaxReplicas, Concurrency: found.Parallel(), Balancer: simulation.LeastOfTwo, Service: service, Seed: 1,
	})
	return plan.Latency{Surface: surface, Outside: found.Outside}, err
}

// capacityEvidence is the file beside a plan that it was made from.
type capacityEvidence struct {
	Format   string            `json:"format"`
	Measured measuredSystem    `json:"measured"`
	Evidence *measure.Evidence `json:"evidence"`
}

const capacityFormat = "greenlight-capacity/1"

// writable tries whether a folder can be written into, or made, before the
// minutes that it takes to get what is to be written. It leaves nothing behind:
// a void measurement writes no plan.
func writable(folder string) error {
	at := filepath.Clean(folder)
	_, err := os.Stat(at)
	for errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
		_, err = os.Stat(at)
	}
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(at, ".plan-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return &usageError{fmt.Errorf("--out %s cannot be written to: %w", folder, err)}
	}
	return nil
}

func (o *capacityPlanOptions) write(p *plan.Plan, found *measure.Evidence) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return err
		}
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"plan.json", func(w io.Writer) error { return writeJSON(w, p) }},
		{"plan.md", p.WriteMarkdown}, {"plan.html", p.WriteHTML},
		{"evidence.json", func(w io.Writer) error {
			return writeJSON(w, capacityEvidence{capacityFormat, o.subject.seenFrom(o.out), found})
		}},
		{"replicas.yaml", text(p.ReplicasYAML())}, {"hpa.yaml", text(p.HPA())},
	} {
		if err := writeCapacityFile(filepath.Join(o.out, f.name), f.write); err != nil {
			return err
		}
	}
	return nil
}

func writeCapacityFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// readCapacityPlan reads a plan and what it was made from.
func readCapacityPlan(path string) (*plan.Plan, *capacityEvidence, error) {
	var p plan.Plan
	if err := readCapacityJSON(path, &p); err != nil {
		return nil, nil, err
	}
	if p.Version != plan.Version || len(p.Curve) == 0 || p.Service == "" {
		return nil, nil, greenlight.Errorf(greenlight.CodeInvalid, "%s is no capacity plan of version %d", path, plan.Version)
	}
	beside := filepath.Join(filepath.Dir(path), "evidence.json")
	var e capacityEvidence
	if err := readCapacityJSON(beside, &e); err != nil {
		return nil, nil, err
	}
	if e.Format != capacityFormat || e.Evidence == nil || !(e.Evidence.Quota > 0) || e.Measured.Service != p.Service {
		return nil, nil, greenlight.Errorf(greenlight.CodeInvalid, "%s is not what %s was made from", beside, path)
	}
	e.Measured = e.Measured.foundFrom(filepath.Dir(path))
	return &p, &e, nil
}

// mostPlanBytes bounds a plan that is read.
const mostPlanBytes = 64 << 20

func readCapacityJSON(path string, to any) error {
	f, err := os.Open(path)
	if err != nil {
		return greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, mostPlanBytes)).Decode(to); err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "%s: %w", path, err)
	}
	return nil
}

// stepProgress tells on standard error what is being done: on a terminal in
// one line, elsewhere in a line each.
type stepProgress struct {
	w        io.Writer
	terminal bool
	off      bool
	start    time.Time
	shown    bool
}

func newStepProgress(w io.Writer, off bool) *stepProgress {
	return &stepProgress{w: w, off: off, terminal: isTerminal(w), start: time.Now()}
}

func (p *stepProgress) step(text string) {
	if p.off {
		return
	}
	line := fmt.Sprintf("%4.0f s  %s", time.Since(p.start).Seconds(), text)
	if !p.terminal {
		fmt.Fprintln(p.w, line)
		return
	}
	p.shown = true
	fmt.Fprint(p.w, "\r\x1b[K"+fitting(p.w, line))
}

func (p *stepProgress) finish() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
