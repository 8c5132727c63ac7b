package spec

import (
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// System is the complete desired state of one environment: nothing in it is
// left to a default. Its JSON is stable, for digests and comparison.
type System struct {
	Name        string      `json:"name"`
	Environment Environment `json:"environment"`
	Gateway     Gateway     `json:"gateway,omitzero"`
	// Services come after those they depend on, otherwise by name.
	Services []Service `json:"services"`
}

// Environment is where and under whose care a system runs.
type Environment struct {
	Name    string `json:"name"`
	Backend string `json:"backend"` // process, kubernetes, aws or mem
	Owner   string `json:"owner,omitempty"`
	Drift   string `json:"drift"` // off, detect or heal
}

// Service is one thing that runs: models, a command or a container image.
type Service struct {
	Name      string            `json:"name"`
	Models    Models            `json:"model,omitempty" group:"source" opt:"required,vars" aka:"models,onnx" doc:"What is served by Greenlight itself: an ONNX file or a folder with model.onnx; a list of several, or a map of names to paths."`
	Run       Command           `json:"run,omitempty" group:"source" opt:"required,vars" aka:"command,cmd,entrypoint,exec,start_command" doc:"Any command that listens on $PORT: a list of words, or one text that is split at blanks outside quotes. No shell reads it; ${PORT} is replaced when it starts."`
	Image     string            `json:"image,omitempty" group:"source" opt:"required,vars" format:"image" aka:"container,docker" doc:"A container image whose program listens on $PORT; for the backends kubernetes and aws."`
	Dir       string            `json:"dir" opt:"vars" format:"file" aka:"cwd,workdir,working_dir,folder" doc:"Working folder of run, relative to this file."`
	Replicas  Replicas          `json:"replicas" aka:"scale,count,instances,workers" doc:"How many run at once: a number, or {min, max, target} to follow the load."`
	Resources Resources         `json:"resources,omitzero" aka:"limits,requests" doc:"The most that one replica may use."`
	Env       map[string]string `json:"env,omitempty" opt:"vars" keys:"variable" aka:"environment,variables" doc:"Environment variables. ${VAR} and ${VAR:-default} take the value from where greenlight runs."`
	Secrets   map[string]Secret `json:"secrets,omitempty" keys:"variable" aka:"secret" doc:"Environment variables whose value must not stand in this file: {env: VARIABLE} or {file: PATH}."`
	Ready     Check             `json:"ready" aka:"readiness,readinessProbe,healthcheck,health" doc:"When a replica gets requests: a path, {path or tcp, …}, or off. Default: /healthz for models, tcp for others."`
	Live      Check             `json:"live" aka:"liveness,livenessProbe" doc:"When a replica is replaced: a path, {path or tcp, …}, or off. Default: /healthz for models, tcp for others."`
	Start     Start             `json:"start" doc:"How it starts."`
	Stop      Stop              `json:"stop" doc:"How it stops."`
	Routes    []Route           `json:"routes" aka:"route,paths,ingress,ports" doc:"Which requests it gets. Default: all for the only service, else /NAME with the prefix removed. [] is none."`
	DependsOn []string          `json:"depends_on,omitempty" aka:"depends,after,needs,requires" doc:"Services that must be ready before this one starts."`
	Protocol  string            `json:"protocol,omitempty" enum:"http1,h2c" aka:"proto,grpc,http2" doc:"What its program speaks: http1, or h2c for HTTP/2 without TLS, which gRPC needs. Default: http1."`
	Retries   Retries           `json:"retries" aka:"retry,attempts" doc:"How often a request is sent again, to another replica, when it was surely not sent or when repeating it is harmless (GET, PUT, DELETE and the like without a body): 0 to 9, or off."`
	Sticky    Sticky            `json:"sticky,omitzero" aka:"affinity,session" doc:"What keeps a client on one release while several answer."`
	Mirror    Mirror            `json:"mirror,omitzero" aka:"shadow,copy" doc:"A service that gets copies of the requests; its answers reach nobody."`
	Volumes   map[string]Volume `json:"volumes,omitempty" keys:"label" aka:"volume,mounts,disks" doc:"Data that outlives releases, by name."`
}

// Kind is how a service runs: "model", "run" or "image".
func (s *Service) Kind() string {
	switch {
	case len(s.Models) > 0:
		return "model"
	case len(s.Run) > 0:
		return "run"
	}
	return "image"
}

func (s *Service) defaults(n *node) {
	s.Dir = "."
	s.Replicas.defaults(nil)
	s.Start.Grace = Duration(time.Minute)
	s.Stop.Grace = Duration(30 * time.Second)
	s.Retries = 2
	s.Ready = Check{TCP: true, Interval: Duration(2 * time.Second), Timeout: Duration(2 * time.Second), Failures: 3, Successes: 1}
	s.Live = Check{TCP: true, Interval: Duration(10 * time.Second), Timeout: Duration(5 * time.Second), Failures: 3, Successes: 1}
	if n.get("model") != nil {
		s.Ready.follow("/healthz")
		s.Live.follow("/healthz")
	}
}

func (s *Service) check(d *decoder, n *node) {
	if len(s.Models) == 1 && s.Models[0].Name == "" {
		s.Models[0].Name = n.label
	}
	s.Dir = path.Clean(s.Dir)
	switch dir := n.get("dir"); {
	case dir == nil:
	case n.get("model") != nil:
		d.errs.addKey(dir, "models have no working folder; their paths are relative to this file")
	case n.get("run") != nil:
		d.exists(dir, s.Dir, "", true)
	}
	for _, secret := range n.get("secrets").entries() {
		if twin := n.get("env").get(secret.label); twin != nil {
			d.errs.addKey(secret, "is in env too (line %d); remove one", twin.key.line)
		}
	}
	s.checkVolumes(d, n.get("volumes"))
}

func (s *Service) checkVolumes(d *decoder, n *node) {
	taken := make(map[string]string)
	for _, v := range n.entries() {
		where := path.Clean(s.Volumes[v.label].Path)
		if other, ok := taken[where]; ok && v.get("path") != nil {
			d.errs.add(v.get("path"), "volume %s is at this path already", other)
		}
		taken[where] = v.label
	}
}

// Replicas is how many replicas a service has. Min equals Max where the number
// is fixed; 0 and 0 keep a service stopped.
type Replicas struct {
	Min    int      `json:"min" min:"0" max:"1000" aka:"minimum,least" doc:"Fewest replicas. 0 lets the service go to sleep when nobody asks."`
	Max    int      `json:"max" opt:"required" min:"1" max:"1000" aka:"maximum,most" doc:"Most replicas."`
	Target Target   `json:"target,omitzero" aka:"metric,on" doc:"What one replica should bear; replicas are added above and removed below it."`
	Window Window   `json:"window,omitzero" aka:"stabilization,cooldown" doc:"How long the load must ask for a change before it is made."`
	Hold   Duration `json:"hold,omitzero" min:"1s" max:"10m" doc:"With min 0: how long a request waits for the first replica. Default: 30s."`
}

func (r *Replicas) defaults(*node) { r.Min, r.Max = 1, 1 }

// take reads a plain number.
func (r *Replicas) take(d *decoder, n *node) bool {
	if n.kind == kindMap {
		return false
	}
	var count int
	if n.kind != kindNumber {
		d.wrongType(n, "a whole number or {min, max, target}")
		return true
	}
	if d.integer(n, field{min: "0", max: "1000"}, &count) {
		r.Min, r.Max = count, count
	}
	return true
}

func (r *Replicas) check(d *decoder, n *node) {
	maximum := n.get("max")
	switch {
	case maximum == nil:
		return
	case r.Min > r.Max:
		d.errs.add(n.get("min").or(maximum), "min %d is above max %d", r.Min, r.Max)
	case r.Min < r.Max && n.get("target") == nil:
		d.errs.addKey(n, "min below max needs a target that says when to add replicas, as target: {concurrency: 8}")
	}
	if r.Min < r.Max {
		r.Window.fill(n.get("window"))
	}
	if r.Min > 0 && n.get("hold") != nil {
		d.errs.addKey(n.get("hold"), "only with min: 0 does a request wait for the first replica")
	}
	if r.Min == 0 && r.Hold == 0 {
		r.Hold = Duration(30 * time.Second)
	}
}

// Target is what one replica should bear; exactly one is set.
type Target struct {
	Concurrency int      `json:"concurrency,omitzero" group:"signal" opt:"required" min:"1" max:"100000" doc:"Requests under way at once."`
	Requests    Rate     `json:"requests,omitzero" group:"signal" opt:"required" aka:"rps,rate" doc:"Requests per time, as 100/s."`
	CPU         Percent  `json:"cpu,omitzero" group:"signal" opt:"required" min:"1%" max:"100%" doc:"Share of resources.cpu, or of one core without it, as 70%."`
	Queue       Duration `json:"queue,omitzero" group:"signal" opt:"required" min:"1ms" max:"10m" aka:"latency,wait" doc:"Time that requests wait to be computed (models), as 20ms."`
}

// Window is how long the load must ask for a change before it is made.
type Window struct {
	Up   Duration `json:"up,omitzero" min:"0s" max:"1h" doc:"Before replicas are added. Default: 10s."`
	Down Duration `json:"down,omitzero" min:"0s" max:"24h" doc:"Before replicas are removed; before the last one is, where min is 0, at least 30s without a request. Default: 5m."`
}

func (w *Window) fill(n *node) {
	if n.get("up") == nil {
		w.Up = Duration(10 * time.Second)
	}
	if n.get("down") == nil {
		w.Down = Duration(5 * time.Minute)
	}
}

// Resources bound one replica; 0 is no bound.
type Resources struct {
	CPU    MilliCPU `json:"cpu,omitzero" min:"10m" max:"1024" aka:"cpus,cores" doc:"Processor cores: 0.5, 2, or thousandths as 500m. A model is served with as many threads, rounded up, unless env says GOMAXPROCS."`
	Memory Bytes    `json:"memory,omitzero" min:"8Mi" max:"64Ti" aka:"mem,ram" doc:"Memory, as 512Mi or 2Gi."`
}

// Secret says where a secret is; it never holds one.
type Secret struct {
	Env  string `json:"env,omitempty" group:"place" opt:"required" format:"variable" aka:"variable,var" doc:"The variable that holds it where greenlight runs."`
	File string `json:"file,omitempty" group:"place" opt:"required" format:"file" aka:"path" doc:"The file that holds it, relative to this one."`
}

// take refuses a literal secret, without repeating it.
func (s *Secret) take(d *decoder, n *node) bool {
	if n.kind == kindMap {
		return false
	}
	d.errs.addKey(n, "a secret itself must not stand in this file; write {env: VARIABLE} or {file: PATH}")
	return true
}

func (s *Secret) check(d *decoder, n *node) {
	env, file := n.get("env"), n.get("file")
	switch {
	case env != nil && d.lookup != nil && s.Env != "":
		if _, ok := d.lookup(s.Env); !ok {
			d.errs.add(env, "variable %s is not set here", s.Env)
		}
	case file != nil && s.File != "":
		d.exists(file, path.Clean(s.File), "", false)
	}
}

// Check asks a replica whether it is well.
type Check struct {
	Off       bool     `json:"off,omitzero"`
	Path      string   `json:"path,omitempty" group:"how" format:"path" aka:"http,url,httpGet" doc:"Path that must answer with a status from 200 to 299."`
	TCP       bool     `json:"tcp,omitzero" group:"how" aka:"tcpSocket,port" doc:"true: that it accepts connections is enough."`
	Interval  Duration `json:"interval,omitzero" min:"100ms" max:"1h" aka:"every,period,periodSeconds" doc:"Time from one check to the next. Default: 2s for ready, 10s for live."`
	Timeout   Duration `json:"timeout,omitzero" min:"10ms" max:"10m" aka:"timeoutSeconds" doc:"Longest wait for the answer. Default: 2s for ready, 5s for live."`
	Failures  int      `json:"failures,omitzero" min:"1" max:"100" aka:"retries,failureThreshold" doc:"Failed checks in a row before it counts. Default: 3."`
	Successes int      `json:"successes,omitzero" min:"1" max:"100" aka:"successThreshold" doc:"Good checks in a row before it counts. Default: 1."`
}

// follow makes it a check of a path.
func (c *Check) follow(path string) { c.Path, c.TCP = path, false }

// take reads a path, or off.
func (c *Check) take(d *decoder, n *node) bool {
	switch {
	case n.kind == kindMap:
		return false
	case n.kind == kindBool && n.text == "false", n.kind == kindText && n.text == "off":
		*c = Check{Off: true}
	case n.kind == kindText:
		if d.format(n, "path", n.text) {
			c.follow(n.text)
		}
	default:
		d.wrongType(n, "a path, {path or tcp, …}, or off")
	}
	return true
}

func (c *Check) check(d *decoder, n *node) {
	tcp := n.get("tcp")
	switch {
	case n.get("path") != nil:
		c.TCP = false
	case tcp != nil && !c.TCP:
		d.errs.add(tcp, "tcp is true or left out; a check is switched off with %s: off", n.label)
	case tcp != nil:
		c.Path = ""
	}
}

// Start bounds a start.
type Start struct {
	Grace Duration `json:"grace" min:"1s" max:"1h" aka:"timeout" doc:"Time to become ready; a replica that takes longer has failed. Default: 1m."`
}

// Stop bounds a stop.
type Stop struct {
	Grace Duration `json:"grace" min:"0s" max:"1h" aka:"timeout" doc:"Time to finish requests after SIGTERM; then it is killed. Default: 30s."`
}

// Route is a set of requests: those for a host and below a path.
type Route struct {
	Host    string   `json:"host,omitempty" opt:"vars" format:"host" aka:"domain,hostname" doc:"Host name, or *.example.com; none is any."`
	Path    string   `json:"path" format:"path" aka:"prefix,url" doc:"Path prefix, by whole segments: /api is /api and /api/x, not /apix."`
	Methods []string `json:"methods,omitempty" format:"method" aka:"method,verbs" doc:"Request methods; none is all."`
	Strip   bool     `json:"strip,omitzero" aka:"strip_prefix,rewrite" doc:"Whether the service sees the path without the prefix."`
	Timeout Duration `json:"timeout,omitzero" min:"100ms" max:"24h" doc:"Longest time for a whole request and its answer. Default: none, so that streams live on; an answer must begin within 1m, or within this where it is longer."`
	Limits  Limits   `json:"limits" aka:"limit,rate_limit" doc:"What the gateway lets through."`
}

func (r *Route) defaults(*node) {
	r.Path = "/"
	r.Limits.Body = 32 << 20
}

func (r *Route) check(d *decoder, n *node) {
	if at := n.get("path"); at != nil && formats["path"].pattern.MatchString(r.Path) && !plainPrefix(r.Path) {
		d.errs.add(at, "%q is no plain prefix; write it without '*', '//', '.' and '..', as /api", shorten(r.Path))
	}
	r.Host = strings.ToLower(r.Host)
	if len(r.Path) > 1 {
		r.Path = strings.TrimSuffix(r.Path, "/")
	}
}

// plainPrefix tells a path whose requests all servers agree on.
func plainPrefix(p string) bool {
	plain, err := url.PathUnescape(p)
	return err == nil && !strings.Contains(plain, "*") && path.Clean(plain) == "/"+strings.TrimSuffix(plain[1:], "/")
}

// String is how messages name the route.
func (r Route) String() string {
	s := r.Host + r.Path
	if len(r.Methods) > 0 {
		s = strings.Join(r.Methods, ",") + " " + s
	}
	return s
}

// Limits are what the gateway lets through; 0 is no limit.
type Limits struct {
	Requests       Rate  `json:"requests,omitzero" aka:"rate,rps" doc:"Requests of all clients together, as 100/s."`
	Burst          int   `json:"burst,omitzero" min:"1" max:"1000000" aka:"requests_burst" doc:"With requests: how many may come at once before that counts. Default: those of one second."`
	PerClient      Rate  `json:"per_client,omitzero" aka:"client" doc:"Requests of one client, as 20/s."`
	PerClientBurst int   `json:"per_client_burst,omitzero" min:"1" max:"1000000" aka:"client_burst" doc:"With per_client: how many of one client may come at once before that counts. Default: those of one second."`
	Body           Bytes `json:"body" min:"1" max:"1Ti" aka:"max_body,size" doc:"Largest request body, as 32Mi."`
}

func (l *Limits) check(d *decoder, n *node) {
	for _, pair := range [][2]string{{"burst", "requests"}, {"per_client_burst", "per_client"}} {
		if burst := n.get(pair[0]); burst != nil && n.get(pair[1]) == nil {
			d.errs.addKey(burst, "says nothing without %s, as %s: 100/s", pair[1], pair[1])
		}
	}
}

// Retries is how often a request is sent again; 0 is never.
type Retries int

// mostRetries is what the gateway allows.
const mostRetries = 9

// take reads a number, or off.
func (r *Retries) take(d *decoder, n *node) bool {
	var count int
	switch {
	case n.kind == kindBool && n.text == "false", n.kind == kindText && n.text == "off":
		*r = 0
	case n.kind != kindNumber:
		d.wrongType(n, "a whole number or off")
	case d.integer(n, field{min: "0", max: strconv.Itoa(mostRetries)}, &count):
		*r = Retries(count)
	}
	return true
}

// Volume is a folder that outlives releases.
type Volume struct {
	Path string `json:"path" opt:"required,vars" format:"file" aka:"mount,target" doc:"Where the service finds it; relative to dir."`
	Size Bytes  `json:"size,omitzero" min:"1Mi" max:"1024Ti" doc:"Size to reserve, as 10Gi."`
}
