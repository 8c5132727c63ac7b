package spec

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills Go values from nodes and reports whatever does not fit. A
// value keeps what defaults put there where the file says nothing.
type decoder struct {
	errs   *collector
	lookup func(string) (string, bool) // nil leaves ${VAR} as written
	fsys   fs.FS                       // nil checks no files
	skip   []string                    // keys that the outermost map leaves out
	known  map[reflect.Type][]field
}

// defaulted fills itself before it is decoded. n is the map it will be decoded
// from, nil where the file does not have one.
type defaulted interface{ defaults(n *node) }

// taker reads other forms than its Go type's usual one. It tells whether it
// did, reporting what is wrong itself.
type taker interface {
	take(d *decoder, n *node) bool
}

// checked finds what is wrong with a value beyond its single fields.
type checked interface{ check(d *decoder, n *node) }

// fields are the keys of what v points to.
func (d *decoder) fields(v any) []field { return d.fieldsOf(reflect.TypeOf(v).Elem()) }

func (d *decoder) fieldsOf(t reflect.Type) []field {
	if fields, ok := d.known[t]; ok {
		return fields
	}
	if d.known == nil {
		d.known = make(map[reflect.Type][]field)
	}
	d.known[t] = fieldsOf(t)
	return d.known[t]
}

// value decodes n into what v points to.
func (d *decoder) value(n *node, f field, v any) {
	switch n.kind {
	case kindUnknown:
		return // reported already
	case kindNull:
		d.errs.addKey(n, "has no value; give one, or remove it")
		return
	}
	if t, ok := v.(taker); ok && t.take(d, n) {
		return
	}
	if t, ok := v.(encoding.TextUnmarshaler); ok {
		d.quantity(n, f, t)
		return
	}
	switch v := v.(type) {
	case *string:
		d.text(n, f, v)
		return
	case *int:
		d.integer(n, f, v)
		return
	case *bool:
		if n.kind != kindBool {
			d.wrongType(n, "true or false")
		}
		*v = n.text == "true"
		return
	}
	switch r := reflect.ValueOf(v).Elem(); r.Kind() {
	case reflect.Struct:
		d.structure(n, v)
	case reflect.Map:
		d.mapping(n, f, r)
	case reflect.Slice:
		d.list(n, f, r)
	default:
		panic("spec: no decoding for " + r.Type().String()) // a field of a type that nobody thought of
	}
}

// structure decodes a map with known keys.
func (d *decoder) structure(n *node, v any) {
	if n.kind != kindMap {
		d.wrongType(n, "a map with "+strings.Join(keysOf(d.fields(v)), ", "))
		return
	}
	fields := d.fields(v)
	r := reflect.ValueOf(v).Elem()
	given := make(map[string]bool) // keys, and those that were meant by unknown ones
	for _, item := range n.items {
		f := fieldNamed(fields, item.label)
		given[f.key] = true
		switch {
		case f.key == "":
			given[d.unknown(item, fields)] = true
		case n.parent == nil && slices.Contains(d.skip, f.key):
		default:
			d.value(item, f, r.Field(f.index).Addr().Interface())
		}
	}
	d.groups(n, fields)
	d.missing(n, fields, given)
	if c, ok := v.(checked); ok {
		c.check(d, n)
	}
}

// unknown reports a key that nobody knows, and gives the one that was
// probably meant, or "".
func (d *decoder) unknown(n *node, fields []field) (meant string) {
	if d.errs.full() {
		d.errs.more++
		return ""
	}
	meant = keyNearest(n.label, fields)
	hint := fmt.Sprintf("; known are %s", strings.Join(keysOf(fields), ", "))
	if meant != "" {
		hint = fmt.Sprintf("; did you mean %q?", meant)
	}
	d.errs.addKey(n, "unknown key%s", hint)
	return meant
}

