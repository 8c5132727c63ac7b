package detect

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/greenlight-dev/greenlight/spec"
)

// Describe writes the description of a system that runs the services, for
// people to read and change. name must be a label.
func Describe(name string, services []Service) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# yaml-language-server: $schema=%s\n", spec.SchemaURL)
	b.WriteString("# What runs, and where. greenlight up runs it, greenlight validate checks it.\n\n")
	fmt.Fprintf(&b, "name: %s\n\nservices:\n", scalar(name))
	for i, s := range services {
		if i > 0 {
			b.WriteString("\n")
		}
		s.describe(&b)
	}
	b.WriteString(`
environments:
  dev:
    backend: process # this machine
  # production:      # what differs there; everything else stays as above
  #   owner: you@example.com
  #   services:
`)
	if len(services) > 0 {
		fmt.Fprintf(&b, "  #     %s: {replicas: 4}\n", services[0].Name)
	}
	return []byte(b.String())
}

func (s *Service) describe(b *strings.Builder) {
	fmt.Fprintf(b, "  # %s: %s.\n", s.Kind, oneLine(s.Why))
	if s.Hint != "" {
		fmt.Fprintf(b, "  # To do: %s.\n", oneLine(s.Hint))
	}
	fmt.Fprintf(b, "  %s:\n", scalar(s.Name))
	if s.Model != "" {
		fmt.Fprintf(b, "    model: %s\n    replicas: 2\n", scalar(escape(s.Model)))
		return
	}
	words := make([]string, len(s.Run))
	for i, w := range s.Run {
		words[i] = scalar(w)
	}
	fmt.Fprintf(b, "    run: [%s] # no shell; ${PORT} is the port it must listen on\n", strings.Join(words, ", "))
	if s.Dir != "." {
		fmt.Fprintf(b, "    dir: %s\n", scalar(escape(s.Dir)))
	}
	if s.Ready != "" {
		fmt.Fprintf(b, "    ready: %s # gets requests when this answers\n", scalar(s.Ready))
	}
}

// scalar writes s so that YAML reads it as this text, also within brackets.
func scalar(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./_-", r))
	})
	first := strings.TrimLeft(s, "-/")
	if plain && first != "" && (first[0] >= 'a' && first[0] <= 'z' || first[0] >= 'A' && first[0] <= 'Z') && !reserved(s) {
		return s
	}
	if s == "." {
		return s
	}
	return strconv.QuoteToGraphic(strings.ToValidUTF8(s, "?"))
}

// escape keeps a file's name from being read as a variable.
func escape(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// reserved tells words that some YAML reader takes for something else.
func reserved(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return true
	}
	return false
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}
