package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// save is a part of an answer that later steps use.
type save struct{ path []string }

// maxPath bounds how deep a saved part lies.
const maxPath = 32

// saves makes the parts that a step saves known to the steps after it.
func (s *scope) saves(named map[string]string) ([]save, error) {
	var all []save
	for _, name := range slices.Sorted(maps.Keys(named)) {
		path := strings.Split(named[name], ".")
		if name == "" || strings.ContainsAny(name, " \t{}") || named[name] == "" || len(path) > maxPath {
			return nil, fmt.Errorf("save: %q as %q; want a name without spaces and a path like data.items.0.id", clip(named[name]), clip(name))
		}
		s.saved = append(s.saved, name)
		all = append(all, save{path})
	}
	return all, nil
}

// keep takes the parts out of an answer; false when one is not there.
func (c *compiled) keep(body []byte, v *values) bool {
	for _, s := range c.saves {
		found, ok := s.in(body)
		if !ok {
			return false
		}
		v.saved = append(v.saved, found)
	}
	return true
}

// in follows the path through objects and arrays.
func (s *save) in(body []byte) (value, bool) {
	raw := json.RawMessage(bytes.TrimSpace(body))
	for _, name := range s.path {
		if len(raw) == 0 {
			return value{}, false
		}
		next, ok := member(raw, name)
		if !ok {
			return value{}, false
		}
		raw = next
	}
	return jsonValue(raw)
}

// member is the field of an object or the element of an array.
func member(raw json.RawMessage, name string) (json.RawMessage, bool) {
	if raw[0] == '[' {
		var list []json.RawMessage
		at, err := strconv.Atoi(name)
		if err != nil || json.Unmarshal(raw, &list) != nil || at < 0 || at >= len(list) {
			return nil, false
		}
		return list[at], true
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return nil, false
	}
	found, ok := object[name]
	return found, ok
}

// jsonValue is JSON as a template inserts it.
func jsonValue(raw json.RawMessage) (value, bool) {
	v := value{string(raw), string(raw)}
	if len(raw) == 0 || !json.Valid(raw) {
		return v, false
	}
	if raw[0] == '"' && json.Unmarshal(raw, &v.text) != nil {
		return v, false
	}
	return v, true
}
