package spec

import (
	"path"
	"strings"
	"unicode"
)

// Model is a model that a service serves.
type Model struct {
	Name string `json:"name"`
	Path string `json:"path"` // an ONNX file or a folder with model.onnx, relative to the description
}

// Models are the models of one service. In the file: a path, a list of paths,
// or a map of names to paths.
type Models []Model

// ModelFile is the model of a folder that is named as one.
const ModelFile = "model.onnx"

func (m *Models) take(d *decoder, n *node) bool {
	switch n.kind {
	case kindText, kindNumber, kindBool:
		*m = Models{{Path: m.path(d, n)}} // named after its service
	case kindList, kindMap:
		m.several(d, n)
	default:
		d.wrongType(n, "a path, a list of paths, or a map of names to paths")
	}
	return true
}

func (m *Models) several(d *decoder, n *node) {
	if len(n.items) == 0 {
		d.errs.addKey(n, "names no model")
	}
	taken := make(map[string]bool)
	for _, item := range n.items {
		if !item.scalar() {
			d.wrongType(item, "the path of a model")
			continue
		}
		model := Model{Name: item.label, Path: m.path(d, item)}
		if n.kind == kindList {
			model.Name = modelName(model.Path)
		}
		switch {
		case n.kind == kindMap:
			d.formatKey(item, "model")
		case !formats["model"].pattern.MatchString(model.Name):
			d.errs.add(item, "no model can be called %q; name it: {NAME: PATH}", shorten(model.Name))
		case taken[model.Name]:
			d.errs.add(item, "two models are called %q; name them: {first: PATH, second: PATH}", shorten(model.Name))
		}
		taken[model.Name] = true
		*m = append(*m, model)
	}
}

func (m *Models) path(d *decoder, n *node) string {
	p := d.expand(n, n.text)
	if !d.format(n, "file", p) {
		return p
	}
	p = path.Clean(p)
	d.exists(n, p, ModelFile, false)
	return p
}

// modelName is the folder's name for a folder or its model.onnx, else the
// file's name without extension.
func modelName(p string) string {
	if path.Base(p) == ModelFile && path.Dir(p) != "." {
		p = path.Dir(p)
	}
	return strings.TrimSuffix(path.Base(p), ".onnx")
}

// Command is a program and its arguments. ${PORT} in it stands for the port
// that the replica must listen on, known only when it starts.
type Command []string

// take reads one text, split at blanks outside quotes.
func (c *Command) take(d *decoder, n *node) bool {
	switch n.kind {
	case kindList:
		if len(n.items) == 0 {
			d.errs.addKey(n, "is empty; give the program and its arguments")
		}
		for _, item := range n.items {
			if !item.scalar() {
				d.wrongType(item, "a word of the command")
				continue
			}
			*c = append(*c, d.word(item, item.text))
		}
	case kindText:
		words, problem := splitWords(n.text)
		if problem != "" {
			d.errs.add(n, "%s", problem)
			return true
		}
		for _, w := range words {
			*c = append(*c, d.word(n, w))
		}
	default:
		d.wrongType(n, "a list of words or one text")
	}
	return true
}

// word puts variables into one word of a command and writes $PORT as ${PORT},
// so that whoever starts it replaces one form only.
func (d *decoder) word(n *node, w string) string {
	var b strings.Builder
	for rest := w; ; {
		i := strings.Index(rest, "$"+portVariable)
		if i < 0 {
			b.WriteString(rest)
			break
		}
		end := i + 1 + len(portVariable)
		b.WriteString(rest[:i])
		if end < len(rest) && isWordByte(rest[end]) { // $PORTS is another variable
			b.WriteString(rest[i:end])
		} else {
			b.WriteString("${" + portVariable + "}")
		}
		rest = rest[end:]
	}
	return d.expand(n, b.String())
}

func isWordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// splitWords splits a command at blanks. Quotes of either kind keep blanks, a
// backslash outside single quotes keeps the next character. It does nothing
// else that a shell does, and says so where one was clearly expected.
func splitWords(s string) (words []string, problem string) {
	var word strings.Builder
	var quote rune
	in, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			in, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			in, quote = true, r
		case unicode.IsSpace(r):
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		case strings.ContainsRune("|<>;`", r), r == '&' && !in: // & within a word is one of a URL
			return nil, "no shell reads run, so " + string(r) + " would be a plain character; quote it, or write [sh, -c, \"…\"]"
		default:
			in = true
			word.WriteRune(r)
		}
	}
	switch {
	case quote != 0:
		return nil, "a quote is not closed"
	case escaped:
		return nil, "a backslash at the end keeps nothing"
	case in:
		words = append(words, word.String())
	}
	if len(words) == 0 {
		return nil, "is empty; give the program and its arguments"
	}
	return words, ""
}
