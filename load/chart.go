package load

import (
	"fmt"
	htmltemplate "html/template"
	"math"
	"strings"
)

// chart is a picture of lines over a common axis, as inline SVG whose colours
// are the page's.
type chart struct {
	label  string // for those who cannot see it
	lines  []line
	x, y   axis
	marksX []mark // instead of the axis' own
}

type line struct {
	class  string
	points [][2]float64
}

type axis struct {
	most  float64
	write func(float64) string
}

type mark struct {
	at   float64
	text string
}

// The picture's size and the room for its axes.
const (
	chartWidth, chartHeight      = 720.0, 230.0
	chartLeft, chartRight        = 62.0, 14.0
	chartTop, chartBottom        = 12.0, 26.0
	chartInnerX, chartInnerY     = chartWidth - chartLeft - chartRight, chartHeight - chartTop - chartBottom
	chartMarks               int = 5
)

func (c *chart) svg() htmltemplate.HTML {
	c.scale()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, chartHeight, htmltemplate.HTMLEscapeString(c.label))
	for _, m := range steps(c.y) {
		y := c.placeY(m.at)
		fmt.Fprintf(&b, `<path class="grid" d="M%g %.1fH%g"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`, chartLeft, y, chartWidth-chartRight, chartLeft-8, y+4, htmltemplate.HTMLEscapeString(m.text))
	}
	marks := c.marksX
	if marks == nil {
		marks = steps(c.x)
	}
	for _, m := range marks {
		x := c.placeX(m.at)
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %gV%g"/><text x="%.1f" y="%g" text-anchor="middle">%s</text>`, x, chartTop, chartHeight-chartBottom, x, chartHeight-8, htmltemplate.HTMLEscapeString(m.text))
	}
	for _, l := range c.lines {
		c.draw(&b, l)
	}
	b.WriteString("</svg>")
	return htmltemplate.HTML(b.String()) //nolint:gosec // numbers, and text that was escaped
}

// scale sets an axis without an end to the largest value.
func (c *chart) scale() {
	for _, l := range c.lines {
		for _, p := range l.points {
			c.x.most, c.y.most = max(c.x.most, p[0]), max(c.y.most, p[1])
		}
	}
	if c.x.most == 0 {
		c.x.most = 1
	}
	if c.y.most == 0 {
		c.y.most = 1
	}
	c.y.most *= 1.05
}

func (c *chart) placeX(v float64) float64 { return chartLeft + v/c.x.most*chartInnerX }

func (c *chart) placeY(v float64) float64 { return chartTop + (1-v/c.y.most)*chartInnerY }

// draw draws a line with as many points as the picture can show, keeping the
// highest of those that fall together.
func (c *chart) draw(b *strings.Builder, l line) {
	const most = 600
	group := max(1, (len(l.points)+most-1)/most)
	fmt.Fprintf(b, `<polyline class="%s" points="`, l.class)
	for i := 0; i < len(l.points); i += group {
		highest := l.points[i]
		for _, p := range l.points[i:min(i+group, len(l.points))] {
			if p[1] > highest[1] {
				highest = p
			}
		}
		fmt.Fprintf(b, "%.1f,%.1f ", c.placeX(highest[0]), c.placeY(highest[1]))
	}
	b.WriteString(`"/>`)
}

// steps are round values along an axis.
func steps(a axis) []mark {
	raw := a.most / float64(chartMarks)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := power
	for _, f := range []float64{2, 5, 10} {
		if step < raw {
			step = f * power
		}
	}
	var marks []mark
	for i := 0; float64(i)*step <= a.most; i++ {
		v := float64(i) * step
		marks = append(marks, mark{v, a.write(v)})
	}
	return marks
}
