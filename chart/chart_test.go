package chart_test

import (
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/chart"
)

func lines(values ...float64) []chart.Line {
	l := chart.Line{Colour: chart.Run}
	for i, v := range values {
		l.Points = append(l.Points, chart.Point{float64(i), v})
	}
	return []chart.Line{l}
}

// texts are the words of the wide picture, which must be whole XML.
func texts(t *testing.T, c chart.Chart) []string {
	t.Helper()
	page := string(c.SVG())
	if n := strings.Count(page, `<svg class="chart `); n != 2 {
		t.Fatalf("%d pictures, want a wide and a narrow one", n)
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Errorf("a place that is no number: %s", page)
	}
	wide, _, _ := strings.Cut(page, `<svg class="chart narrow"`)
	var found []string
	for d := xml.NewDecoder(strings.NewReader(wide)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatalf("%v in %s", err, wide)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			found = append(found, string(text))
		}
	}
}

func TestAxes(t *testing.T) {
	for _, test := range []struct {
		name string
		c    chart.Chart
		want string
	}{
		{"round values", chart.Chart{Lines: lines(0, 730), X: chart.Axis{To: 30, Title: "seconds"}, Y: chart.Axis{Title: "requests/s"}}, "0 200 400 600 0 5 10 15 20 25 30 requests/s seconds"},
		{"whole ones", chart.Chart{Lines: lines(1, 2), X: chart.Axis{To: 3, Whole: true}, Y: chart.Axis{To: 2, Whole: true}}, "0 1 2 0 1 2 3"},
		{"marks of their own, too many", chart.Chart{Lines: lines(1, 2), X: chart.Axis{To: 12, Marks: months(12)}, Y: chart.Axis{To: 2, Whole: true}}, "0 1 2 m0 m2 m4 m6 m8 m10"},
		{"no points", chart.Chart{X: chart.Axis{Whole: true}, Y: chart.Axis{Whole: true}}, "0 1 0 1"},
		{"nothing but zero", chart.Chart{Lines: lines(0, 0, 0), X: chart.Axis{Whole: true}, Y: chart.Axis{Whole: true}}, "0 1 0 1 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(texts(t, test.c), " "); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

func months(n int) (marks []chart.Mark) {
	for i := range n {
		marks = append(marks, chart.Mark{At: float64(i), Text: "m" + strconv.Itoa(i)})
	}
	return marks
}

// TestHostileTexts holds that words from outside stay words.
func TestHostileTexts(t *testing.T) {
	const hostile = `<script>alert("x")</script>`
	c := chart.Chart{
		Label: hostile, X: chart.Axis{Title: hostile, Marks: []chart.Mark{{Text: hostile}}}, Y: chart.Axis{Title: hostile, Write: func(float64) string { return hostile }},
		Lines: lines(1, 2), Dots: []chart.Dot{{At: chart.Point{1, 1}, Title: hostile}}, Rules: []chart.Rule{{At: 1, Text: hostile}, {At: 1, Vertical: true, Text: hostile}},
		Shade: &chart.Shade{From: 0.5, Text: hostile},
	}
	if page := string(c.SVG()); strings.Contains(page, "<script") {
		t.Error("a text became an element")
	}
	if got := texts(t, c); len(got) == 0 || got[0] != hostile {
		t.Errorf("words are %q", got)
	}
}

// TestPeaksStay holds that a long line keeps the one high value that matters.
func TestPeaksStay(t *testing.T) {
	values := make([]float64, 10_000)
	values[7_777] = 100
	c := chart.Chart{Lines: lines(values...), Y: chart.Axis{To: 100}}
	page := string(c.SVG())
	path := regexp.MustCompile(`class="line run"[^>]* d="([^"]*)"`).FindStringSubmatch(page)
	if path == nil {
		t.Fatal("there is no line")
	}
	highest, points := math.Inf(1), 0
	for _, point := range strings.FieldsFunc(path[1], func(r rune) bool { return r == 'M' || r == 'L' }) {
		_, down, _ := strings.Cut(point, " ")
		y, err := strconv.ParseFloat(down, 64)
		if err != nil {
			t.Fatal(err)
		}
		highest, points = min(highest, y), points+1
	}
	if highest != 22 || points > 400 || points < 200 { // 22: the top of the plot
		t.Errorf("the highest of %d points stands at %v, want 22", points, highest)
	}
}
