package cli

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// printCapacityPlan prints the answer, how sure it is, and what it rests on;
// the files have all.
func printCapacityPlan(out io.Writer, p *plan.Plan) error {
	return printPlanWith(out, p, planSteps(p), p.Sure(), cost(p))
}

func printPlanWith(out io.Writer, p *plan.Plan, steps *table, sure, cost string) error {
	colours := paletteFor(out)
	var b strings.Builder
	b.WriteString(wrapped(p.Summary, lineWidth, "") + "\n\n")
	steps.write(&b, colours)
	if more := p.MoreSteps(); more > 0 {
		fmt.Fprintf(&b, "and %s, see plan.html\n", counted(more, "more change"))
	}
	b.WriteString("\n")
	planCurve(p).write(&b, colours)
	b.WriteString("\n")
	for _, line := range []struct{ name, text string }{
		{"how sure", sure},
		{"bottleneck", fmt.Sprintf("%s, at %s: %s", p.Bottleneck.Name, p.Bottleneck.Text(), p.Bottleneck.Why)},
		{"runs out", runsOut(p)},
		{"cost", cost},
		{"expires", p.ExpiresAt.Format(time.DateOnly) + ": " + p.ExpiresWhy},
	} {
		if line.text != "" {
			fmt.Fprintf(&b, "%-*s%s\n", labelWidth, line.name, wrapped(line.text, lineWidth-labelWidth, strings.Repeat(" ", labelWidth)))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// lineWidth is that of prose; labelWidth is for words before it.
const (
	lineWidth  = 80
	labelWidth = 12
)

// notMet is the state of a period whose peak no number of replicas bears.
const notMet = "not met"

// stateColours are those of a period's standing.
var stateColours = map[string]colour{"met": green, notMet: red}

func planSteps(p *plan.Plan) *table {
	t := &table{}
	t.add(cell{"when", dim, false}, cell{"replicas", dim, true}, cell{}, cell{"peaks up to", dim, true}, cell{"p99 then", dim, true}, cell{"a month", dim, true})
	for _, s := range p.FirstSteps() {
		p99, cost := "–", ""
		if s.P99 != nil {
			p99 = plan.Seconds(s.P99.Value)
		}
		if c := s.Cost; c != nil {
			cost = plan.Dollars(c.Monthly)
		}
		standing, known := stateColours[s.State]
		if !known {
			standing = yellow
		}
		t.add(cell{text: s.When()}, cell{strconv.Itoa(s.Replicas), bold, true}, cell{text: s.State, colour: standing}, cell{text: plan.Rate(s.Peak), right: true}, cell{text: p99, right: true}, cell{text: cost, right: true})
	}
	return t
}

// shownReplicas bounds the table on the terminal.
const shownReplicas = 12

func planCurve(p *plan.Plan) *table {
	t := &table{}
	t.add(cell{"replicas", dim, true}, cell{"carry", dim, true}, cell{"95 % interval", dim, false}, cell{"within the SLO", dim, true}, cell{"limited by", dim, false}, cell{})
	for _, c := range p.Curve[:min(len(p.Curve), shownReplicas)] {
		note := ""
		switch {
		case c.Extrapolated:
			note = "a guess"
		case float64(c.Replicas) > p.Evidence.MaxN:
			note = "not measured"
		}
		t.add(cell{text: strconv.Itoa(c.Replicas), right: true}, cell{text: plan.Rate(c.X), right: true}, cell{text: plan.Rate(c.Low) + " – " + plan.Rate(c.High)},
			cell{text: plan.Rate(c.SLORate), right: true}, cell{text: c.By}, cell{text: note, colour: dim})
	}
	return t
}

// runsOut says when shared stages do not do any more, "" when they last.
func runsOut(p *plan.Plan) string {
	var parts []string
	for _, s := range p.Stages {
		if s.RunsOut != "" {
			parts = append(parts, fmt.Sprintf("%s, in %s", s.Name, s.RunsOut))
		}
	}
	return strings.Join(parts, "; ")
}

// cost is the price of the first period, "" where nothing has one.
func cost(p *plan.Plan) string {
	c := p.Cheapest()
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s a month in %s: %d × %s at %s, the least of %d; list prices of %s",
		plan.Dollars(c.Monthly), p.Periods[0].Label, c.Machines, c.Type, c.Provider, len(p.Periods[0].Costs), p.Prices.AsOf.Format(time.DateOnly))
}

// unitAfter finds a number that is not to be parted from its unit.
var unitAfter = regexp.MustCompile(`([0-9]) (%|(?:µs|ms|s)\b)`)

// wrapped breaks a text between words, so that lines have at most so many
// columns; all but the first begin with an indent.
func wrapped(text string, width int, indent string) string {
	var lines []string
	line := ""
	const solid = "\u00a0" // between a number and its unit
	for word := range strings.FieldsFuncSeq(unitAfter.ReplaceAllString(text, "$1"+solid+"$2"), func(r rune) bool { return r == ' ' || r == '\n' }) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.ReplaceAll(strings.Join(append(lines, line), "\n"+indent), solid, " ")
}

// printGrade prints how far a plan was off.
func printGrade(out io.Writer, g *capacityGrade) error {
	t := &table{}
	t.add(cell{"replicas", dim, true}, cell{"predicted", dim, true}, cell{"95 % interval", dim, false}, cell{"measured", dim, true}, cell{"error", dim, true}, cell{})
	for _, p := range g.Capacity {
		held, standing := "inside the interval", green
		if !p.Held {
			held, standing = "outside the interval", yellow
		}
		if p.Fitted {
			held += ", but the plan was made from it"
		}
		t.add(cell{strconv.FormatFloat(p.N, 'g', -1, 64), bold, true}, cell{text: plan.Rate(p.Predicted), right: true}, cell{text: plan.Rate(p.Low) + " – " + plan.Rate(p.High)},
			cell{text: plan.Rate(p.Measured), right: true}, cell{text: fmt.Sprintf("%+.1f %%", 100*p.Error), right: true}, cell{text: held, colour: standing})
	}
	var b strings.Builder
	t.write(&b, paletteFor(out))
	b.WriteString("\n")
	for _, note := range g.Notes {
		b.WriteString(wrapped(note, lineWidth, "") + "\n")
	}
	if math.Abs(g.Worst) <= g.Limit && !g.Outdated {
		fmt.Fprintf(&b, "the plan holds: off by %.1f %%, within %.4g %%; it expires %s\n", 100*g.Worst, 100*g.Limit, g.ExpiresAt.Format(time.DateOnly))
	}
	_, err := io.WriteString(out, b.String())
	return err
}
