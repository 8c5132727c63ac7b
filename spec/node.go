package spec

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindText
	kindList
	kindMap
	kindUnknown // reported already
)

func (k kind) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a list", "a map", "nothing"}[k]
}

// node is a value of the file with its place. A nil node is an absent one:
// its methods find nothing.
type node struct {
	kind   kind
	mark          // the value
	key    mark   // its key; in a list and at the root, the value
	label  string // its key; in a list, its index
	parent *node
	inList bool
	text   string  // of a scalar, as written
	breaks int     // lines that a scalar's text goes over, less one
	items  []*node // of a list or map, in order
	size   int     // of the tree below, counting what aliases repeat
}

func (n *node) scalar() bool { return n.kind == kindBool || n.kind == kindNumber || n.kind == kindText }

// get is the value of a map's key.
func (n *node) get(key string) *node {
	for _, item := range n.entries() {
		if item.label == key {
			return item
		}
	}
	return nil
}

// entries are a map's values; nil for anything else.
func (n *node) entries() []*node {
	if n == nil || n.kind != kindMap {
		return nil
	}
	return n.items
}

// labels are a map's keys.
func (n *node) labels() []string {
	var keys []string
	for _, item := range n.entries() {
		keys = append(keys, item.label)
	}
	return keys
}

func (n *node) or(other *node) *node {
	if n == nil {
		return other
	}
	return n
}

// within tells whether one of the keys leads to the value.
func (n *node) within(keys ...string) bool {
	for ; n != nil; n = n.parent {
		if !n.inList && slices.Contains(keys, n.label) {
			return true
		}
	}
	return false
}

// maybeSecret tells a key that may be a misplaced secret: it stands below
// secrets and is neither a variable with a value nor env nor file.
func (n *node) maybeSecret() bool {
	switch {
	case n.parent == nil:
		return false
	case n.parent.label == "secrets":
		return n.kind == kindNull || !variableName.MatchString(n.label)
	}
	return n.parent.parent != nil && n.parent.parent.label == "secrets" && n.label != "env" && n.label != "file"
}

// path is the keys that lead to the value, as services.web.routes[0].path,
// without what may be a secret.
func (n *node) path() string {
	var steps []string
	for ; n != nil && n.parent != nil; n = n.parent {
		step := "." + n.label
		if n.inList {
			step = "[" + n.label + "]"
		} else if !plainKey(n.label) {
			step = "." + strconv.Quote(shorten(n.label))
		}
		if n.maybeSecret() {
			step = ""
		}
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	return strings.TrimPrefix(strings.Join(steps, ""), ".")
}

func plainKey(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r >= 128 || !isWordByte(byte(r)))
	})
}

// merge lays over onto base: maps are merged, null removes, anything else
// replaces. Of keys that exclude each other (a field's group) the overlay's
// replaces the base's; t is the type that says which those are.
func merge(base, over *node, t reflect.Type) *node {
	if base.kind != kindMap || over.kind != kindMap {
		return over
	}
	merged := *base
	merged.items = slices.Clone(base.items)
	fields := fieldsOf(t)
	for _, o := range over.items {
		f := fieldNamed(fields, o.label)
		if f.group != "" && o.kind != kindNull {
			merged.items = slices.DeleteFunc(merged.items, func(n *node) bool {
				return over.get(n.label) == nil && fieldNamed(fields, n.label).group == f.group
			})
		}
		at := slices.IndexFunc(merged.items, func(n *node) bool { return n.label == o.label })
		switch {
		case at < 0 && o.kind == kindNull:
		case at < 0:
			merged.items = append(merged.items, o)
		case o.kind == kindNull:
			merged.items = slices.Delete(merged.items, at, at+1)
		default:
			merged.items[at] = merge(merged.items[at], o, elem(t, f))
		}
	}
	return &merged
}

// elem is the type of what a key of t holds.
func elem(t reflect.Type, f field) reflect.Type {
	switch {
	case t != nil && t.Kind() == reflect.Map:
		return t.Elem()
	case f.key != "":
		return f.typ
	}
	return nil
}
