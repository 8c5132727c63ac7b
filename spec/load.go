package spec

import (
	"path"
	"slices"
	"strings"
	"time"
)

// LoadTest is a load test that the description names: a scenario. It is no
// part of the desired state, so that changing one changes nothing that runs.
type LoadTest struct {
	Name        string       `json:"name"`
	Service     string       `json:"service" opt:"required" format:"label" aka:"target,of" doc:"The service that gets the requests, through the gateway."`
	Rate        Rate         `json:"rate,omitzero" group:"shape" opt:"required" aka:"rps,requests_per_second" doc:"Requests that are due in a time, as 200/s, however long the answers take."`
	Ramp        LoadSlope    `json:"ramp,omitzero" group:"shape" opt:"required" doc:"A rate that goes evenly from one to another."`
	Steps       LoadSteps    `json:"steps,omitzero" group:"shape" opt:"required" aka:"stages" doc:"A rate that goes from one to another in equal steps."`
	Spike       LoadSlope    `json:"spike,omitzero" group:"shape" opt:"required" aka:"peak" doc:"A rate that goes up in the middle fifth of the time, and back."`
	Clients     int          `json:"clients,omitzero" group:"shape" opt:"required" min:"1" max:"20000" aka:"users,vus,concurrency" doc:"Clients that send a request when they have the answer to the last."`
	Knee        LoadKnee     `json:"knee,omitzero" group:"shape" opt:"required" aka:"capacity,breakpoint" doc:"Look for the highest rate that meets the thresholds, and name what limits it."`
	Replay      LoadReplay   `json:"replay,omitzero" group:"shape" opt:"required" aka:"log" doc:"The requests of an access log, at the times that it has."`
	Think       Duration     `json:"think,omitzero" min:"0s" max:"24h" aka:"pause,think_time" doc:"With clients: pause between an answer and the next request."`
	Duration    Duration     `json:"duration" min:"100ms" max:"24h" aka:"for,time,length" doc:"How long; with knee, each rate."`
	Warmup      Duration     `json:"warmup,omitzero" min:"0s" max:"24h" aka:"warm_up" doc:"Part of it, at the start, that is not counted. Default: 0s, with knee a fifth."`
	Connections int          `json:"connections" min:"1" max:"20000" doc:"Most connections at once, unless clients are given."`
	Timeout     Duration     `json:"timeout" min:"1ms" max:"1h" doc:"For one answer."`
	Requests    LoadRequests `json:"requests" aka:"request,send" doc:"What is sent. Default: the request that the model says works, or GET where the service's route begins."`
	Thresholds  []string     `json:"thresholds,omitempty" format:"threshold" aka:"slo,threshold,checks,expect" doc:"What the result must meet, as p99<50ms, errors<0.1% or rate>=500/s."`
}

func (l *LoadTest) defaults(*node) {
	l.Duration, l.Timeout, l.Connections = Duration(10*time.Second), Duration(10*time.Second), 64
}

func (l *LoadTest) check(d *decoder, n *node) {
	if at := n.get("think"); at != nil && n.get("clients") == nil {
		d.errs.addKey(at, "says nothing without clients")
	}
	if at := n.get("connections"); at != nil && n.get("clients") != nil {
		d.errs.addKey(at, "clients have one connection each; remove it")
	}
	if at := n.get("duration"); at != nil && n.get("replay") != nil {
		d.errs.addKey(at, "the log says how long; remove it")
	}
	if n.get("knee") != nil && n.get("warmup") == nil {
		l.Warmup = l.Duration / 5
	}
	if at := n.get("warmup"); at != nil && l.Warmup >= l.Duration {
		d.errs.add(at, "leaves nothing of the duration of %s", l.Duration)
	}
}

// LoadSlope is a rate at the beginning and one that it goes to.
type LoadSlope struct {
	From Rate `json:"from" opt:"required" aka:"start,base" doc:"The rate at the beginning, as 10/s."`
	To   Rate `json:"to" opt:"required" aka:"end,peak" doc:"The rate that it goes to, as 200/s."`
}

// LoadSteps is a slope in steps.
type LoadSteps struct {
	From  Rate `json:"from" opt:"required" aka:"start,base" doc:"The rate of the first step, as 10/s."`
	To    Rate `json:"to" opt:"required" aka:"end" doc:"The rate of the last step, as 200/s."`
	Count int  `json:"count" min:"2" max:"1000" aka:"steps,number" doc:"How many steps."`
}

func (s *LoadSteps) defaults(*node) { s.Count = 5 }

func (s *LoadSteps) check(_ *decoder, n *node) {
	if n.get("count") == nil {
		s.defaults(n)
	}
}

// LoadKnee says where the highest rate is looked for, and what it must be.
type LoadKnee struct {
	AtLeast Rate `json:"at_least,omitzero" aka:"min,minimum,require" doc:"The rate that must meet the thresholds, as 200/s. Default: any."`
	Start   Rate `json:"start" aka:"from" doc:"The first rate."`
	Most    Rate `json:"most" aka:"to,max" doc:"The highest rate to try."`
}

func (k *LoadKnee) defaults(*node) { k.Start, k.Most = 20, 10_000 }

