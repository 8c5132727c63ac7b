package control

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/greenlight-dev/greenlight/release"
	"github.com/greenlight-dev/greenlight/spec"
)

// differences are what a version says otherwise than the one before, one line
// a field.
func differences(before, after *version) []string {
	out := []string{}
	if before == after {
		return out
	}
	if before == nil {
		for _, s := range after.System.Services {
			out = append(out, fmt.Sprintf("services.%s: new", s.Name))
		}
		return out
	}
	d := &comparison{list: out}
	d.compare("name", before.System.Name, after.System.Name)
	d.compare("environment", tree(before.System.Environment), tree(after.System.Environment))
	d.compare("gateway", tree(before.System.Gateway), tree(after.System.Gateway))
	d.compareServices(before, after)
	return d.list
}

type comparison struct{ list []string }

func (d *comparison) addf(format string, args ...any) {
	d.list = append(d.list, fmt.Sprintf(format, args...))
}

func (d *comparison) compareServices(before, after *version) {
	for _, s := range after.System.Services {
		was := before.service(s.Name)
		if was == nil {
			d.addf("services.%s: new", s.Name)
			continue
		}
		known := len(d.list)
		d.compare("services."+s.Name, tree(was), tree(s))
		if len(d.list) == known && before.Releases[s.Name] != after.Releases[s.Name] {
			d.addf("services.%s: the files changed, release %s → %s", s.Name,
				release.Short(before.Releases[s.Name]), release.Short(after.Releases[s.Name]))
		}
	}
	for _, s := range before.System.Services {
		if after.service(s.Name) == nil {
			d.addf("services.%s: removed", s.Name)
		}
	}
}

// tree is a value as JSON has it. A fixed number of replicas is a number, as
// in the file.
func tree(v any) any {
	if s, ok := v.(spec.Service); ok {
		v = &s
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of our own types: cannot fail
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		panic(err) // written above
	}
	if s, ok := v.(*spec.Service); ok && s.Replicas.Min == s.Replicas.Max {
		out.(map[string]any)["replicas"] = float64(s.Replicas.Min)
	}
	return out
}

// compare writes down where two trees differ.
func (d *comparison) compare(path string, before, after any) {
	a, mapped := before.(map[string]any)
	b, both := after.(map[string]any)
	if !mapped || !both {
		if x, y := shown(before), shown(after); x != y {
			d.addf("%s: %s → %s", path, x, y)
		}
		return
	}
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		d.compare(path+"."+key, a[key], b[key])
	}
}

// shown is a value on one line, as the file could have it.
func shown(v any) string {
	if v == nil {
		return "none"
	}
	if s, ok := v.(string); ok && s != "" && !strings.ContainsAny(s, " \"\n") {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // came from JSON
	}
	const most = 200
	if len(data) > most {
		return string(data[:most]) + "…"
	}
	return string(data)
}
