package spec

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// SchemaURL is where the JSON Schema of the description is published.
const SchemaURL = "https://raw.githubusercontent.com/greenlight-dev/greenlight/main/spec/greenlight.schema.json"

// grammar is what a number with a unit looks like.
type grammar struct {
	pattern string
	numbers bool // also as a plain number
	example string
}

type grammatical interface{ grammar() grammar }

// Schema is the JSON Schema (draft 2020-12) of the description, made of the
// types that decode it. Editors read it for completion; what only Parse can
// tell (cycles, conflicts, files) it does not know.
func Schema() []byte {
	g := &schemaWriter{defs: make(map[string]any)}
	root := g.structure(typeOf[document](), false)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = SchemaURL
	root["title"] = FileName
	root["description"] = "The description of a system: its services and the environments they run in."
	root["$defs"] = g.defs
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(err) // maps of plain values
	}
	return out.Bytes()
}

type schema = map[string]any

// schemaWriter collects the schemas of structs. Each has a second form for
// overlays, in which nothing is required and null removes.
type schemaWriter struct{ defs map[string]any }

// of is the schema of a field's values.
func (g *schemaWriter) of(t reflect.Type, f field, over bool) schema {
	switch v := reflect.New(t).Interface().(type) {
	case *overlay:
		return g.ref(typeOf[Service](), true)
	case *gatewayOverlay:
		return g.ref(typeOf[Gateway](), true)
	case *Models:
		return modelsSchema()
	case *Command:
		return anyOf(schema{"type": "string"}, schema{"type": "array", "minItems": 1, "items": scalars()})
	case *Replicas:
		return anyOf(schema{"type": "integer", "minimum": 0, "maximum": 1000}, g.ref(t, over))
	case *Retries:
		return anyOf(schema{"type": "integer", "minimum": 0, "maximum": mostRetries}, schema{"type": "string", "pattern": "^off$"}, schema{"const": false})
	case *Check:
		return anyOf(schema{"type": "string", "pattern": "^/|^off$"}, schema{"const": false}, g.ref(t, over))
	case grammatical:
		return quantitySchema(v.grammar())
	case encoding.TextUnmarshaler:
		return schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return g.ref(t, over)
	case reflect.Map:
		s := schema{"type": "object", "additionalProperties": g.value(t.Elem(), f.element(), over)}
		if f.some {
			s["minProperties"] = 1
		}
		if key, ok := formats[f.keyFormat]; ok {
			s["propertyNames"] = schema{"pattern": key.pattern.String()}
		}
		return s
	case reflect.Slice:
		return schema{"type": "array", "items": g.of(t.Elem(), f.element(), false)}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int:
		s := schema{"type": "integer"}
		setNumber(s, "minimum", f.min)
		setNumber(s, "maximum", f.max)
		return s
	}
	return textSchema(f)
}

// value is of, with null where an overlay may remove.
func (g *schemaWriter) value(t reflect.Type, f field, over bool) schema {
	if s := g.of(t, f, over); !over {
		return s
	} else {
		return anyOf(s, schema{"type": "null"})
	}
}

// ref writes the struct's schema once and refers to it.
func (g *schemaWriter) ref(t reflect.Type, over bool) schema {
	name := strings.ToLower(t.Name())
	if over {
		name += "-overlay"
	}
	if _, ok := g.defs[name]; !ok {
		g.defs[name] = nil // ends recursion
		g.defs[name] = g.structure(t, over)
	}
	return schema{"$ref": "#/$defs/" + name}
}

func (g *schemaWriter) structure(t reflect.Type, over bool) schema {
	fields := fieldsOf(t)
	preset := fresh(t, nil).Elem()
	properties := schema{}
	required := []string{}
	for _, f := range fields {
		s := g.value(f.typ, f, over)
		s["description"] = f.doc
		if value := preset.Field(f.index); !over && !value.IsZero() && plainDefault(f.typ) {
			s["default"] = value.Interface()
		}
		properties[f.key] = s
		if f.required && f.group == "" && !over {
			required = append(required, f.key)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if !over {
		exclude(s, fields)
	}
	return s
}

// exclude lets one key of a group be given, or none where none is required. No
// struct has more than one group.
func exclude(s schema, fields []field) {
	var alone []any
	required := true
	for _, f := range fields {
		if f.group != "" {
			alone = append(alone, schema{"required": []string{f.key}})
			required = required && f.required
		}
	}
	if len(alone) == 0 {
		return
	}
	if !required {
		alone = append(alone, schema{"not": schema{"anyOf": slices.Clone(alone)}})
	}
	s["oneOf"] = alone
}

// plainDefault tells the types whose default does not depend on other keys.
func plainDefault(t reflect.Type) bool {
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Slice && t.Kind() != reflect.Map
}

func anyOf(options ...schema) schema { return schema{"anyOf": options} }

func scalars() schema { return schema{"type": []string{"string", "number", "boolean"}} }

func modelsSchema() schema {
	name := schema{"pattern": formats["model"].pattern.String()}
	return anyOf(
		schema{"type": "string", "minLength": 1},
		schema{"type": "array", "minItems": 1, "items": schema{"type": "string"}},
		schema{"type": "object", "minProperties": 1, "propertyNames": name, "additionalProperties": schema{"type": "string"}},
	)
}

func quantitySchema(g grammar) schema {
	s := schema{"type": "string", "pattern": g.pattern, "examples": []string{g.example}}
	if g.numbers {
		s["type"] = []string{"string", "number"}
	}
	return s
}

func textSchema(f field) schema {
	s := schema{"type": "string"}
	if f.vars {
		s = scalars()
	}
	if f.enum != nil {
		s["enum"] = f.enum
	}
	if known, ok := formats[f.formatName]; ok {
		s["pattern"] = schemaPattern(known.pattern.String(), f.vars)
	}
	return s
}

// schemaPattern is the pattern in ECMA 262's dialect; a text with variables
// passes it, as its value is known later.
func schemaPattern(pattern string, vars bool) string {
	if rest, ok := strings.CutPrefix(pattern, "(?i)"); ok {
		pattern = strings.ReplaceAll(rest, "a-z", "A-Za-z")
	}
	if vars {
		pattern += `|\$\{`
	}
	return pattern
}

func setNumber(s schema, key, bound string) {
	if bound != "" {
		s[key] = json.Number(bound)
	}
}