func (k *LoadKnee) check(d *decoder, n *node) {
	var usual LoadKnee
	usual.defaults(n)
	if n.get("most") == nil {
		k.Most = usual.Most
	}
	if n.get("start") == nil {
		k.Start = min(usual.Start, k.Most)
	}
	switch {
	case k.Start > k.Most:
		d.errs.addKey(n, "starts at %s, above the highest rate of %s", k.Start, k.Most)
	case k.AtLeast > k.Most:
		d.errs.add(n.get("at_least"), "is above the highest rate that is tried, %s", k.Most)
	}
}

// LoadReplay is an access log that is sent again.
type LoadReplay struct {
	Log    string  `json:"log" opt:"required" format:"file" aka:"file,path" doc:"The log, as the gateway writes it, relative to this file."`
	Speed  Percent `json:"speed" min:"1%" max:"100000%" aka:"pace" doc:"How fast, as 200% for twice as fast as it was."`
	Times  bool    `json:"times,omitzero" aka:"times_only" doc:"Whether only the times are taken, and requests says what is sent."`
	Unsafe bool    `json:"unsafe,omitzero" aka:"all" doc:"Whether requests that may change something are sent, too: POST (with requests.body, or requests.file for each path), PUT, DELETE."`
}

func (r *LoadReplay) defaults(*node) { r.Speed = 100 }

func (r *LoadReplay) check(_ *decoder, n *node) {
	if n.get("speed") == nil {
		r.defaults(n)
	}
}

// LoadRequests is what a test sends; paths are as the service sees them.
type LoadRequests struct {
	Path       string            `json:"path,omitempty" format:"target" aka:"url" doc:"Path with its query, as /predict."`
	Method     string            `json:"method,omitempty" format:"method" aka:"verb" doc:"Method. Default: GET, with a body POST."`
	GRPCMethod string            `json:"grpc_method,omitempty" format:"target" aka:"rpc" doc:"gRPC: the method that is called with the protobuf message of body, as /package.Service/Method."`
	GRPCModel  string            `json:"grpc_model,omitempty" aka:"model" doc:"gRPC: the model that is asked for predictions by body (JSON of the Open Inference Protocol) or proof."`
	Headers    map[string]string `json:"headers,omitempty" aka:"header" doc:"Header fields of every request."`
	Body       string            `json:"body,omitempty" group:"source" format:"file" doc:"File with the body, relative to this one."`
	File       string            `json:"file,omitempty" group:"source" format:"file" aka:"requests,mix,har" doc:"File of requests, as greenlight load --requests takes it: JSON lines, or .har."`
	Proof      string            `json:"proof,omitempty" group:"source" format:"file" doc:"A model's proof.json, or its folder: every row is a request."`
	Data       string            `json:"data,omitempty" format:"file" aka:"rows,csv" doc:"CSV or JSON lines whose columns fill {{name}}."`
	Status     int               `json:"status,omitzero" min:"200" max:"599" aka:"expect_status" doc:"Status of a right answer. Default: any below 400."`
	Contains   string            `json:"contains,omitempty" aka:"expect_contains" doc:"Text that a right answer holds."`
}

func (r *LoadRequests) check(d *decoder, n *node) {
	if at := n.get("grpc_model"); at != nil && r.GRPCMethod != "" {
		d.errs.addKey(at, "cannot stand beside grpc_method; remove one")
	}
	if r.GRPCMethod+r.GRPCModel != "" {
		for _, key := range []string{"path", "method", "file", "data", "status"} {
			if at := n.get(key); at != nil {
				d.errs.addKey(at, "is for HTTP; remove it from a test of gRPC")
			}
		}
	}
	if n.get("file") == nil {
		return
	}
	for _, key := range []string{"path", "method"} {
		if at := n.get(key); at != nil {
			d.errs.addKey(at, "each request of the file says it; remove it here")
		}
	}
}

// Loads are the load tests of the description, by name.
func (f *File) Loads() []LoadTest {
	tests := make([]LoadTest, 0, len(f.loads))
	for name, t := range f.loads {
		t.Name = name
		tests = append(tests, t)
	}
	slices.SortFunc(tests, func(a, b LoadTest) int { return strings.Compare(a.Name, b.Name) })
	return tests
}

// everyLoad is what commands call all load tests.
const everyLoad = "all"

// maxLoads bounds the load tests of a file.
const maxLoads = 200

// checkLoads refuses load tests of services that do not exist.
func (f *File) checkLoads(d *decoder) {
	services := f.root.get("services")
	for _, test := range f.root.get("load").entries() {
		if test.label == everyLoad {
			d.errs.addKey(test, "means every load test; give this one another name")
		}
		at := test.get("service")
		if at != nil && at.kind == kindText && services.get(at.text) == nil {
			d.errs.add(at, "no service is called %q%s", shorten(at.text), didYouMean(at.text, services.labels()))
		}
	}
}

// checkLoadFiles refuses files that do not exist.
func (f *File) checkLoadFiles(d *decoder) {
	for _, test := range f.root.get("load").entries() {
		if at := test.get("replay").get("log"); at != nil && at.kind == kindText {
			d.exists(at, path.Clean(at.text), "", false)
		}
		requests := test.get("requests")
		for _, key := range []string{"body", "file", "proof", "data"} {
			if at := requests.get(key); at != nil && at.kind == kindText {
				inFolder := ""
				if key == "proof" {
					inFolder = "proof.json"
				}
				d.exists(at, path.Clean(at.text), inFolder, false)
			}
		}
	}
}
