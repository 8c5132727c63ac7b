package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds on the text. The YAML parser's time grows with the square of the
// tokens and its stack with the depth, so both are counted before it runs.
const (
	maxTokens = 50_000
	maxDepth  = 32
	maxNodes  = 100_000 // aliases counted as often as they are used
	maxKey    = 256
)

// normalize drops a byte order mark and carriage returns, which mean nothing
// here and shift columns.
func normalize(data []byte) string {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
}

// readYAML gives the file's outermost map, or nil after reporting why not.
func readYAML(data []byte, errs *collector) *node {
	if len(data) > MaxFileBytes {
		errs.at(mark{}, "", fmt.Sprintf("is larger than %s", Bytes(MaxFileBytes)))
		return nil
	}
	if line, column, ok := invalidText(data); ok {
		errs.at(mark{line, column, 1}, "", "is not UTF-8 text")
		return nil
	}
	file, problem := parseYAML(normalize(data))
	if problem != nil {
		errs.source.maskSecretText(anyWord, nil)
		errs.at(problem.mark, "", problem.message)
		return nil
	}
	return rootOf(file, errs)
}

// invalidText finds the first byte that is not UTF-8.
func invalidText(data []byte) (line, column int, found bool) {
	if utf8.Valid(data) {
		return 0, 0, false
	}
	valid := bytes.ToValidUTF8(data, []byte("\x00\x00")) // any valid text of another length
	i := 0
	for i < len(data) && i < len(valid) && data[i] == valid[i] {
		i++
	}
	before := data[:i]
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1, true
}

// problem is why a text is no YAML, or not one that is read here.
type problem struct {
	mark
	message string
}

func problemAt(t *token.Token, message string) *problem { return &problem{markOf(t), message} }

// parseYAML bounds the text and parses it. What the parser trips over is a
// problem of the file, even where it panics.
func parseYAML(text string) (file *ast.File, p *problem) {
	at := mark{1, 1, 1}
	defer func() {
		if recover() != nil {
			file, p = nil, &problem{at, "cannot be read as YAML"}
		}
	}()
	tokens, p := tokenize(text)
	if p != nil {
		return nil, p
	}
	if p := checkDepth(tokens); p != nil {
		return nil, p
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file, nil
	}
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil {
		return nil, problemAt(syntax.Token, plainMessage(syntax.Message))
	}
	return nil, &problem{at, "cannot be read as YAML"}
}

func tokenize(text string) (token.Tokens, *problem) {
	var s scanner.Scanner
	s.Init(text)
	var tokens token.Tokens
	for range len(text) + 2 { // a scan that takes nothing would never end
		next, err := s.Scan()
		if errors.Is(err, io.EOF) {
			return tokens, nil
		}
		tokens.Add(next...)
		if wrong := token.Tokens(next).InvalidToken(); err != nil || wrong != nil {
			return tokens, invalidToken(tokens, wrong)
		}
		if len(tokens) > maxTokens {
			return nil, problemAt(tokens[len(tokens)-1], fmt.Sprintf("the file has more than %d words and signs", maxTokens))
		}
	}
	return nil, invalidToken(tokens, nil)
}

// invalidToken is the problem of the token at which the scanner gave up.
func invalidToken(tokens token.Tokens, wrong *token.Token) *problem {
	switch {
	case wrong != nil:
		return problemAt(wrong, plainMessage(wrong.Error))
	case len(tokens) > 0:
		return problemAt(tokens[len(tokens)-1], "cannot be read as YAML from here on")
	}
	return &problem{mark{1, 1, 1}, "cannot be read as YAML"}
}

// checkDepth bounds how deep brackets and indents nest.
func checkDepth(tokens token.Tokens) *problem {
	flow := 0
	var indents []int // columns of the open block lists and maps
	for i, t := range tokens {
		column := 0
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType:
			column = t.Position.Column
		case token.MappingValueType:
			if i > 0 && flow == 0 {
				column = tokens[i-1].Position.Column
			}
		}
		if column > 0 && flow == 0 {
			for len(indents) > 0 && indents[len(indents)-1] >= column {
				indents = indents[:len(indents)-1]
			}
			indents = append(indents, column)
		}
		if flow+len(indents) > maxDepth {
			return problemAt(t, fmt.Sprintf("nests deeper than %d levels", maxDepth))
		}
	}
	return nil
}

// plainMessage says the parser's commonest messages in words that lead to the
// mistake.
func plainMessage(message string) string {
	for _, known := range []struct{ says, means string }{
		{"mapping value is not allowed in this context", "a second \":\" or an indented line after a value; quote the value, or mend the indentation"},
		{"could not find end character", "the quote that opens here is not closed"},
		{"cannot start any token", "a tab cannot indent; use blanks"},
		{"non-map value is specified", "a line without \":\" among keys; write KEY: VALUE"},
		{"unexpected key name", "a line without \":\" among keys; write KEY: VALUE"},
		{"',' or '}' must be specified", "the { before this is not closed"},
		{"',' or ']' must be specified", "the [ before this is not closed"},
		{"could not find flow mapping end token", "the { that opens here is not closed"},
		{"sequence end token ']' not found", "the [ that opens here is not closed"},
		{"is a reserved character", "a value cannot begin so; quote it"},
		{"value is not allowed in this context", "does not line up with anything above; mend the indentation"},
	} {
		if strings.Contains(message, known.says) {
			return known.means
		}
	}
	before, _, _ := strings.Cut(message, `"`) // what it quotes may be a secret
	return "not YAML: " + strings.TrimRight(before, ": ")
}

// markOf is a token's place and its width on its line.
func markOf(t *token.Token) mark {
	if t == nil || t.Position == nil {
		return mark{1, 1, 1}
	}
	text, _, _ := strings.Cut(strings.TrimSpace(t.Origin), "\n")
	return mark{t.Position.Line, max(1, t.Position.Column), max(1, utf8.RuneCountInString(strings.TrimSpace(text)))}
}
