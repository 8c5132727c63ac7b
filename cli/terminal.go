package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// colour is an SGR sequence of a terminal.
type colour string

const (
	plain   colour = ""
	dim     colour = "\x1b[2m"
	bold    colour = "\x1b[1m"
	red     colour = "\x1b[31m"
	green   colour = "\x1b[32m"
	yellow  colour = "\x1b[33m"
	blue    colour = "\x1b[34m"
	magenta colour = "\x1b[35m"
	cyan    colour = "\x1b[36m"
)

// palette puts colours around text where they can be seen and are wanted.
type palette bool

// paletteFor follows https://no-color.org.
func paletteFor(w io.Writer) palette {
	return palette(isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func (p palette) paint(c colour, text string) string {
	if !p || c == plain || text == "" {
		return text
	}
	return string(c) + text + "\x1b[0m"
}

func isTerminal(w any) bool {
	_, _, ok := terminalSize(w)
	return ok
}

// sgr are the colours that a line of text brings along.
var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// cut shortens a line to width columns, colours not counted.
func cut(line string, width int) string {
	if utf8.RuneCountInString(sgr.ReplaceAllString(line, "")) <= width {
		return line
	}
	var b strings.Builder
	for left := width - 1; line != ""; {
		if at := sgr.FindStringIndex(line); at != nil && at[0] == 0 {
			b.WriteString(line[:at[1]])
			line = line[at[1]:]
			continue
		}
		if left == 0 {
			break
		}
		_, size := utf8.DecodeRuneInString(line)
		b.WriteString(line[:size])
		line, left = line[size:], left-1
	}
	b.WriteString("…")
	if sgr.MatchString(b.String()) {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// fitting shortens a line that replaces itself to what the terminal shows: one
// that wraps cannot be replaced.
func fitting(w io.Writer, line string) string {
	if columns, _, ok := terminalSize(w); ok && columns > 1 {
		return cut(line, columns-1)
	}
	return line
}

// tame makes a line from a program harmless to the terminal: colours stay,
// everything else that steers it is shown as a question mark.
func tame(line string) string {
	harmful := func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 }
	if strings.IndexFunc(line, harmful) < 0 {
		return line
	}
	var b strings.Builder
	for line != "" {
		at := sgr.FindStringIndex(line)
		if at == nil {
			at = []int{len(line), len(line)}
		}
		b.WriteString(strings.Map(func(r rune) rune {
			if harmful(r) {
				return '?'
			}
			return r
		}, line[:at[0]]))
		b.WriteString(line[at[0]:at[1]])
		line = line[at[1]:]
	}
	return b.String()
}

// maxLine bounds a line that explains something; all of it is in --json.
const maxLine = 240

// oneLine is a text on one line that is not too long, harmless to a terminal.
func oneLine(text string) string {
	return cut(tame(strings.Join(strings.Fields(text), " ")), maxLine)
}

// screen shows a text that replaces itself.
type screen struct {
	w     io.Writer
	text  string // the last one
	shown int    // lines of it
}

// show puts text, which ends with a line break, where the last one was. What
// does not fit the terminal is left out, as it could not be replaced.
func (s *screen) show(text string) {
	if text == s.text && s.shown > 0 {
		return
	}
	s.text = text
	columns, rows := s.size()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if most := rows - 1; len(lines) > most { // the cursor has a line of its own
		left := len(lines) - most + 1
		lines = append(lines[:most-1:most-1], fmt.Sprintf("… %s more; make the window higher, or see greenlight status", counted(left, "line")))
	}
	var b strings.Builder
	if s.shown > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.shown)
	}
	for _, line := range lines {
		b.WriteString(cut(line, columns) + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.shown = len(lines)
	_, _ = io.WriteString(s.w, b.String())
}

// size is that of the terminal now, or of the usual one.
func (s *screen) size() (columns, rows int) {
	columns, rows, ok := terminalSize(s.w)
	if !ok || columns < 1 || rows < 3 {
		return 80, 24
	}
	return columns, rows
}
