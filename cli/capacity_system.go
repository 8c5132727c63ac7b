package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/measure"
	"github.com/greenlight-dev/greenlight/spec"
)

// measuredSystem says what is measured and by which requests. It is kept beside
// a plan, so that the same can be measured again. Header fields are not: they
// may hold secrets.
type measuredSystem struct {
	Description string `json:"description"` // absolute path; in a file, seen from its folder
	Environment string `json:"environment"`
	Service     string `json:"service"`

	Method   string   `json:"method,omitempty"`
	Path     string   `json:"path,omitempty"`
	Body     string   `json:"body,omitempty"` // file, as the others
	Requests string   `json:"requests,omitempty"`
	Data     string   `json:"data,omitempty"`
	Status   int      `json:"status,omitempty"`
	headers  []string // not kept, as what follows
	timeout  time.Duration

	opened *description
	system *spec.System // that it describes, once it was resolved
}

func (m *measuredSystem) addFlags(f *pflag.FlagSet) {
	f.StringVar(&m.Method, "method", "", "method (default GET, with a body POST)")
	f.StringVar(&m.Path, "path", "", "path as the service sees it (default: the model's for predictions, / for programs)")
	f.StringVar(&m.Body, "body", "", "file with the body (default for models: the rows of its proof, or one that it names itself)")
	f.StringVar(&m.Requests, "requests", "", "file of requests, as for greenlight load")
	f.StringVar(&m.Data, "data", "", "CSV or JSON lines whose columns fill {{name}} in the requests")
	f.IntVar(&m.Status, "expect-status", 0, "status of a right answer (default: any below 400)")
	m.addHeaderFlag(f)
}

func (m *measuredSystem) addHeaderFlag(f *pflag.FlagSet) {
	f.StringArrayVar(&m.headers, "header", nil, "header field 'NAME: VALUE' of every request; may be given several times")
	f.DurationVar(&m.timeout, "timeout", 10*time.Second, "for one answer")
}

// settle makes paths absolute, because what is kept is used from elsewhere.
func (m *measuredSystem) settle() error {
	for _, p := range []*string{&m.Body, &m.Requests, &m.Data} {
		if *p == "-" {
			return &usageError{errors.New("standard input cannot be measured again; give a file")}
		}
		if *p == "" {
			continue
		}
		full, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = full
	}
	return nil
}

// seenFrom is the same with paths as seen from a folder, so that a plan moves
// with what it is of. What has no way there stays absolute.
func (m measuredSystem) seenFrom(folder string) measuredSystem {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return m
	}
	for _, p := range m.files() {
		if rest, err := filepath.Rel(folder, *p); *p != "" && err == nil {
			*p = filepath.ToSlash(rest)
		}
	}
	return m
}

// foundFrom undoes seenFrom.
func (m measuredSystem) foundFrom(folder string) measuredSystem {
	for _, p := range m.files() {
		if path := filepath.FromSlash(*p); *p != "" && !filepath.IsAbs(path) {
			*p = filepath.Join(folder, path)
		}
	}
	return m
}

func (m *measuredSystem) files() []*string {
	return []*string{&m.Description, &m.Body, &m.Requests, &m.Data}
}

// temporarySystem is a system that runs in this process to be measured.
type temporarySystem struct {
	measure.System
	plane  *runningPlane
	client *client.Client
	state  string
	system *spec.System
	notes  []string // for the plan, of its stages
}

// bringUp starts a system of its own with one service of a description, what
// that depends on, and a service that does nothing. Its end must be called.
func (env *Env) bringUp(ctx context.Context, m *measuredSystem, stages []sharedStage, cores float64) (*temporarySystem, error) {
	if err := m.check(ctx, env); err != nil {
		return nil, err
	}
	d, system, err := m.resolved(env.Stderr)
	if err != nil {
		return nil, err
	}
	t := &temporarySystem{system: system}
	t.System = measure.System{Environment: d.environment, Service: m.Service, Patience: 2 * time.Minute}
	if t.state, err = os.MkdirTemp("", "greenlight-capacity-"); err != nil {
		return nil, err
	}
	program, err := lastingProgram(t.state)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(t.state))
	}
	t.Describe = func(cores float64) (control.Description, error) {
		text, err := measure.Isolate([]byte(d.text), system, measure.Isolated{
			Environment: d.environment, Service: m.Service, Cores: cores, Nothing: []string{program, "capacity", "nothing"},
		})
		sent := d.sent()
		sent.Text = text
		return sent, err
	}
	if err := t.start(ctx, env, m, stages, cores); err != nil {
		return nil, errors.Join(err, t.end())
	}
	return t, nil
}

