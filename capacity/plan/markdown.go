package plan

import (
	"cmp"
	_ "embed"
	"io"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/greenlight-dev/greenlight/capacity/latency"
)

//go:embed plan.md.tmpl
var markdownPage string

// functions are what both pages write figures with.
func functions() map[string]any {
	return map[string]any{
		"rate": perSecond, "short": short, "about": aboutSeconds, "percent": percent, "tenths": tenths, "seconds": seconds, "dollars": dollars, "count": Count,
		"date":  func(t time.Time) string { return t.Format("2 January 2006") },
		"lines": func(list []string) string { return strings.Join(list, ", ") },
		"p99":   p99Text,
		"capital": func(s string) string {
			if s == "" || s[0] < 'a' || s[0] > 'z' || strings.HasPrefix(s, "p99") {
				return s
			}
			return string(s[0]-'a'+'A') + s[1:]
		},
		"each": func(v *float64) float64 {
			return *v
		},
		"int": func(v int) float64 { return float64(v) },
		"cell": func(s string) string { // of a table in Markdown
			return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s)
		},
	}
}

func p99Text(e *latency.Estimate) string {
	if e == nil {
		return "–"
	}
	return aboutSeconds(e.Value)
}

// WriteMarkdown writes the plan for people to read and keep.
func (p *Plan) WriteMarkdown(out io.Writer) error {
	page, err := template.New("plan").Funcs(functions()).Parse(markdownPage)
	if err != nil {
		return err
	}
	return page.Execute(out, p)
}

// Providers are those that have a price in any period, in the list's order.
func (p *Plan) Providers() []string {
	var names []string
	for _, d := range p.Periods {
		for _, c := range d.Costs {
			if !slices.Contains(names, c.Provider) {
				names = append(names, c.Provider)
			}
		}
	}
	return names
}

// CostOf is a provider's price of the period; nil when it has none.
func (d Period) CostOf(provider string) *Cost {
	for i := range d.Costs {
		if d.Costs[i].Provider == provider {
			return &d.Costs[i]
		}
	}
	return nil
}

// State is the period's standing in a word.
func (d Period) State() string {
	switch {
	case !d.Met:
		return "not met"
	case d.Uncertain:
		return "uncertain"
	case d.Extrapolated:
		return "extrapolated"
	}
	return "met"
}

// Compared is the measurements at one N beside what the plan makes of it.
type Compared struct {
	N           float64
	Runs        int
	Mean        float64
	Least, Most float64
	Errors      float64 // of the worst
	Predicted   float64
	Low, High   float64
}

// Compared is the measurements that lie on the plan's curve, by N.
func (p *Plan) Compared() []Compared {
	var list []Compared
	for _, m := range p.Evidence.Measurements {
		i := slices.IndexFunc(list, func(c Compared) bool { return c.N == m.N })
		if i < 0 {
			at, err := p.carriedAt(m.N)
			if err != nil {
				continue
			}
			i = len(list)
			list = append(list, Compared{N: m.N, Least: m.X, Predicted: at.X, Low: at.Low, High: at.High})
		}
		c := &list[i]
		c.Runs++
		c.Mean += (m.X - c.Mean) / float64(c.Runs)
		c.Least, c.Most, c.Errors = min(c.Least, m.X), max(c.Most, m.X), max(c.Errors, m.Errors)
	}
	slices.SortFunc(list, func(a, b Compared) int { return cmp.Compare(a.N, b.N) })
	return list
}

// Class is the colour of State.
func (d Period) Class() string {
	switch d.State() {
	case "met":
		return "go"
	case "not met":
		return "stop"
	}
	return "hold"
}

// Worst is the colour of the whole plan: that of its first period, held up by
// any that is not met.
func (p *Plan) Worst() string {
	if !p.Periods[0].Met {
		return "stop"
	}
	for _, d := range p.Periods {
		if d.State() != "met" {
			return "hold"
		}
	}
	return ""
}

// Cheapest is the cheapest price of the first period; nil without any.
func (p *Plan) Cheapest() *Cost { return p.Periods[0].Cheapest() }
