package spec

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// field is a key of a map in the file, as the tags of a Go struct's field
// declare it:
//
//	json    its name
//	doc     its description; a field without one is no key
//	opt     "required"; "some": a map that is not empty;
//	        "vars": any single value, in which ${VAR} is replaced
//	format  what a text must look like, from formats
//	keys    what the keys of a map must look like, from formats
//	group   of the fields of one group, only one may be given; one must be
//	        where they are required
//	enum    the texts that are allowed
//	min, max  bounds, written as in the file
//	aka     what others call it, to offer the right name
type field struct {
	index                 int
	key, doc              string
	typ                   reflect.Type
	required, vars, some  bool
	formatName, keyFormat string
	group                 string
	min, max              string
	enum, aka             []string
}

// fieldsOf are the keys of a struct; nil for any other type.
func fieldsOf(t reflect.Type) []field {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var fields []field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		doc, isKey := tag.Lookup("doc")
		if !isKey {
			continue
		}
		key, _, _ := strings.Cut(tag.Get("json"), ",")
		options := list(tag.Get("opt"))
		fields = append(fields, field{
			index: i, key: key, doc: doc, typ: t.Field(i).Type,
			required:   slices.Contains(options, "required"),
			some:       slices.Contains(options, "some"),
			vars:       slices.Contains(options, "vars"),
			formatName: tag.Get("format"), keyFormat: tag.Get("keys"), group: tag.Get("group"),
			min: tag.Get("min"), max: tag.Get("max"),
			enum: list(tag.Get("enum")), aka: list(tag.Get("aka")),
		})
	}
	return fields
}

func list(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(tag, ",")
}

// fieldNamed is the field with this key; the zero field when there is none.
func fieldNamed(fields []field, key string) field {
	for _, f := range fields {
		if f.key == key {
			return f
		}
	}
	return field{}
}

// keyNearest is the key that was probably meant, by spelling or by the name
// that it has elsewhere.
func keyNearest(word string, fields []field) string {
	names, keyOf := make([]string, 0, len(fields)), make(map[string]string)
	for _, f := range fields {
		names = append(names, f.key)
		for _, name := range f.aka {
			keyOf[name] = f.key
		}
	}
	if key, ok := keyOf[word]; ok {
		return key
	}
	return nearest(word, names)
}

func keysOf(fields []field) []string {
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	return keys
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// format is what a text must look like.
type format struct {
	pattern *regexp.Regexp
	want    string
	mend    func(string) string // nearly right → right; nil, or "" for no idea
}

// formats by name. Labels follow RFC 1035, as Kubernetes wants them of
// services; hosts RFC 1123.
var formats = map[string]format{
	"label": {
		pattern: regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`),
		want:    "small letters, digits and '-', beginning with a letter, at most 63",
		mend:    asLabel,
	},
	"model": {
		pattern: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`),
		want:    "letters, digits, '.', '_' and '-', at most 63",
	},
	"variable": {
		pattern: variableName,
		want:    "letters, digits and '_', not beginning with a digit",
	},
	"file": {
		pattern: regexp.MustCompile(`^[^\x00-\x1f]+$`),
		want:    "the name of a file or folder",
	},
	"image": {
		pattern: regexp.MustCompile(`^[^\s]+$`),
		want:    "the name of a container image",
	},
	"path": {
		pattern: regexp.MustCompile(`^(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+$`),
		want:    "a path that begins with '/', without '?', '#' and blanks",
		mend:    asPath,
	},
	"host": {
		pattern: regexp.MustCompile(`(?i)^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`),
		want:    "a host name without scheme, port and path, as shop.example.com or *.example.com",
		mend:    asHost,
	},
	"network": {
		pattern: regexp.MustCompile(`^[0-9a-fA-F.:]+(/[0-9]{1,3})?$`),
		want:    "a network as 10.0.0.0/8, or one address",
	},
	"header": {
		pattern: regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,100}$`),
		want:    "a name of letters, digits and '-'",
	},
	"address": {
		pattern: regexp.MustCompile(`^[^\s/@]*:[0-9]{1,5}$`),
		want:    "HOST:PORT, as 127.0.0.1:8443 or :443",
	},
	"target": {
		pattern: regexp.MustCompile(`^/[^\s#]*$`),
		want:    "a path that begins with '/', with its query",
	},
	"threshold": {
		pattern: regexp.MustCompile(`^((response|service)\.)?(p[0-9]{1,2}(\.[0-9]+)?|p999|p9999|min|max|mean) *[<>]=? *([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^errors *[<>]=? *[0-9]+(\.[0-9]+)?%?$|^rate *[<>]=? *[0-9]+(\.[0-9]+)?(/s)?$`),
		want:    "a threshold, as p99<50ms, errors<0.1% or rate>=500/s",
	},
	"method": {
		pattern: regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE)$`),
		want:    "one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT and TRACE",
		mend:    strings.ToUpper,
	},
}

var notLabel = regexp.MustCompile(`[^a-z0-9]+`)

func asLabel(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "" // what is left would not be what was meant
	}
	s = strings.Trim(notLabel.ReplaceAllString(strings.ToLower(s), "-"), "-")
	return strings.TrimLeft(s, "0123456789-")
}

func asPath(s string) string {
	s, _, _ = strings.Cut(s, "?")
	return "/" + strings.TrimLeft(s, "/")
}

func asHost(s string) string {
	if _, after, ok := strings.Cut(s, "://"); ok {
		s = after
	}
	s, _, _ = strings.Cut(s, "/")
	s, _, _ = strings.Cut(s, ":")
	return s
}
