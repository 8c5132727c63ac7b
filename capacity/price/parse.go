package price

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Bounds of a list.
const (
	MaxFileBytes = 256 << 10
	MaxTypes     = 2_000 // of all providers

	// The YAML parser's time grows with the square of the words, its stack
	// with the depth.
	maxTokens = 20_000
	maxDepth  = 16
	maxText   = 200 // bytes of a name

	mostVCPU   = 10_000
	mostMemory = 1_000_000 // GiB
	mostHourly = 100_000   // US dollars
)

// Parse reads a list as prices.yaml is one. It is strict: what is missing,
// misspelt or impossible is an error that names the line.
func Parse(text []byte) (list *List, err error) {
	defer func() {
		if recover() != nil { // the YAML parser's; what it trips over is the file's fault
			list, err = nil, failure(1, "cannot be read as YAML")
		}
	}()
	root, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	list = &List{}
	r := &reader{}
	r.fields(root, "the file", fields{
		"as_of": func(n ast.Node) { list.AsOf = r.date(n) },
		"providers": func(n ast.Node) {
			for _, item := range r.items(n, "providers") {
				list.Providers = append(list.Providers, r.provider(item, list.Providers))
			}
		},
	})
	if r.err != nil {
		return nil, r.err
	}
	return list, nil
}

func failure(line int, format string, args ...any) error {
	return greenlight.Errorf(greenlight.CodeInvalid, "price list, line %d: %s", line, fmt.Sprintf(format, args...))
}

// parseYAML bounds the text and gives its only document.
func parseYAML(text []byte) (ast.Node, error) {
	if len(text) > MaxFileBytes {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the price list has more than %d bytes", MaxFileBytes)
	}
	if !utf8.Valid(text) {
		return nil, failure(1, "the file is not UTF-8 text")
	}
	tokens, err := tokenize(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text)))
	if err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxFailure(err)
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d != nil && d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) != 1 {
		return nil, failure(1, "%d documents; want one with as_of and providers", len(docs))
	}
	return docs[0], nil
}

func syntaxFailure(err error) error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
		return failure(syntax.Token.Position.Line, "not YAML: %s", clip(syntax.Message))
	}
	return failure(1, "cannot be read as YAML")
}

// tokenize scans the text, refusing more words or deeper brackets than any
// list has.
func tokenize(text string) (token.Tokens, error) {
	var s scanner.Scanner
	s.Init(text)
	var tokens token.Tokens
	for range len(text) + 2 { // a scan that takes nothing would never end
		next, err := s.Scan()
		if errors.Is(err, io.EOF) {
			return tokens, checkDepth(tokens)
		}
		tokens.Add(next...)
		if bad := token.Tokens(next).InvalidToken(); bad != nil {
			return nil, failure(lineOf(bad), "not YAML: %s", clip(bad.Error))
		}
		if err != nil || len(tokens) > maxTokens {
			return nil, failure(strings.Count(text, "\n")+1, "cannot be read as YAML, or has more than %d words and signs", maxTokens)
		}
	}
	return nil, failure(1, "cannot be read as YAML")
}

// checkDepth bounds brackets, and marks of lists and keys in one line, which
// nest as well.
func checkDepth(tokens token.Tokens) error {
	flow, marks, line := 0, 0, 0
	for _, t := range tokens {
		if at := lineOf(t); at != line {
			line, marks = at, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			marks++
		}
		if flow > maxDepth || marks > maxDepth {
			return failure(line, "nests too deep")
		}
	}
	return nil
}

func lineOf(t *token.Token) int {
	if t == nil || t.Position == nil {
		return 1
	}
	return t.Position.Line
}

// reader keeps the first error.
type reader struct {
	err   error
	types int
}

// fields is what each key of a map does; all of them must be there.
type fields map[string]func(n ast.Node)

func (r *reader) fail(n ast.Node, format string, args ...any) {
	if r.err == nil {
		line := 1
		if n != nil {
			line = lineOf(n.GetToken())
		}
		r.err = failure(line, format, args...)
	}
}

func (r *reader) fields(n ast.Node, what string, want fields) {
	var entries []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		r.fail(n, "%s is not a map", what)
		return
	}
	seen := make(map[string]bool)
	for _, e := range entries {
		key := e.Key.String()
		set := want[key]
		switch {
		case r.err != nil:
			return
		case set == nil:
			r.fail(e.Key, "%s has no %q; it has %s", what, clip(key), names(want))
		case seen[key]:
			r.fail(e.Key, "%s has %q twice", what, key)
		default:
			seen[key] = true
			set(e.Value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !seen[key] {
			r.fail(n, "%s lacks %s", what, key)
		}
	}
}

func names(f fields) string { return strings.Join(slices.Sorted(maps.Keys(f)), ", ") }

func (r *reader) items(n ast.Node, what string) []ast.Node {
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.fail(n, "%s is not a list with at least one entry", what)
		return nil
	}
	return list.Values
}

func (r *reader) provider(n ast.Node, before []Provider) (p Provider) {
	r.fields(n, "a provider", fields{
		"name":   func(n ast.Node) { p.Name = r.text(n, "name") },
		"region": func(n ast.Node) { p.Region = r.text(n, "region") },
		"source": func(n ast.Node) { p.Source = r.text(n, "source") },
		"types": func(n ast.Node) {
			for _, item := range r.items(n, "types") {
				p.Types = append(p.Types, r.machine(item, p.Types))
			}
		},
	})
	if slices.ContainsFunc(before, func(o Provider) bool { return o.Name == p.Name && o.Region == p.Region }) {
		r.fail(n, "%s %s is there twice", p.Name, p.Region)
	}
	return p
}

func (r *reader) machine(n ast.Node, before []Type) (t Type) {
	if r.types++; r.types > MaxTypes {
		r.fail(n, "more than %d types", MaxTypes)
	}
	if r.err != nil {
		return t
	}
	r.fields(n, "a type", fields{
		"name":       func(n ast.Node) { t.Name = r.text(n, "name") },
		"vcpu":       func(n ast.Node) { t.VCPU = r.number(n, "vcpu", mostVCPU) },
		"memory_gib": func(n ast.Node) { t.MemoryGiB = r.number(n, "memory_gib", mostMemory) },
		"hourly_usd": func(n ast.Node) { t.HourlyUSD = r.number(n, "hourly_usd", mostHourly) },
	})
	if slices.ContainsFunc(before, func(o Type) bool { return o.Name == t.Name }) {
		r.fail(n, "type %s is there twice", t.Name)
	}
	return t
}

// text is a value as it is written: a name may look like a number.
func (r *reader) text(n ast.Node, what string) string {
	_, scalar := n.(ast.ScalarNode)
	_, null := n.(*ast.NullNode)
	if !scalar || null {
		r.fail(n, "%s is not a text", what)
		return ""
	}
	v := n.GetToken().Value
	if v == "" || len(v) > maxText || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' }) {
		r.fail(n, "%s must be one line of 1 to %d bytes", what, maxText)
	}
	return v
}

func (r *reader) number(n ast.Node, what string, most float64) float64 {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		if v, err := strconv.ParseFloat(n.GetToken().Value, 64); err == nil && v > 0 && v <= most {
			return v
		}
	}
	r.fail(n, "%s must be a number above 0 and at most %g", what, most)
	return 0
}

func (r *reader) date(n ast.Node) time.Time {
	t, err := time.Parse(time.DateOnly, r.text(n, "as_of"))
	if err != nil && r.err == nil {
		r.fail(n, "as_of must be a date, as 2026-01-31")
	}
	return t
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
