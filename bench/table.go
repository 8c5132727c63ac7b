package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// table is the outcome.
type table struct {
	Machine string
	Rivals  []string // with their versions
	Notes   []string
	Rows    []row
}

// row is one line. Figures are in Unit; Ratio is how many times better
// Greenlight is, with the quartiles of the rounds. A row without a rival has
// a Limit that its figure must stay under, one without either is for reading
// the others.
type row struct {
	What       string  `json:"what"`
	Unit       string  `json:"unit"` // "ns", "/s", "ms", "MB"
	Greenlight float64 `json:"greenlight"`
	Rival      float64 `json:"rival,omitempty"`
	Ratio      float64 `json:"ratio,omitempty"`
	Quartile1  float64 `json:"quartile_1,omitempty"`
	Quartile3  float64 `json:"quartile_3,omitempty"`
	Target     float64 `json:"target,omitempty"` // of Ratio, at least
	Limit      float64 `json:"limit,omitempty"`  // of Greenlight, below
	Met        *bool   `json:"met,omitempty"`
}

// compared makes a row of both sides' rounds and of their quotients, sorted,
// where more is better.
func compared(what, unit string, ours, rival, quotients []float64, target float64) row {
	r := row{
		What: what, Unit: unit, Greenlight: median(ours), Rival: median(rival), Target: target,
		Ratio: quantile(quotients, 0.5), Quartile1: quantile(quotients, 0.25), Quartile3: quantile(quotients, 0.75),
	}
	if met := r.Ratio >= target; target > 0 {
		r.Met = &met
	}
	return r
}

func limited(what, unit string, figure, limit float64) row {
	met := figure < limit
	return row{What: what, Unit: unit, Greenlight: figure, Limit: limit, Met: &met}
}

func (t *table) missed() int {
	n := 0
	for _, r := range t.Rows {
		if r.Met != nil && !*r.Met {
			n++
		}
	}
	return n
}

func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\nGreenlight against %s\n%s\n\n", strings.Join(t.Rivals, ", "), t.Machine)
	lines := [][]string{{"", "Greenlight", "rival", "ratio", "quartiles", "target", "met"}}
	for _, r := range t.Rows {
		lines = append(lines, append([]string{r.What}, r.cells()...))
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		fmt.Fprintf(w, "%-*s", widths[0], line[0])
		for i, cell := range line[1:] {
			fmt.Fprintf(w, "  %*s", widths[i+1], cell)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	for _, note := range t.Notes {
		fmt.Fprintln(w, note)
	}
}

func (r *row) cells() []string {
	cells := []string{figure(r.Greenlight, r.Unit), "", "", "", "", ""}
	if r.Rival != 0 {
		cells[1] = figure(r.Rival, r.Unit)
		cells[2] = fmt.Sprintf("%.2f×", r.Ratio)
		cells[3] = fmt.Sprintf("%.2f–%.2f", r.Quartile1, r.Quartile3)
	}
	switch {
	case r.Target > 0:
		cells[4] = fmt.Sprintf("≥ %g×", r.Target)
	case r.Limit > 0:
		cells[4] = "< " + figure(r.Limit, r.Unit)
	}
	if r.Met != nil {
		cells[5] = map[bool]string{true: "yes", false: "NO"}[*r.Met]
	}
	return cells
}

// figure writes a value with three digits, or all before the point.
func figure(v float64, unit string) string {
	if unit == "ns" {
		switch {
		case v >= 1e6:
			v, unit = v/1e6, "ms"
		case v >= 1e3:
			v, unit = v/1e3, "µs"
		}
	}
	digits := 2
	for x := v; x >= 10 && digits > 0; x /= 10 {
		digits--
	}
	if unit == "/s" {
		return fmt.Sprintf("%.*f/s", digits, v)
	}
	return fmt.Sprintf("%.*f %s", digits, v, unit)
}

func (t *table) writeJSON(path string) error {
	data, err := json.MarshalIndent(map[string]any{
		"machine": t.Machine, "rivals": t.Rivals, "notes": t.Notes, "rows": t.Rows,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