// missing reports keys without which a map says nothing: required ones, and
// one of each group that is.
func (d *decoder) missing(n *node, fields []field, given map[string]bool) {
	groups := make(map[string][]string)
	for _, f := range fields {
		if f.group != "" && f.required {
			groups[f.group] = append(groups[f.group], f.key)
		} else if f.required && !given[f.key] {
			d.errs.addKey(n, "has no %s", f.key)
		}
	}
	for _, keys := range groups {
		if !slices.ContainsFunc(keys, func(key string) bool { return given[key] }) {
			d.errs.addKey(n, "needs one of %s", oneOf(keys))
		}
	}
}

// groups refuses keys that exclude each other.
func (d *decoder) groups(n *node, fields []field) {
	first := make(map[string]*node)
	for _, item := range n.items {
		group := fieldNamed(fields, item.label).group
		if group == "" {
			continue
		}
		if other := first[group]; other != nil {
			d.errs.addKey(item, "cannot stand beside %s (line %d); remove one", other.label, other.key.line)
			continue
		}
		first[group] = item
	}
}

// mapping decodes a map with keys that the file chooses.
func (d *decoder) mapping(n *node, f field, r reflect.Value) {
	if n.kind != kindMap {
		d.wrongType(n, "a map")
		return
	}
	if f.some && len(n.items) == 0 {
		d.errs.addKey(n, "is empty; give one, or remove it")
	}
	r.Set(reflect.MakeMap(r.Type()))
	for _, item := range n.items {
		element := fresh(r.Type().Elem(), item)
		d.value(item, f.element(), element.Interface())
		if d.formatKey(item, f.keyFormat) {
			r.SetMapIndex(reflect.ValueOf(item.label), element.Elem())
		}
	}
}

func (d *decoder) list(n *node, f field, r reflect.Value) {
	if n.kind != kindList {
		hint := ""
		if n.scalar() && r.Type().Elem().Kind() == reflect.String {
			hint = "; write [" + shorten(n.text) + "]"
		}
		d.wrongTypeHint(n, "a list", hint)
		return
	}
	r.Set(reflect.MakeSlice(r.Type(), 0, len(n.items)))
	for _, item := range n.items {
		element := fresh(r.Type().Elem(), item)
		d.value(item, f.element(), element.Interface())
		r.Set(reflect.Append(r, element.Elem()))
	}
}

// fresh makes a value with its defaults.
func fresh(t reflect.Type, n *node) reflect.Value {
	v := reflect.New(t)
	if def, ok := v.Interface().(defaulted); ok {
		def.defaults(n)
	}
	return v
}

// element is what a list's or map's field says of each value in it.
func (f field) element() field {
	return field{vars: f.vars, formatName: f.formatName, enum: f.enum, min: f.min, max: f.max}
}

// text reads a text; any single value where variables are replaced, because
// nobody quotes the numbers of environment variables.
func (d *decoder) text(n *node, f field, v *string) {
	if !n.scalar() {
		d.wrongType(n, "text")
		return
	}
	if n.kind != kindText && !f.vars {
		d.wrongTypeHint(n, "text", fmt.Sprintf("; write %q", shorten(n.text)))
		return
	}
	*v = n.text
	if f.vars {
		*v = d.expand(n, n.text)
	}
	if f.enum != nil && !slices.Contains(f.enum, *v) {
		d.errs.add(n, "want %s, not %q%s", oneOf(f.enum), shorten(*v), didYouMean(*v, f.enum))
		return
	}
	d.format(n, f.formatName, *v)
}

// format checks what a text looks like; one that waits for variables passes.
func (d *decoder) format(n *node, name, text string) bool {
	f, ok := formats[name]
	if !ok || f.pattern.MatchString(text) || d.lookup == nil && strings.Contains(text, "${") {
		return true
	}
	if n.within("secrets") { // a misplaced secret must not be repeated
		d.errs.add(n, "want %s", f.want)
		return false
	}
	d.errs.add(n, "want %s, not %q%s", f.want, shorten(text), f.hint(text))
	return false
}

