package measure

import (
	"bytes"
	"encoding/json"
	"maps"
	"strconv"

	"github.com/goccy/go-yaml"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/spec"
)

// GatewayStage is the service that does nothing, by which the gateway's
// ceiling is measured.
const GatewayStage = "greenlight-nothing"

// Isolated says how a description is changed to measure one of its services.
type Isolated struct {
	Environment, Service string
	Cores                float64  // of each replica
	Nothing              []string // the command of a service that does nothing
}

// Isolate makes of a description, of which system is the meaning, one of the
// service and what it depends on alone: one replica held to some cores, no
// rules of the gateway that would limit it, and no checks that a saturated
// replica would fail. The result is JSON, which is YAML too.
func Isolate(text []byte, system *spec.System, o Isolated) (string, error) {
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return "", greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	kept := closure(system, o.Service)
	if kept[o.Service] == nil {
		return "", greenlight.Errorf(greenlight.CodeNotFound, "environment %s has no service %s", o.Environment, o.Service)
	}
	services, over := asMap(file["services"]), asMap(asMap(file["environments"])[o.Environment])
	base, overlay := map[string]any{}, map[string]any{}
	for name, s := range kept {
		if v, ok := services[name]; ok {
			base[name] = v
		}
		changes := maps.Clone(asMap(asMap(over["services"])[name]))
		if changes == nil {
			changes = map[string]any{}
		}
		maps.Copy(changes, alone(s, o))
		overlay[name] = changes
	}
	base[GatewayStage] = map[string]any{"run": o.Nothing, "routes": []any{map[string]any{"path": "/" + GatewayStage, "strip": true}}}
	out := map[string]any{
		"name": file["name"], "services": base,
		"environments": map[string]any{o.Environment: map[string]any{"services": overlay}},
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(out)
	return b.String(), err
}

// alone is what the measurement changes of a service.
func alone(s *spec.Service, o Isolated) map[string]any {
	changes := map[string]any{"live": "off"}
	if s.Mirror.Service != "" {
		changes["mirror"] = nil
	}
	if s.Name != o.Service {
		changes["routes"] = []any{map[string]any{"path": "/" + s.Name, "strip": true}}
		return changes
	}
	resources := map[string]any{"cpu": strconv.Itoa(max(1, int(1000*o.Cores+0.5))) + "m"}
	if s.Resources.Memory > 0 {
		resources["memory"] = strconv.FormatInt(int64(s.Resources.Memory), 10)
	}
	changes["resources"], changes["replicas"] = resources, 1
	changes["routes"] = []any{map[string]any{"path": "/"}}
	return changes
}

// closure is a service and all that it depends on, by name.
func closure(system *spec.System, name string) map[string]*spec.Service {
	kept := make(map[string]*spec.Service)
	var add func(string)
	add = func(name string) {
		for i := range system.Services {
			if s := &system.Services[i]; s.Name == name && kept[name] == nil {
				kept[name] = s
				for _, other := range s.DependsOn {
					add(other)
				}
			}
		}
	}
	add(name)
	return kept
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
