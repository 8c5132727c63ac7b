package spec

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// ResolveOptions are what a description depends on beyond its text.
type ResolveOptions struct {
	// Lookup gives a variable's value and whether it is set, as os.LookupEnv.
	// nil leaves ${VAR} as written.
	Lookup func(name string) (value string, ok bool)
	// FS is the folder that holds the file. It tells whether the models,
	// folders and secret files named in it exist; names that lead out of the
	// folder are not looked at. nil checks none.
	FS fs.FS
}

// Resolve gives the complete desired state of one environment, which may be
// "" where [File.Environment] can tell which one is meant. The error holds
// Errors, unless the environment does not exist.
func (f *File) Resolve(env string, o ResolveOptions) (*System, error) {
	env, err := f.Environment(env)
	if err != nil {
		return nil, err
	}
	errs := f.source.collect()
	system := f.build(env, o, errs)
	if err := errs.err(); err != nil {
		return nil, err
	}
	return system, nil
}

// Check tells what Resolve would find wrong in any environment.
func (f *File) Check(o ResolveOptions) error {
	errs := f.source.collect()
	for _, env := range f.Environments() {
		f.build(env, o, errs)
	}
	return errs.err()
}

// build decodes the services as env has them and checks them with each other.
func (f *File) build(env string, o ResolveOptions, errs *collector) *System {
	errs.environment = env
	errs.built++
	d := &decoder{errs: errs, lookup: o.Lookup, fsys: o.FS}
	f.checkLoadFiles(d)
	e := f.environments[env]
	e.Owner = d.expand(f.root.get("environments").get(env).get("owner"), e.Owner)
	system := &System{
		Name:        f.name,
		Environment: Environment{Name: env, Backend: e.Backend, Owner: e.Owner, Drift: e.Drift},
	}
	var doc document
	if gateway := f.gatewayOf(env); gateway != nil {
		d.value(gateway, fieldNamed(d.fields(&doc), "gateway"), &doc.Gateway)
		system.Gateway = doc.Gateway
	}
	tree := f.overlaid(env)
	if tree == nil {
		return system // reported with the head
	}
	d.value(tree, fieldNamed(d.fields(&doc), "services"), &doc.Services)
	for name, s := range doc.Services {
		s.Name = name
		system.Services = append(system.Services, s)
	}
	slices.SortFunc(system.Services, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	c := &crossCheck{d: d, tree: tree, system: system}
	c.run()
	return system
}

// overlaid is the tree of services with the environment's changes merged in.
func (f *File) overlaid(env string) *node {
	base := f.root.get("services")
	over := f.root.get("environments").get(env).get("services")
	if base == nil || over == nil || base.kind != kindMap || over.kind != kindMap {
		return base
	}
	known := *over
	known.items = slices.DeleteFunc(slices.Clone(over.items), func(n *node) bool {
		return base.get(n.label) == nil || n.kind != kindMap // reported with the head
	})
	return merge(base, &known, typeOf[map[string]Service]())
}

// gatewayOf is the tree of the gateway with the environment's changes, nil
// where neither says anything.
func (f *File) gatewayOf(env string) *node {
	base, over := f.root.get("gateway"), f.root.get("environments").get(env).get("gateway")
	switch {
	case over == nil || over.kind != kindMap: // reported with the head
		return base
	case base == nil:
		return over
	}
	return merge(base, over, typeOf[Gateway]())
}

// crossCheck is what can only be told of all services together.
type crossCheck struct {
	d      *decoder
	tree   *node // services, by name
	system *System
}

func (c *crossCheck) run() {
	c.routes()
	c.images()
	c.mirrors()
	c.dependencies()
}

// mirrors refuses copies to services that do not exist.
func (c *crossCheck) mirrors() {
	for _, s := range c.system.Services {
		to := c.tree.get(s.Name).get("mirror").get("service")
		if to == nil || s.Mirror.Service == "" {
			continue
		}
		if s.Mirror.Service == s.Name {
			c.d.errs.add(to, "a service cannot mirror to itself")
		} else if !slices.ContainsFunc(c.system.Services, func(o Service) bool { return o.Name == s.Mirror.Service }) {
			c.d.errs.add(to, "no service is called %q%s", shorten(s.Mirror.Service), didYouMean(s.Mirror.Service, c.names()))
		}
	}
}

func (c *crossCheck) names() []string {
	names := make([]string, len(c.system.Services))
	for i, s := range c.system.Services {
		names[i] = s.Name
	}
	return names
}

// images refuses container images where nothing can run them.
func (c *crossCheck) images() {
	if c.system.Environment.Backend != "process" {
		return
	}
	for _, s := range c.system.Services {
		if image := c.tree.get(s.Name).get("image"); image != nil {
			c.d.errs.addKey(image, "backend process runs no images; say run or model there, or choose backend kubernetes or aws")
		}
	}
}

// routes gives services without routes theirs and refuses two services that
// would answer the same requests.
func (c *crossCheck) routes() {
	taken := make(map[string][]claim) // by host and path
	for i := range c.system.Services {
		s := &c.system.Services[i]
		at := c.tree.get(s.Name)
		nodes := at.get("routes")
		if nodes == nil {
			s.Routes = []Route{defaultRoute(s.Name, len(c.system.Services) == 1)}
		}
		for j, r := range s.Routes {
			mine := claim{r, s.Name, at}
			if nodes != nil && j < len(nodes.items) {
				mine.at = nodes.items[j]
			}
			where := r.Host + r.Path
			c.contest(mine, taken[where])
			if len(taken[where]) < 16 { // more would only repeat the mistake
				taken[where] = append(taken[where], mine)
			}
		}
	}
}

// claim is a route that a service wants.
type claim struct {
	route   Route
	service string
	at      *node
}

// contest reports a claim to requests that another service claims, at the
// later of the two places.
func (c *crossCheck) contest(mine claim, others []claim) {
	i := slices.IndexFunc(others, func(o claim) bool { return overlap(mine.route.Methods, o.route.Methods) })
	if i < 0 {
		return
	}
	first, second := others[i], mine
	if first.at.key.after(second.at.key) {
		first, second = second, first
	}
	c.d.errs.addKey(second.at, "%s answers %s, which service %s does already (line %d); give one of them another path, host or methods",
		second.service, second.route, first.service, first.at.key.line)
}

// defaultRoute is everything for the only service, else the service's name.
func defaultRoute(service string, only bool) Route {
	var r Route
	r.defaults(nil)
	if !only {
		r.Path, r.Strip = "/"+service, true
	}
	return r
}

// overlap tells whether a request can have a method of both; none is all.
func overlap(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(m string) bool { return slices.Contains(b, m) })
}