// formatKey checks what a key looks like.
func (d *decoder) formatKey(n *node, name string) bool {
	f, ok := formats[name]
	if !ok {
		return true
	}
	switch {
	case f.pattern.MatchString(n.label):
	case n.parent.label == "secrets":
		d.errs.addKey(n, "want a variable's name: %s", f.want)
		return false
	default:
		d.errs.addKey(n, "want a name of %s%s", f.want, f.hint(n.label))
		return false
	}
	if name == "variable" && n.label == portVariable {
		d.errs.addKey(n, "is set by Greenlight for each replica; remove it")
		return false
	}
	return true
}

// hint offers the text as it was probably meant.
func (f format) hint(text string) string {
	if f.mend == nil || len(text) > maxKey {
		return ""
	}
	if better := f.mend(text); f.pattern.MatchString(better) {
		return fmt.Sprintf("; did you mean %q?", better)
	}
	return ""
}

// integer reads a whole number within the field's bounds.
func (d *decoder) integer(n *node, f field, v *int) bool {
	i, err := strconv.Atoi(n.text)
	if n.kind != kindNumber || err != nil {
		d.wrongType(n, "a whole number")
		return false
	}
	least, _ := strconv.Atoi(f.min)
	most, _ := strconv.Atoi(f.max)
	if f.min != "" && i < least || f.max != "" && i > most {
		d.errs.add(n, "want a whole number from %s to %s, not %d", f.min, f.max, i)
		return false
	}
	*v = i
	return true
}

// quantity reads a number with a unit within the field's bounds.
func (d *decoder) quantity(n *node, f field, v encoding.TextUnmarshaler) {
	if n.kind != kindText && n.kind != kindNumber {
		example := ""
		if g, ok := v.(grammatical); ok {
			example = "a value as " + g.grammar().example
		}
		d.wrongType(n, example)
		return
	}
	parsed := reflect.New(reflect.TypeOf(v).Elem())
	if err := parsed.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
		d.noQuantity(n, err)
		return
	}
	size := magnitude(parsed)
	if f.min != "" && size < bound(parsed.Type(), f.min) || f.max != "" && size > bound(parsed.Type(), f.max) {
		d.errs.add(n, "want %s to %s, not %s", f.min, f.max, shorten(n.text))
		return
	}
	reflect.ValueOf(v).Elem().Set(parsed.Elem())
}

func (d *decoder) noQuantity(n *node, err error) {
	var why *quantityError
	if errors.As(err, &why) {
		d.errs.add(n, "want %s, not %q%s", why.want, shorten(n.text), why.hint())
		return
	}
	d.errs.add(n, "%v", err)
}

// bound reads a bound from a field's tag.
func bound(t reflect.Type, text string) float64 {
	v := reflect.New(t.Elem())
	if err := v.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		panic("spec: bound " + text + ": " + err.Error()) // a wrong tag
	}
	return magnitude(v)
}

func magnitude(v reflect.Value) float64 {
	if e := v.Elem(); e.CanFloat() {
		return e.Float()
	}
	return float64(v.Elem().Int())
}

// wrongType reports a value of another kind than wanted, without repeating it.
func (d *decoder) wrongType(n *node, want string) { d.wrongTypeHint(n, want, "") }

func (d *decoder) wrongTypeHint(n *node, want, hint string) {
	got := n.kind.String()
	if (n.kind == kindNumber || n.kind == kindBool) && !n.within("secrets") {
		got = shorten(n.text)
	}
	if n.kind == kindText && strings.HasPrefix(n.text, "${") {
		hint = "; ${VAR} works in texts only, but an environment's overlay may change this"
	}
	d.errs.add(n, "want %s, got %s%s", want, got, hint)
}

// limitEntries bounds a map, and tells whether it was within.
func (d *decoder) limitEntries(n *node, most int, what string) bool {
	if count := len(n.entries()); count > most {
		d.errs.addKey(n, "has %d %s; %d are the most", count, what, most)
		return false
	}
	return true
}

func oneOf(list []string) string {
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}
