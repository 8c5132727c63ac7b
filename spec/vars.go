package spec

import (
	"regexp"
	"strings"
)

// portVariable is known only when a replica starts, so that it stays in the
// desired state as ${PORT}, in run only; the environment has it as PORT.
const portVariable = "PORT"

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand puts variables into text: ${VAR} must be set, ${VAR:-default} need
// not, $${ is a plain ${. Without a lookup it only checks how they are
// written.
func (d *decoder) expand(n *node, text string) string {
	if n == nil || !strings.Contains(text, "${") {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String()
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(literal + "${")
			text = rest
			continue
		}
		b.WriteString(before)
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			d.errs.add(n, "${ is not closed; write ${VAR}, or $${ for a plain ${")
			return text
		}
		b.WriteString(d.variable(n, inner))
		text = after
	}
}

// variable is the value of what stands between ${ and }.
func (d *decoder) variable(n *node, inner string) string {
	name, fallback, hasFallback := strings.Cut(inner, ":-")
	written := "${" + inner + "}"
	switch {
	case !variableName.MatchString(name):
		d.errs.add(n, "%q is no variable; write ${VAR} or ${VAR:-default}, or $${ for a plain ${", shorten(written))
		return written
	case name == portVariable:
		return d.port(n, written)
	case d.lookup == nil:
		return written
	}
	value, ok := d.lookup(name)
	switch {
	case hasFallback && value == "":
		return fallback
	case !ok:
		d.errs.add(n, "variable %s is not set here; set it, or write ${%s:-default}", name, name)
		return written
	}
	return value
}

// port lets ${PORT} stand where whoever starts the replica replaces it.
func (d *decoder) port(n *node, written string) string {
	if !n.within("run") || written != "${"+portVariable+"}" {
		d.errs.add(n, "${%s} is known only when a replica starts: it works in run, without a default", portVariable)
	}
	return written
}
