package plan

import (
	"fmt"
	htmltemplate "html/template"
	"math"
	"strings"
)

// chart is a picture over two axes that begin at zero or where from says, as
// inline SVG whose colours are the page's classes.
type chart struct {
	label string // for those who cannot see it
	x, y  axis
	shade *shade
	bands []band
	lines []line
	dots  []dot
	rules []rule
}

type axis struct {
	from, to float64
	marks    []mark               // nil: round values
	write    func(float64) string // of round values
	whole    bool                 // round values are whole
	title    string
}

type mark struct {
	at   float64
	text string
}

type band struct {
	class     string
	low, high [][2]float64
}

type line struct {
	class  string
	points [][2]float64
}

type dot struct {
	at    [2]float64
	title string
}

// rule is a line across the picture, with a word at its end.
type rule struct {
	class    string
	at       float64
	vertical bool
	text     string
}

// shade covers what lies right of from.
type shade struct {
	from float64
	text string
}

// size of a picture: one for wide screens and one for phones, because
// letters that shrink with a picture cannot be read.
type size struct {
	class         string
	width, height float64
	marks         int
}

var sizes = []size{{"wide", 520, 270, 6}, {"narrow", 350, 250, 4}}

const (
	padLeft, padRight     = 46.0, 14.0
	padTop, padBottom     = 22.0, 36.0
	mostPoints        int = 400 // of a line
)

// svg draws the chart in every size; the page shows one.
func (c *chart) svg() htmltemplate.HTML {
	var b strings.Builder
	for _, s := range sizes {
		(&drawing{chart: c, size: s, b: &b}).draw()
	}
	return htmltemplate.HTML(b.String()) //nolint:gosec // numbers, and text that was escaped
}

// drawing is a chart in one size.
type drawing struct {
	*chart
	size
	b *strings.Builder
}

func (d *drawing) put(format string, args ...any) { fmt.Fprintf(d.b, format, args...) }

func escape(s string) string { return htmltemplate.HTMLEscapeString(s) }

func (d *drawing) px(v float64) float64 {
	return padLeft + (v-d.x.from)/(d.x.to-d.x.from)*(d.width-padLeft-padRight)
}

func (d *drawing) py(v float64) float64 {
	return padTop + (d.y.to-v)/(d.y.to-d.y.from)*(d.height-padTop-padBottom)
}

func (d *drawing) draw() {
	d.put(`<svg class="%s" viewBox="0 0 %g %g" role="img" aria-label="%s">`, d.class, d.width, d.height, escape(d.label))
	d.grid()
	if s := d.shade; s != nil && s.from < d.x.to {
		left := max(d.px(s.from), padLeft)
		d.put(`<rect class="shade" x="%.1f" y="%g" width="%.1f" height="%.1f"/>`, left, padTop, d.width-padRight-left, d.height-padTop-padBottom)
		d.put(`<text class="note" x="%.1f" y="%.1f" text-anchor="end">%s</text>`, d.width-padRight-5, d.height-padBottom-7, escape(s.text))
	}
	d.openPlot()
	for _, b := range d.bands {
		d.put(`<path class="band %s" d="%s%sZ"/>`, b.class, d.path("M", b.high), d.path("L", reversed(b.low)))
	}
	for _, l := range d.lines {
		d.put(`<path class="line %s" d="%s"/>`, l.class, d.path("M", thin(l.points)))
	}
	d.b.WriteString("</svg>")
	for _, r := range d.rules {
		d.rule(r)
	}
	verticals := 0
	for _, r := range d.rules { // words over all lines
		d.word(r, verticals)
		if r.vertical {
			verticals++
		}
	}
	for _, p := range d.dots {
		d.put(`<circle cx="%.1f" cy="%.1f" r="3"><title>%s</title></circle>`, d.px(p.at[0]), d.py(p.at[1]), escape(p.title))
	}
	d.b.WriteString("</svg>\n")
}

