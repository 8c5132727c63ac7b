package console

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
)

// loadComparePage is two load tests beside each other.
type loadComparePage struct {
	A, B   loadRow
	Rows   []loadDifference
	Limits string   // what such a comparison cannot tell
	Doubts []string // why these two say even less
}

// loadDifference is one figure of both.
type loadDifference struct {
	Name, A, B, Change string
	*interval          // of Change; nil where none is known
}

// HasInterval tells whether an interval is known.
func (d loadDifference) HasInterval() bool { return d.interval != nil }

// interval is what chance within two runs leaves of a change, as shares, and
// how far the axis goes to both sides of nothing.
type interval struct{ Low, Mid, High, Most float64 }

// Interval writes it, to be broken between its ends alone.
func (v *interval) Interval() string {
	return strings.ReplaceAll(signed(v.Low), " ", "\u00a0") + " to " + strings.ReplaceAll(signed(v.High), " ", "\u00a0")
}

// Chance tells whether chance alone explains the change.
func (v *interval) Chance() bool { return v.Low <= 0 && v.High >= 0 }

// The picture of an interval is 160 wide, nothing in its middle; half as much
// is as far to the left as twice as much to the right.
func (v *interval) x(change float64) string {
	return fmt.Sprintf("%.1f", 80+76*math.Log1p(max(change, -0.99))/math.Log1p(v.Most))
}

func (v *interval) X1() string { return v.x(v.Low) }
func (v *interval) X2() string { return v.x(v.High) }
func (v *interval) X() string  { return v.x(v.Mid) }

func (c *console) loadCompare(r *http.Request, _ control.Status) (page, error) {
	environment, service, q := r.PathValue("environment"), r.PathValue("service"), r.URL.Query()
	if q.Get("a") == "" || q.Get("b") == "" {
		return page{}, greenlight.Errorf(greenlight.CodeInvalid, "choose two load tests to compare: A and B")
	}
	a, resultA, err := c.readLoad(r.Context(), environment, service, q.Get("a"))
	if err != nil {
		return page{}, err
	}
	b, resultB, err := c.readLoad(r.Context(), environment, service, q.Get("b"))
	if err != nil {
		return page{}, err
	}
	compared, err := load.Beside(resultA, resultB)
	if err != nil {
		return page{}, err
	}
	p := loadComparePage{A: a, B: b, Limits: compared.Limits, Doubts: compared.Doubts, Rows: differences(compared)}
	return page{Name: "loadcompare", Title: "Load tests of " + service, Environment: environment, Service: service, Content: p}, nil
}

// differences are the figures of two results, as a page has them.
func differences(c *load.StoredComparison) []loadDifference {
	most := 0.05 // so that little does not look like much
	for _, d := range c.Rows {
		if d.CI95 != nil {
			most = max(most, d.CI95[1], 1/(1+max(d.CI95[0], -0.99))-1)
		}
	}
	rows := make([]loadDifference, len(c.Rows))
	for i, d := range c.Rows {
		say := saidAs[d.Unit]
		rows[i] = loadDifference{Name: strings.ToUpper(d.Metric[:1]) + d.Metric[1:], A: say(d.A), B: say(d.B), Change: none}
		if percentile.MatchString(d.Metric) {
			rows[i].Name = d.Metric
		}
		switch {
		case d.Change == nil:
		case *d.Change == 0:
			rows[i].Change = "0 %"
		default:
			rows[i].Change = signed(*d.Change)
		}
		if d.CI95 != nil {
			rows[i].interval = &interval{Low: d.CI95[0], Mid: *d.Change, High: d.CI95[1], Most: most}
		}
	}
	return rows
}

var percentile = regexp.MustCompile(`^p[0-9.]+$`)

// saidAs writes figures by their unit.
var saidAs = map[load.Unit]func(float64) string{
	load.UnitRate: func(v float64) string { return rate(v) + "/s" }, load.UnitShare: share, load.UnitSeconds: seconds, load.UnitCores: cores,
	load.UnitBytes: func(v float64) string { return formatBytes(int64(v)) }, load.UnitReplicas: rate,
}

// signed is a change as a percentage with its sign.
func signed(change float64) string {
	sign := "+"
	if change < 0 {
		sign = "−"
	}
	return sign + share(math.Abs(change))
}
