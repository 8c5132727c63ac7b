package chart

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// size of a picture: one for wide screens and one for phones.
type size struct {
	class         string
	width, height float64
	marks         int
}

var sizes = []size{{"wide", 520, 270, 6}, {"narrow", 350, 250, 4}}

// The room around the plot.
const (
	padLeft, padRight = 50.0, 14.0
	padTop, padBottom = 22.0, 36.0
)

// drawing is a chart in one size.
type drawing struct {
	*Chart
	size
	page []byte
}

func (d *drawing) put(format string, args ...any) { d.page = fmt.Appendf(d.page, format, args...) }

func escape(s string) string { return template.HTMLEscapeString(s) }

func (d *drawing) px(v float64) float64 {
	return padLeft + (v-d.X.From)/(d.X.To-d.X.From)*(d.width-padLeft-padRight)
}

func (d *drawing) py(v float64) float64 {
	return padTop + (d.Y.To-v)/(d.Y.To-d.Y.From)*(d.height-padTop-padBottom)
}

func (d *drawing) draw() {
	d.put(`<svg class="chart %s" viewBox="0 0 %g %g" role="img" aria-label="%s" font-size="11">`, d.class, d.width, d.height, escape(d.Label))
	d.grid()
	d.shade()
	d.openPlot()
	for _, b := range d.Bands {
		low := slices.Clone(b.Low)
		slices.Reverse(low)
		d.put(`<path class="band %s" fill="%s" opacity=".14" d="%s%sZ"/>`, b.Colour, paint[b.Colour], d.path("M", b.High), d.path("L", low))
	}
	for _, l := range d.Lines {
		d.line(l)
	}
	d.put("</svg>")
	for _, r := range d.Rules {
		d.rule(r)
	}
	verticals := 0
	for _, r := range d.Rules { // words over all lines
		d.word(r, verticals)
		if r.Vertical {
			verticals++
		}
	}
	for _, p := range d.Dots {
		d.put(`<circle cx="%.1f" cy="%.1f" r="3" fill="var(--panel,#fff)" stroke="%s" stroke-width="1.6"><title>%s</title></circle>`, d.px(p.At[0]), d.py(p.At[1]), paint[Run], escape(p.Title))
	}
	d.put("</svg>\n")
}

// openPlot begins the part of the picture outside which lines are cut off.
func (d *drawing) openPlot() {
	w, h := d.width-padLeft-padRight, d.height-padTop-padBottom
	d.put(`<svg x="%[1]g" y="%[2]g" width="%[3]g" height="%[4]g" viewBox="%[1]g %[2]g %[3]g %[4]g">`, padLeft, padTop, w, h)
}

func (d *drawing) grid() {
	const line = `<path class="grid" fill="none" stroke="var(--line,#e6e5df)" d="M%g %.1fH%g"/>`
	for _, m := range d.Y.places(5) {
		d.put(line, padLeft, d.py(m.At), d.width-padRight)
		d.put(`<text fill="%s" x="%g" y="%.1f" text-anchor="end">%s</text>`, paint[Dim], padLeft-7, d.py(m.At)+4, escape(m.Text))
	}
	for _, m := range d.X.places(d.marks) {
		d.put(`<text fill="%s" x="%.1f" y="%g" text-anchor="%s">%s</text>`, paint[Dim], d.px(m.At), d.height-padBottom+16, d.anchor(m), escape(m.Text))
	}
	d.put(`<text class="title" fill="%s" x="%g" y="11">%s</text>`, paint[Dim], padLeft, escape(d.Y.Title))
	d.put(`<text class="title" fill="%s" x="%g" y="%g" text-anchor="end">%s</text>`, paint[Dim], d.width-padRight, d.height-4, escape(d.X.Title))
}

// anchor keeps a mark at the right end inside the picture.
func (d *drawing) anchor(m Mark) string {
	const letter = 6.6
	if d.px(m.At)+letter/2*float64(len([]rune(m.Text))) > d.width {
		return "end"
	}
	return "middle"
}

func (d *drawing) shade() {
	s := d.Shade
	if s == nil || s.From >= d.X.To {
		return
	}
	left := max(d.px(s.From), padLeft)
	d.put(`<rect class="shade" fill="var(--hold-bg,#fbf3dc)" opacity=".6" x="%.1f" y="%g" width="%.1f" height="%.1f"/>`, left, padTop, d.width-padRight-left, d.height-padTop-padBottom)
	d.note(Dim, d.width-padRight-5, d.height-padBottom-7, "end", s.Text)
}

func (d *drawing) line(l Line) {
	dashes := ""
	if l.Dashed {
		dashes = ` stroke-dasharray="7 5"`
	}
	d.put(`<path class="line %s" fill="none" stroke="%s" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"%s d="%s"/>`, l.Colour, paint[l.Colour], dashes, d.path("M", thin(l.Points)))
}

func (d *drawing) rule(r Rule) {
	where := fmt.Sprintf("M%g %.1fH%g", padLeft, d.py(r.At), d.width-padRight)
	if r.Vertical {
		where = fmt.Sprintf("M%.1f %gV%g", d.px(r.At), padTop, d.height-padBottom)
	}
	d.put(`<path class="rule %s" fill="none" stroke="%s" stroke-dasharray="4 3" d="%s"/>`, r.Colour, paint[r.Colour], where)
}

// word writes what a rule means; those of vertical ones stand below each
// other.
func (d *drawing) word(r Rule, before int) {
	if !r.Vertical {
		y := d.py(r.At) - 4
		if y < padTop+26 { // there the words of vertical ones stand
			y += 17
		}
		d.note(r.Colour, padLeft+5, y, "start", r.Text)
		return
	}
	x, anchor := d.px(r.At)+4, "start"
	if x > d.width*0.7 {
		x, anchor = x-8, "end"
	}
	d.note(r.Colour, x, padTop+10+14*float64(before), anchor, r.Text)
}

// note is text over the lines of a picture.
func (d *drawing) note(c Colour, x, y float64, anchor, text string) {
	d.put(`<text class="note %s" fill="%s" paint-order="stroke" stroke="var(--panel,#fff)" stroke-width="3" stroke-linejoin="round" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`,
		c, paint[c], x, y, anchor, escape(text))
}

// path joins points; far beyond the picture they are as good as at its edge,
// and files stay small.
func (d *drawing) path(first string, points []Point) string {
	var b strings.Builder
	for i, p := range points {
		op := "L"
		if i == 0 {
			op = first
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", op, d.px(p[0]), d.py(min(p[1], 9*d.Y.To)))
	}
	if len(points) == 1 {
		b.WriteString("h0") // a dot
	}
	return b.String()
}
