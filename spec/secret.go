package spec

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Secrets have no place in a description, but people put them there. Until
// they are told, messages must not spread them: the lines that messages show
// are masked where a secret may stand.

// maskSecrets hides what stands below a key like secrets and is no reference,
// and what looks like such a key in the text but is none in the tree.
func (s *source) maskSecrets(root *node, lost []dropped) {
	known := make(map[int]bool)
	s.maskTree(root, false, known)
	for _, d := range lost {
		lone := &node{kind: kindMap, parent: d.n.parent, label: d.n.parent.label, items: []*node{d.n}}
		s.maskTree(lone, d.n.parent.within("secrets"), known)
	}
	s.maskSecretText(wordBeforeColon, known)
}

// maskTree masks values below secrets, and notes in known the lines of keys
// with a value: there the tree is to be trusted, not the text.
func (s *source) maskTree(n *node, below bool, known map[int]bool) {
	for _, item := range n.items {
		named := !item.inList && nearSecrets(item.label)
		if named && item.kind != kindNull {
			known[item.key.line] = true
		}
		if item.maybeSecret() || item.label == "" {
			s.mask(item.key, 1)
		}
		leaf := item.scalar() || item.kind == kindUnknown
		if leaf && (item.label == "" || named || below && !item.reference()) {
			s.maskText(item)
		}
		s.maskTree(item, below || named, known)
	}
}

// reference tells where a secret is kept.
func (n *node) reference() bool {
	return !n.inList && (n.label == "env" && variableName.MatchString(n.text) || n.label == "file")
}

// nearSecrets tells the key secrets and what may have been meant to be it.
func nearSecrets(label string) bool { return nearest(label, []string{"secrets"}) != "" }

// maskText hides a text: the rest of its line, as many lines as it has when it
// goes over several, and those indented deeper than its key.
func (s *source) maskText(n *node) {
	lines := 1
	if breaks := strings.Count(n.text, "\n"); breaks > 0 {
		lines += 1 + breaks
	}
	s.mask(n.mark, lines)
	if n.breaks > 0 { // the parser may take its last line for its place
		from := max(n.line-n.breaks, n.parent.line)
		if !n.inList {
			from = max(from, n.key.line+1)
		}
		s.mask(mark{line: from, column: 1}, n.line-from)
	}
	for line := n.line + 1; line <= len(s.lines); line++ {
		text := s.lines[line-1]
		if strings.TrimSpace(text) != "" && indentOf(text) < n.key.column {
			return
		}
		s.mask(mark{line: line, column: 1}, 1)
	}
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

var (
	anyWord         = regexp.MustCompile(`(\w+)`)
	wordBeforeColon = regexp.MustCompile(`(\w+)["']?\s*:`)
	nextKey         = regexp.MustCompile(`^\s*["']?[a-z][a-z0-9_-]*["']?\s*:`)
)

// maskSecretText hides what follows a word like secrets, up to a key that is
// not indented deeper and not in capitals, as variables are: in a text that is
// no YAML, how far secrets reach can only be guessed.
func (s *source) maskSecretText(word *regexp.Regexp, known map[int]bool) {
	indent := -1 // of the word; -1 outside
	for i, text := range s.lines {
		if at := secretsInLine(word, text); at >= 0 && !known[i+1] {
			s.mask(mark{line: i + 1, column: utf8.RuneCountInString(text[:at]) + 1}, 1)
			indent = indentOf(text)
			continue
		}
		if indent >= 0 && nextKey.MatchString(text) && indentOf(text) <= indent {
			indent = -1
		}
		if indent >= 0 {
			s.mask(mark{line: i + 1, column: 1}, 1)
		}
	}
}

// secretsInLine is where the word ends that may mean secrets, -1 for none.
func secretsInLine(word *regexp.Regexp, text string) int {
	found := word.FindAllStringSubmatchIndex(text, -1)
	i := slices.IndexFunc(found, func(m []int) bool { return nearSecrets(text[m[2]:m[3]]) })
	if i < 0 {
		return -1
	}
	return found[i][1]
}
