package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Error is one mistake in a description.
type Error struct {
	File    string `json:"file"`
	Line    int    `json:"line"`           // from 1; 0: the file as a whole
	Column  int    `json:"column"`         // from 1, in characters
	Path    string `json:"path,omitempty"` // keys from the outermost, as services.iris.replicas
	Message string `json:"message"`
	Source  string `json:"source,omitempty"` // the line; secrets and control characters masked

	offset, width int // of the caret in Source, in characters
}

// Error is one line: file, line, column, path and message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

// Excerpt is the source line with a caret below the mistake, or "".
func (e *Error) Excerpt() string {
	if e.Line == 0 {
		return ""
	}
	number := fmt.Sprintf("%5d", e.Line)
	return fmt.Sprintf("%s | %s\n%s | %s%s\n", number, e.Source,
		strings.Repeat(" ", len(number)), strings.Repeat(" ", e.offset), strings.Repeat("^", max(e.width, 1)))
}

// Errors are all mistakes in a description, by position.
type Errors []*Error

// Error is every mistake with its source line.
func (list Errors) Error() string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(e.Error() + "\n" + e.Excerpt())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// mark is a place in the file: line and column from 1, and how many characters
// from there on are meant.
type mark struct{ line, column, width int }

func (m mark) after(o mark) bool {
	return m.line > o.line || m.line == o.line && m.column > o.column
}

// source is the text that messages show.
type source struct {
	file   string
	lines  []string
	masked map[int]int // line → column from which a secret stands
}

func newSource(file string, data []byte) *source {
	s := &source{file: file, masked: make(map[int]int)}
	if len(data) <= MaxFileBytes {
		s.lines = strings.Split(normalize(data), "\n")
	}
	return s
}

// mask hides lines from a column on to their end.
func (s *source) mask(from mark, lines int) {
	for i := range lines {
		line, column := from.line+i, 1
		if i == 0 {
			column = from.column
		}
		if have, ok := s.masked[line]; !ok || column < have {
			s.masked[line] = column
		}
	}
}

// shown is a line as messages show it, where the caret goes and its width.
func (s *source) shown(m mark) (text string, offset, width int) {
	if m.line < 1 || m.line > len(s.lines) {
		return "", 0, 1
	}
	line := []rune(strings.TrimRight(s.lines[m.line-1], " \t"))
	if from, ok := s.masked[m.line]; ok && from-1 < len(line) {
		line = append(line[:max(from-1, 0):max(from-1, 0)], []rune("***")...)
	}
	offset = min(max(m.column-1, 0), len(line))
	width = max(1, min(m.width, len(line)-offset))
	const most, before = 120, 60
	if len(line) > most {
		start := max(0, min(offset-before, len(line)-most))
		head, tail := "", ""
		if start > 0 {
			head = "…"
		}
		if start+most < len(line) {
			tail = "…"
		}
		line = []rune(head + string(line[start:start+most]) + tail)
		offset += len([]rune(head)) - start
		width = max(1, min(width, len(line)-offset))
	}
	for i, r := range line {
		if r == '\t' {
			line[i] = ' '
		} else if !unicode.IsPrint(r) {
			line[i] = utf8.RuneError
		}
	}
	return string(line), offset, width
}

// collector gathers mistakes. The same one, met again in another environment,
// counts once.
type collector struct {
	source      *source
	list        Errors
	seen        map[mistake]*found
	more        int
	environment string // being built, "" for what all have in common
	built       int    // environments so far
}

// found is a mistake that was met, and where.
type found struct {
	err          *Error
	environments []string
}

type mistake struct {
	line, column int
	message      string
}

// maxErrors bounds the list; nobody reads more.
const maxErrors = 100

func (s *source) collect() *collector {
	return &collector{source: s, seen: make(map[mistake]*found)}
}

// full tells that further mistakes are only counted.
func (c *collector) full() bool { return len(c.list) >= maxErrors }

// add reports a mistake in a value.
func (c *collector) add(n *node, format string, args ...any) {
	c.at(n.mark, n.path(), fmt.Sprintf(format, args...))
}

// addKey reports a mistake where a value's key stands.
func (c *collector) addKey(n *node, format string, args ...any) {
	c.at(n.key, n.path(), fmt.Sprintf(format, args...))
}

func (c *collector) at(m mark, path, message string) {
	key := mistake{m.line, m.column, message}
	if before := c.seen[key]; before != nil {
		if !slices.Contains(before.environments, c.environment) {
			before.environments = append(before.environments, c.environment)
		}
		return
	}
	if c.full() {
		c.more++
		return
	}
	e := &Error{File: c.source.file, Line: m.line, Column: m.column, Path: path, Message: message, width: m.width}
	c.list = append(c.list, e)
	c.seen[key] = &found{e, []string{c.environment}}
}

// nameEnvironments says of mistakes which environments have them, where not
// all do and the path does not tell.
func (c *collector) nameEnvironments() {
	for _, f := range c.seen {
		some := f.environments
		if slices.Contains(some, "") || len(some) == c.built || strings.HasPrefix(f.err.Path, "environments.") {
			continue
		}
		f.err.Message += " (in environment " + strings.Join(some, ", ") + ")"
	}
}

// err is everything gathered, by position, nil for nothing.
func (c *collector) err() error {
	if len(c.list) == 0 {
		return nil
	}
	c.nameEnvironments()
	for _, e := range c.list { // now that all secrets are masked
		e.Source, e.offset, e.width = c.source.shown(mark{e.Line, e.Column, e.width})
	}
	slices.SortStableFunc(c.list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if c.more > 0 {
		c.list = append(c.list, &Error{File: c.source.file, Message: fmt.Sprintf("and %d more", c.more)})
	}
	return greenlight.WithCode(greenlight.CodeInvalid, c.list)
}
