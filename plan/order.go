package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// inOrder sorts services so that each comes after those it depends on, by
// name where nothing else decides.
func inOrder(services []Service) ([]Service, error) {
	byName := make(map[string]Service, len(services))
	for _, s := range services {
		byName[s.Name] = s
	}
	o := &ordering{byName: byName, state: make(map[string]int)}
	for _, name := range sortedKeys(byName) {
		if err := o.visit(name, nil); err != nil {
			return nil, err
		}
	}
	return o.sorted, nil
}

type ordering struct {
	byName map[string]Service
	state  map[string]int // 1 while being visited, 2 when placed
	sorted []Service
}

func (o *ordering) visit(name string, path []string) error {
	s, ok := o.byName[name]
	switch {
	case !ok:
		return greenlight.Errorf(greenlight.CodeInvalid, "service %q depends on %q, which does not exist", path[len(path)-1], name)
	case o.state[name] == 1:
		return greenlight.Errorf(greenlight.CodeInvalid, "services depend on each other in a circle: %s", strings.Join(append(path, name), " → "))
	case o.state[name] == 2:
		return nil
	}
	o.state[name] = 1
	for _, dep := range sorted(s.DependsOn) {
		if err := o.visit(dep, append(path, name)); err != nil {
			return err
		}
	}
	o.state[name] = 2
	o.sorted = append(o.sorted, s)
	return nil
}

func sorted(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// byOrder sorts replicas by service and ID, so that plans are repeatable.
func byOrder(replicas []greenlight.Replica) []greenlight.Replica {
	out := slices.Clone(replicas)
	slices.SortFunc(out, func(a, b greenlight.Replica) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.ID, b.ID))
	})
	return out
}