func (t *temporarySystem) start(ctx context.Context, env *Env, m *measuredSystem, stages []sharedStage, cores float64) error {
	if _, err := t.Describe(cores); err != nil {
		return err // before anything runs
	}
	var err error
	// It goes on when ctx is done: only a control plane that runs can stop what
	// it started.
	if t.plane, err = env.startPlane(context.WithoutCancel(ctx), &planeFlags{gateway: "127.0.0.1:0", control: ""}, t.state); err != nil {
		return err
	}
	if t.client, err = t.plane.client(ctx); err != nil {
		return err
	}
	t.Plane = t.client
	if err := t.Limit(ctx, cores); err != nil {
		return t.explain(ctx, err)
	}
	status, err := t.client.Status(ctx)
	if err != nil {
		return err
	}
	t.Places = make(map[string]measure.Place)
	base := "http://" + status.Gateway.Address
	if t.Places[""], err = t.servicePlace(ctx, env, m, base); err != nil {
		return err
	}
	if t.Places[measure.GatewayStage], err = httpPlace(ctx, base+"/"+measure.GatewayStage, m.timeout); err != nil {
		return err
	}
	for i := range stages {
		place, note, err := stages[i].place(ctx, base, m.timeout)
		if err != nil {
			return fmt.Errorf("--stage %s: %w", stages[i].name, err)
		}
		t.Places[stages[i].name] = place
		t.notes = append(t.notes, note...)
	}
	return t.answers(ctx, base)
}