// openPlot begins the part of the picture outside which lines are cut off.
func (d *drawing) openPlot() {
	w, h := d.width-padLeft-padRight, d.height-padTop-padBottom
	d.put(`<svg x="%[1]g" y="%[2]g" width="%[3]g" height="%[4]g" viewBox="%[1]g %[2]g %[3]g %[4]g">`, padLeft, padTop, w, h)
}

func (d *drawing) grid() {
	for _, m := range d.y.places(5) {
		d.put(`<path class="grid" d="M%g %.1fH%g"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`, padLeft, d.py(m.at), d.width-padRight, padLeft-7, d.py(m.at)+4, escape(m.text))
	}
	for _, m := range d.x.places(d.marks) {
		d.put(`<text x="%.1f" y="%g" text-anchor="middle">%s</text>`, d.px(m.at), d.height-padBottom+16, escape(m.text))
	}
	d.put(`<text class="title" x="%g" y="11">%s</text>`, padLeft, escape(d.y.title))
	d.put(`<text class="title" x="%g" y="%g" text-anchor="end">%s</text>`, d.width-padRight, d.height-4, escape(d.x.title))
}

func (d *drawing) rule(r rule) {
	if r.vertical {
		d.put(`<path class="rule %s" d="M%.1f %gV%g"/>`, r.class, d.px(r.at), padTop, d.height-padBottom)
		return
	}
	d.put(`<path class="rule %s" d="M%g %.1fH%g"/>`, r.class, padLeft, d.py(r.at), d.width-padRight)
}

// word writes what a rule means; those of vertical ones stand below each
// other.
func (d *drawing) word(r rule, before int) {
	if !r.vertical {
		d.put(`<text class="note %s" x="%g" y="%.1f">%s</text>`, r.class, padLeft+5, d.py(r.at)-4, escape(r.text))
		return
	}
	x, anchor := d.px(r.at)+4, "start"
	if x > d.width*0.7 {
		x, anchor = x-8, "end"
	}
	d.put(`<text class="note %s" x="%.1f" y="%g" text-anchor="%s">%s</text>`, r.class, x, padTop+10+14*float64(before), anchor, escape(r.text))
}

func (d *drawing) path(first string, points [][2]float64) string {
	var b strings.Builder
	for i, p := range points {
		op := "L"
		if i == 0 {
			op = first
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", op, d.px(p[0]), d.py(min(p[1], 9*d.y.to)))
	}
	return b.String()
}

func reversed(points [][2]float64) [][2]float64 {
	out := make([][2]float64, len(points))
	for i, p := range points {
		out[len(out)-1-i] = p
	}
	return out
}

// thin keeps as many points as a picture can show.
func thin(points [][2]float64) [][2]float64 {
	step := (len(points) + mostPoints - 1) / mostPoints
	if step <= 1 {
		return points
	}
	var out [][2]float64
	for i := 0; i < len(points); i += step {
		out = append(out, points[i])
	}
	return append(out, points[len(points)-1])
}

// places are an axis' marks: about as many as most.
func (a axis) places(most int) []mark {
	if a.marks != nil {
		every := (len(a.marks) + most - 1) / most
		var out []mark
		for i := 0; i < len(a.marks); i += every {
			out = append(out, a.marks[i])
		}
		return out
	}
	step := niceStep((a.to-a.from)/float64(most), a.whole)
	var out []mark
	first := math.Ceil(a.from / step)
	for i := range 3 * most {
		if v := (first + float64(i)) * step; v <= a.to+step/1e6 {
			out = append(out, mark{v, a.write(v)})
		}
	}
	return out
}

// niceStep is the next of 1, 2, 5, 10… that is at least raw.
func niceStep(raw float64, whole bool) float64 {
	if !(raw > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5, 10} {
		if f*power >= raw*(1-1e-9) {
			raw = f * power
			break
		}
	}
	if whole {
		return max(1, math.Round(raw))
	}
	return raw
}