// dependencies refuses what cannot be started in any order, and puts the
// services in one in which they can be.
func (c *crossCheck) dependencies() {
	names := c.names()
	byName := make(map[string]Service, len(names))
	for _, s := range c.system.Services {
		byName[s.Name] = s
	}
	walk := &startOrder{check: c, byName: byName, state: make(map[string]visit)}
	for _, name := range names {
		for i, dep := range byName[name].DependsOn {
			if _, ok := byName[dep]; !ok {
				c.d.errs.add(c.dependency(name, i), "no service is called %q%s", shorten(dep), didYouMean(dep, names))
			}
		}
	}
	for _, name := range names {
		walk.visit(name)
	}
	if len(walk.order) == len(names) {
		c.system.Services = walk.order
	}
}

// dependency is where service says its i-th dependency.
func (c *crossCheck) dependency(service string, i int) *node {
	list := c.tree.get(service).get("depends_on")
	if list == nil || i >= len(list.items) {
		return c.tree.get(service)
	}
	return list.items[i]
}

type visit int

const (
	unseen visit = iota
	entered
	done
)

// startOrder walks dependencies depth first.
type startOrder struct {
	check  *crossCheck
	byName map[string]Service
	state  map[string]visit
	trail  []string
	order  []Service
}

func (w *startOrder) visit(name string) {
	s, ok := w.byName[name]
	if !ok || w.state[name] != unseen {
		return
	}
	w.state[name] = entered
	w.trail = append(w.trail, name)
	for i, dep := range s.DependsOn {
		if w.state[dep] == entered {
			circle := append(slices.Clone(w.trail[slices.Index(w.trail, dep):]), dep)
			w.check.d.errs.add(w.check.dependency(name, i), "services wait for each other in a circle: %s; none could start first", strings.Join(circle, " → "))
			continue
		}
		w.visit(dep)
	}
	w.trail = w.trail[:len(w.trail)-1]
	w.state[name] = done
	w.order = append(w.order, s)
}

// exists checks a name in the file's folder: a file, or a folder, which must
// hold inFolder where that is given.
func (d *decoder) exists(n *node, name, inFolder string, wantFolder bool) {
	if d.fsys == nil || n == nil || !fs.ValidPath(name) {
		return
	}
	info, err := fs.Stat(d.fsys, name)
	switch {
	case err != nil:
		d.errs.add(n, "no file or folder %q beside %s%s", name, d.errs.source.file, d.nearFile(name))
	case info.IsDir() && inFolder != "":
		if _, err := fs.Stat(d.fsys, path.Join(name, inFolder)); err != nil {
			d.errs.add(n, "folder %q holds no %s", name, inFolder)
		}
	case info.IsDir() && !wantFolder:
		d.errs.add(n, "%q is a folder, not a file", name)
	case !info.IsDir() && wantFolder:
		d.errs.add(n, "%q is a file, not a folder", name)
	}
}

// nearFile offers a file with nearly this name in the folder it should be in.
func (d *decoder) nearFile(name string) string {
	dir, base := ".", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, base = name[:i], name[i+1:]
	}
	list, err := fs.ReadDir(d.fsys, dir)
	if err != nil || len(list) > 1000 {
		return ""
	}
	var names []string
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	if best := nearest(base, names); best != "" {
		return fmt.Sprintf("; did you mean %q?", path.Join(dir, best))
	}
	return ""
}