// answers waits until the gateway has the route of what was started last.
func (t *temporarySystem) answers(ctx context.Context, base string) error {
	for deadline := time.Now().Add(t.Patience); ; {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/"+measure.GatewayStage, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(answer.Status)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return greenlight.Errorf(greenlight.CodeUnavailable, "the gateway of the temporary system does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// explain adds what a replica that does not start has written.
func (t *temporarySystem) explain(ctx context.Context, err error) error {
	var lines []string
	_ = t.client.Logs(ctx, t.Environment, t.Service, control.LogQuery{Tail: shownTail}, func(l control.LogLine) error {
		lines = append(lines, l.Text)
		return nil
	})
	if len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w\n  the last it wrote:%s", err, tailText(lines))
}

// servicePlace is where the service is asked, and what.
func (t *temporarySystem) servicePlace(ctx context.Context, env *Env, m *measuredSystem, base string) (measure.Place, error) {
	path, sample := m.Path, ""
	if path == "" {
		detail, err := t.client.Service(ctx, t.Environment, t.Service)
		if err != nil {
			return measure.Place{}, err
		}
		path = "/"
		if len(detail.Models) > 0 {
			path, sample = detail.Models[0].Path, string(detail.Models[0].Sample)
		}
	}
	target, err := load.ParseTarget(ctx, base+path)
	if err != nil {
		return measure.Place{}, err
	}
	return m.place(env, target, t.proof(m), sample)
}

// check refuses requests that can never be sent, before anything runs: it makes
// them for a target that nobody asks.
func (m *measuredSystem) check(ctx context.Context, env *Env) error {
	if m.Path != "" && !strings.HasPrefix(m.Path, "/") {
		return &usageError{fmt.Errorf("--path %q: want a path that begins with /", m.Path)}
	}
	if err := checkAnswerFlags(m.Status, m.timeout); err != nil {
		return err
	}
	target, err := load.ParseTarget(ctx, "http://127.0.0.1:1"+m.Path)
	if err != nil {
		return err
	}
	silent := *env
	silent.Stderr = io.Discard // what the requests leave out is told when they are used
	_, err = m.place(&silent, target, "", "")
	return err
}

// place is a target and the requests for it.
func (m *measuredSystem) place(env *Env, target *load.Target, proof, sample string) (measure.Place, error) {
	place := measure.Place{Target: target, Timeout: m.timeout}
	requests, err := m.requests(env, target, proof, sample)
	if err != nil {
		return place, err
	}
	rows, err := (&loadOptions{data: m.Data}).rows()
	if err != nil {
		return place, err
	}
	place.Mix, err = load.NewMix(target, requests, rows, true, 1)
	return place, err
}

// requests are those of the flags, else the rows of a model's proof, else the
// request that a model names itself, else a GET.
func (m *measuredSystem) requests(env *Env, target *load.Target, proof, sample string) (requests []load.Request, err error) {
	model := sample != "" && m.Body+m.Requests+m.Method == ""
	switch {
	case m.Requests != "" && m.Body+m.Method != "":
		return nil, &usageError{errors.New("--requests names method and body of each request; leave --method and --body out")}
	case m.Requests != "":
		requests, err = (&loadOptions{requests: m.Requests}).fileRequests(*env)
	case model && proof != "":
		err = readLoadFile(proof, func(in io.Reader) (err error) {
			requests, err = load.ReadProof(in, target.URL.Path)
			return err
		})
	case model:
		requests = []load.Request{{Method: http.MethodPost, Body: sample, Verbatim: true}}
	default:
		r := load.Request{Method: strings.ToUpper(m.Method)}
		if r.Body, err = readBody(*env, m.Body); r.Body != "" && r.Method == "" {
			r.Method = http.MethodPost
		}
		requests = []load.Request{r}
	}
	if err != nil {
		return nil, err
	}
	fields, err := parseFields(m.headers)
	for i := range requests {
		requests[i].Header = append(requests[i].Header, fields...)
		if requests[i].Expect == (load.Expect{}) {
			requests[i].Expect = load.Expect{Status: m.Status}
		}
	}
	return requests, err
}

// proof is the proof beside the service's only model, "" for none.
func (t *temporarySystem) proof(m *measuredSystem) string {
	for i := range t.system.Services {
		s := &t.system.Services[i]
		if s.Name != t.Service || len(s.Models) != 1 {
			continue
		}
		folder := filepath.Join(descriptionFolder(m.Description), s.Models[0].Path)
		if !isFolder(folder) {
			folder = filepath.Dir(folder)
		}
		file := filepath.Join(folder, "proof.json")
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

func descriptionFolder(arg string) string {
	if isFolder(arg) {
		return arg
	}
	return filepath.Dir(arg)
}

// end stops everything that was started and removes what it left.
func (t *temporarySystem) end() error {
	var err error
	if t.plane != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if t.client != nil {
			err = t.client.Down(ctx)
			select {
			case <-t.plane.ended.Done():
			case <-ctx.Done():
				err = greenlight.Errorf(greenlight.CodeUnavailable, "the temporary system does not stop; its state is in %s", t.state)
			}
		}
		t.plane.stop()
		err = errors.Join(err, t.plane.wait())
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(t.state)
}

// newCapacityNothing is the service that does nothing.
func newCapacityNothing() *cobra.Command {
	return &cobra.Command{
		Use: "nothing", Hidden: true, Args: takes(0, 0),
		Short: "Answer every request at once, on $PORT",
		Long: `Answer every request at once, on the port of the variable PORT. With nothing to do
behind it, what the gateway carries is its own ceiling.
` + exitCodesHelp,
		Example: `  PORT=9000 greenlight capacity nothing`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var config net.ListenConfig
			listener, err := config.Listen(cmd.Context(), "tcp", net.JoinHostPort("127.0.0.1", os.Getenv("PORT")))
			if err != nil {
				return err
			}
			server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte("ok\n"))
			})}
			stop := context.AfterFunc(cmd.Context(), func() { _ = server.Close() })
			defer stop()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
}

// machineNote says what was measured on, and what else it had to do.
func machineNote(version string) string {
	text := fmt.Sprintf("Measured by Greenlight %s on %d cores (%s/%s)", version, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	if model := processorName(); model != "" {
		text += ", " + model
	}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		fields := strings.Fields(string(data))
		text += ", load average " + fields[0] + " when it began"
	}
	return text + "."
}

func processorName() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
