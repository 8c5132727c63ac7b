// Package spec reads greenlight.yaml, the description of a system, and gives
// the desired state of each of its environments with every default filled in.
//
// The Go types are the single definition of the file: their tags declare keys,
// limits and descriptions, the decoder and the JSON Schema both follow them.
// Overlays are merged before anything is decoded, so that every mistake is
// found by the same code and shown where it was written.
//
// The package is pure: the file's text, a variable lookup and an fs.FS come in
// as arguments, and nothing that comes in can make it panic, allocate without
// bound or loop forever.
package spec

import (
	"maps"
	"slices"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// FileName is what a description is called when nobody says otherwise.
const FileName = "greenlight.yaml"

// DefaultEnvironment is the environment of a file that names none.
const DefaultEnvironment = "dev"

// Bounds on a file. Those on services and environments keep checking every
// environment within a second; the others hold back hostile files.
const (
	MaxFileBytes    = 1 << 20
	maxServices     = 1000
	maxEnvironments = 32
)

// File is a description that was read and found right for every environment,
// as far as that can be told without variables and the files it names.
type File struct {
	path         string
	name         string
	environments map[string]environment
	loads        map[string]LoadTest
	root         *node
	source       *source
}

// document is the file's outermost map.
type document struct {
	Name         string                 `json:"name" opt:"required" format:"label" doc:"Name of the system."`
	Gateway      Gateway                `json:"gateway" aka:"proxy,ingress,edge" doc:"What the gateway does for all services."`
	Services     map[string]Service     `json:"services" opt:"required,some" keys:"label" aka:"apps,models" doc:"What runs, by name."`
	Load         map[string]LoadTest    `json:"load" opt:"some" keys:"label" aka:"loads,load_tests,scenarios" doc:"Load tests, by name: greenlight load --scenario NAME."`
	Environments map[string]environment `json:"environments" opt:"some" keys:"label" aka:"envs,stages" doc:"Where it runs, by name. Without it there is one: dev, on this machine."`
}

// environment is one entry of environments.
type environment struct {
	Backend  string             `json:"backend" enum:"process,kubernetes,aws,mem" aka:"platform,target" doc:"What runs the replicas: processes of this machine, Kubernetes, AWS, or memory (for trying things out)."`
	Owner    string             `json:"owner" opt:"vars" aka:"team,oncall" doc:"Who is told when something is wrong: a mail address or a name."`
	Drift    string             `json:"drift" enum:"off,detect,heal" doc:"What to do when the environment differs from this file: nothing, report it, or put it right."`
	Gateway  gatewayOverlay     `json:"gateway" doc:"What the gateway does otherwise here."`
	Services map[string]overlay `json:"services" keys:"label" doc:"What differs here, service by service: maps are merged, lists and single values replaced, null removes."`
}

func (e *environment) defaults(*node) { e.Backend, e.Drift = "process", "heal" }

// overlay is what an environment changes of a service. It is decoded after it
// was merged, as a Service.
type overlay struct{}

func (overlay) take(d *decoder, n *node) bool { return takeOverlay(d, n) }

// gatewayOverlay is what an environment changes of the gateway.
type gatewayOverlay struct{}

func (gatewayOverlay) take(d *decoder, n *node) bool { return takeOverlay(d, n) }

func takeOverlay(d *decoder, n *node) bool {
	if n.kind != kindMap {
		d.wrongType(n, "a map of what differs")
	}
	return true
}

// Parse reads and checks a description. The file's name is for messages only.
// The error holds Errors: everything that is wrong, by position.
func Parse(file string, data []byte) (*File, error) {
	src := newSource(file, data)
	f := &File{path: file, source: src}
	errs := src.collect()
	f.root = readYAML(data, errs)
	if f.root == nil {
		return nil, errs.err()
	}
	if !f.readHead(errs) {
		return nil, errs.err()
	}
	for _, env := range f.Environments() {
		f.build(env, ResolveOptions{}, errs)
	}
	if len(f.environments) == 0 { // all of them are wrong; the services may be too
		f.build("", ResolveOptions{}, errs)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// readHead decodes everything but the gateway and the services, which
// environments change. It tells whether they are few enough to go on.
func (f *File) readHead(errs *collector) bool {
	d := &decoder{errs: errs, skip: []string{"gateway", "services"}}
	var doc document
	d.structure(f.root, &doc)
	if !d.limitEntries(f.root.get("services"), maxServices, "services") ||
		!d.limitEntries(f.root.get("load"), maxLoads, "load tests") ||
		!d.limitEntries(f.root.get("environments"), maxEnvironments, "environments") {
		return false
	}
	f.name = doc.Name
	f.environments = doc.Environments
	f.loads = doc.Load
	f.checkLoads(d)
	if f.root.get("environments") == nil {
		var dev environment
		dev.defaults(nil)
		f.environments = map[string]environment{DefaultEnvironment: dev}
	}
	f.checkOverlays(d)
	return true
}

// checkOverlays refuses overlays of services that do not exist: they would
// change nothing, silently.
func (f *File) checkOverlays(d *decoder) {
	services := f.root.get("services")
	for _, env := range f.root.get("environments").entries() {
		for _, over := range env.get("services").entries() {
			if services.get(over.label) == nil {
				d.errs.addKey(over, "no service has this name%s", didYouMean(over.label, services.labels()))
			}
		}
	}
}

// Path is the file's name as it was given to Parse.
func (f *File) Path() string { return f.path }

// Name is the system's name.
func (f *File) Name() string { return f.name }

// Environments are the names of the environments, in the file's order.
func (f *File) Environments() []string {
	var names []string
	for _, env := range f.root.get("environments").entries() {
		if _, ok := f.environments[env.label]; ok {
			names = append(names, env.label)
		}
	}
	if names == nil {
		names = slices.Sorted(maps.Keys(f.environments))
	}
	return names
}

// Environment gives the environment's name that a command means: the one
// given, the only one, or dev. Its error has CodeNotFound or CodeInvalid.
func (f *File) Environment(given string) (string, error) {
	names := f.Environments()
	switch {
	case slices.Contains(names, given):
		return given, nil
	case given != "":
		return "", greenlight.Errorf(greenlight.CodeNotFound, "%s has no environment %q, only %s%s",
			f.path, shorten(given), strings.Join(names, ", "), didYouMean(given, names))
	case len(names) == 1:
		return names[0], nil
	case slices.Contains(names, DefaultEnvironment):
		return DefaultEnvironment, nil
	}
	return "", greenlight.Errorf(greenlight.CodeInvalid, "%s has the environments %s; name one of them",
		f.path, strings.Join(names, ", "))
}
