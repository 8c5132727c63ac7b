package backend

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// What a spec means where it says nothing.
const (
	defaultInterval   = time.Second
	defaultTimeout    = time.Second
	defaultFailures   = 3
	defaultSuccesses  = 1
	defaultStartGrace = 30 * time.Second
	defaultStopGrace  = 10 * time.Second
)

// label is a DNS label (RFC 1123): names become file names, host names and
// names of Kubernetes objects.
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckName says whether a replica's id, environment or service can be used;
// what names it in the error, which has CodeInvalid.
func CheckName(what, name string) error {
	if label.MatchString(name) {
		return nil
	}
	return greenlight.Errorf(greenlight.CodeInvalid,
		"%s %q: use 1 to 63 small letters, digits and hyphens, no hyphen first or last", what, clip(name, 80))
}

// Complete checks a spec and fills in defaults: probes every second with a
// second's timeout, bad after three failures, good after one success; 30 s to
// start, 10 s to stop. A Ready probe without Path and TCP passes as soon as the
// replica runs; a Live probe without them never fails. Errors have CodeInvalid.
func Complete(spec greenlight.ReplicaSpec) (greenlight.ReplicaSpec, error) {
	if err := check(spec); err != nil {
		return spec, err
	}
	spec.Ready, spec.Live = completeProbe(spec.Ready), completeProbe(spec.Live)
	spec.StartGrace = orDefault(spec.StartGrace, defaultStartGrace)
	spec.StopGrace = orDefault(spec.StopGrace, defaultStopGrace)
	return spec, nil
}

func check(spec greenlight.ReplicaSpec) error {
	for _, n := range []struct{ what, name string }{
		{"replica id", spec.ID}, {"environment", spec.Environment}, {"service", spec.Service},
	} {
		if err := CheckName(n.what, n.name); err != nil {
			return err
		}
	}
	if (len(spec.Command) == 0) == (spec.Image == "") {
		return invalid(spec, "give either a command or an image")
	}
	for _, p := range []greenlight.Probe{spec.Ready, spec.Live} {
		if p.Path != "" && !strings.HasPrefix(p.Path, "/") {
			return invalid(spec, "the check's path %q must begin with a slash", p.Path)
		}
		if p.Interval < 0 || p.Timeout < 0 || p.Failures < 0 || p.Successes < 0 {
			return invalid(spec, "a check's interval, timeout and counts must not be negative")
		}
	}
	if spec.StartGrace < 0 || spec.StopGrace < 0 || spec.Resources.MilliCPU < 0 || spec.Resources.MemoryBytes < 0 {
		return invalid(spec, "graces and resources must not be negative")
	}
	return checkVariables(spec)
}

// checkVariables refuses what no environment can hold: it would be cut off or
// become another variable.
func checkVariables(spec greenlight.ReplicaSpec) error {
	for name, value := range spec.Env {
		if !variable(name) || strings.ContainsRune(value, 0) {
			return invalid(spec, "environment variable %q: the name must not be empty or hold '=', neither may hold a zero byte", name)
		}
	}
	for name, ref := range spec.Secrets {
		if !variable(name) || (ref.Env == "") == (ref.File == "") {
			return invalid(spec, "secret %q: name a variable, and either env or file as its source", name)
		}
		if _, twice := spec.Env[name]; twice {
			return invalid(spec, "%s is an environment variable and a secret; keep one", name)
		}
	}
	for _, argument := range spec.Command {
		if strings.ContainsRune(argument, 0) {
			return invalid(spec, "argument %q holds a zero byte", clip(argument, 80))
		}
	}
	return nil
}

func variable(name string) bool { return name != "" && !strings.ContainsAny(name, "=\x00") }

func invalid(spec greenlight.ReplicaSpec, format string, args ...any) error {
	return greenlight.Errorf(greenlight.CodeInvalid, "replica %s: "+format, append([]any{spec.ID}, args...)...)
}

func completeProbe(p greenlight.Probe) greenlight.Probe {
	p.Interval = orDefault(p.Interval, defaultInterval)
	p.Timeout = orDefault(p.Timeout, defaultTimeout)
	p.Failures = orDefault(p.Failures, defaultFailures)
	p.Successes = orDefault(p.Successes, defaultSuccesses)
	return p
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Same tells whether two specs give equal replicas: all fields are equal,
// where an empty list or map equals a missing one.
func Same(a, b greenlight.ReplicaSpec) bool {
	return bytes.Equal(canonical(a), canonical(b))
}

// canonical is a spec as JSON, which sorts maps, without empty collections.
func canonical(spec greenlight.ReplicaSpec) []byte {
	spec.Env, spec.Secrets, spec.Volumes = nilEmpty(spec.Env), nilEmpty(spec.Secrets), nilEmpty(spec.Volumes)
	if len(spec.Command) == 0 {
		spec.Command = nil
	}
	data, err := json.Marshal(spec)
	if err != nil {
		panic(err) // strings and numbers only: cannot fail
	}
	return data
}

func nilEmpty[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
