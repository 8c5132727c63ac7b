package cli

import (
	"strings"
	"unicode/utf8"
)

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
	right  bool // aligned
}

// table is rows of cells in columns; a row of one cell is a note that runs
// across them.
type table struct{ rows [][]cell }

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// write lays the table out, two blanks between columns, none at a line's end.
func (t *table) write(b *strings.Builder, p palette) {
	var widths []int
	for _, row := range t.rows {
		if len(row) == 1 {
			continue
		}
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for _, row := range t.rows {
		writeRow(b, p, row, widths)
	}
}

func writeRow(b *strings.Builder, p palette, row []cell, widths []int) {
	fields := make([]string, len(row))
	for i, c := range row {
		pad := ""
		if len(row) > 1 {
			pad = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
		}
		fields[i] = p.paint(c.colour, c.text) + pad
		if c.right {
			fields[i] = pad + p.paint(c.colour, c.text)
		}
	}
	b.WriteString(strings.TrimRight(strings.Join(fields, "  "), " ") + "\n")
}
