package chart

import (
	"html/template"
	"slices"
)

// Chart is a picture over two axes. Of its texts nothing is trusted.
type Chart struct {
	Label string // for those who cannot see it
	X, Y  Axis
	Shade *Shade
	Bands []Band
	Lines []Line
	Dots  []Dot
	Rules []Rule
}

// Axis runs from From to To; where To is not above From, to the largest value
// that is drawn.
type Axis struct {
	From, To float64
	Marks    []Mark               // nil: round values
	Write    func(float64) string // of round values
	Whole    bool                 // round values are whole
	Title    string               // with the unit
}

// Mark is a place on an axis that has a name.
type Mark struct {
	At   float64
	Text string
}

// Point is x and y.
type Point [2]float64

// Colour is the class of a part, one of those below; pages say what it looks
// like.
type Colour string

// The colours, by what they mean on Greenlight's pages.
const (
	Run   Colour = "run"  // what it is about
	Go    Colour = "go"   // what will do
	Hold  Colour = "hold" // what to look out for
	Stop  Colour = "stop" // limits and errors
	Dim   Colour = "dim"  // what stands beside it
	Faint Colour = "faint"
)

// paint is each colour where the page says nothing.
var paint = map[Colour]string{
	Run: "var(--run,#1d4ed8)", Go: "var(--go,#15803d)", Hold: "var(--hold,#8a5406)",
	Stop: "var(--stop,#b91c1c)", Dim: "var(--dim,#6b6d66)", Faint: "var(--faint,#9b9d95)",
}

// Line is points joined by straight lines, in the order given.
type Line struct {
	Colour Colour
	Dashed bool
	Points []Point
}

// Band fills what lies between two lines over the same x.
type Band struct {
	Colour    Colour
	Low, High []Point
}

// Dot is a single value; Title is shown when a pointer rests on it.
type Dot struct {
	At    Point
	Title string
}

// Rule is a line across the picture, with a word at its end.
type Rule struct {
	Colour   Colour
	At       float64
	Vertical bool
	Text     string
}

// Shade covers what lies right of From.
type Shade struct {
	From float64
	Text string
}

// SVG draws the chart twice, of the classes wide and narrow: letters that
// shrink with a picture cannot be read on a phone. The page shows one of them.
func (c *Chart) SVG() template.HTML {
	whole := *c
	whole.X.To, whole.Y.To = c.X.end(c.largest(0)), c.Y.end(1.05*c.largest(1))
	var page []byte
	for _, s := range sizes {
		d := drawing{Chart: &whole, size: s, page: page}
		d.draw()
		page = d.page
	}
	return template.HTML(page) //nolint:gosec // numbers, and text that was escaped
}

// largest is the greatest x (0) or y (1) that is drawn.
func (c *Chart) largest(of int) float64 {
	most := 0.0
	look := func(points []Point) {
		for _, p := range points {
			most = max(most, p[of])
		}
	}
	for _, l := range c.Lines {
		look(l.Points)
	}
	for _, b := range c.Bands {
		look(b.High)
	}
	for _, d := range c.Dots {
		most = max(most, d.At[of])
	}
	return most
}

func (a Axis) end(largest float64) float64 {
	switch {
	case a.To > a.From:
		return a.To
	case largest > a.From:
		return largest
	}
	return a.From + 1
}

// mostPoints is how many of a line a picture can show.
const mostPoints = 400

// thin keeps as many points as a picture can show: the highest of those that
// fall together, because peaks are what is looked for.
func thin(points []Point) []Point {
	group := (len(points) + mostPoints - 1) / mostPoints
	if group <= 1 {
		return points
	}
	var out []Point
	for some := range slices.Chunk(points, group) {
		out = append(out, slices.MaxFunc(some, func(a, b Point) int {
			switch {
			case a[1] < b[1]:
				return -1
			case a[1] > b[1]:
				return 1
			}
			return 0
		}))
	}
	return out
}
