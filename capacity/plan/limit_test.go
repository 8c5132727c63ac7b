package plan_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// TestOneLimitIsSaid holds that all of a plan counts on the same limit, the low
// end, of a stage that is hardly known.
func TestOneLimitIsSaid(t *testing.T) {
	in := input(t)
	in.Stages = []plan.Stage{{Name: "gateway", Ceiling: 1550, Low: 430, High: 2670, PerRequest: 1, Driven: 1}}
	in.Demand = growing(100, 150, 4)
	in.Policy = plan.Policy{StageUse: 0.8}
	p := made(t, in)
	const limit, expected = 344.0, 1240.0
	if b := p.Bottleneck; b.Name != "gateway" || b.Limit != limit || b.Expected != expected || b.ExpectedName != "gateway" || !strings.Contains(b.Why, "at least 430 operations/s (expected: 1,550)") {
		t.Errorf("the bottleneck is %+v", b)
	}
	most := 0.0
	for _, c := range p.Curve {
		most = max(most, c.SLORate)
		if want := map[bool]string{true: "gateway", false: "replicas"}[c.SLORate == limit]; c.By != want {
			t.Errorf("%d replicas bear %v, limited by %s; want %s", c.Replicas, c.SLORate, c.By, want)
		}
	}
	s := p.Stages[0]
	if most != limit || s.Limit != limit || s.Expected != expected {
		t.Errorf("the most is %v, the stage's limit %v, expected %v", most, s.Limit, s.Expected)
	}
	for use, peak := range map[float64]float64{s.FirstUse: 110, s.MostUse: 165} { // the high ends
		if math.Abs(use*limit/peak-1) > 1e-5 {
			t.Errorf("%v of %v is used by %v", use, limit, peak)
		}
	}
	if trigger := p.Triggers[4]; trigger.Code != "stage" || trigger.Above != limit {
		t.Errorf("to be watched is %+v", trigger)
	}
	var page, markdown bytes.Buffer
	if err := errors.Join(p.WriteHTML(&page), p.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	said := p.Bottleneck.Text()
	for what, text := range map[string]string{"summary": p.Summary, "html": page.String(), "markdown": markdown.String(), "hpa": p.HPA()} {
		if !strings.Contains(text, said) || !strings.HasPrefix(said, "344/s (expected: ") {
			t.Errorf("%s does not say %q", what, said)
		}
	}
	in.Stages[0].Ceiling, in.Stages[0].High = 1e6, 2e6 // more than replicas bear by the law
	if b := made(t, in).Bottleneck; b.Name != "gateway" || b.Limit != limit || b.ExpectedName != "replicas" || !strings.HasSuffix(b.Text(), "/s, because of the replicas)") {
		t.Errorf("the bottleneck is %+v, %s", b, b.Text())
	}
	in.Stages[0].Ceiling, in.Stages[0].High = 1550, 2670
	in.Demand = growing(100, 350, 4) // the high end, 385/s, is beyond the low end only
	p = made(t, in)
	if d := p.Periods[3]; !d.Uncertain || p.Stages[0].RunsOut != d.Label || p.Stages[0].RunsOutExpected != "" || !strings.Contains(p.Summary, "should keep the p99") {
		t.Errorf("%s: %+v, %+v", p.Summary, d, p.Stages[0])
	}
}

// TestNothingIsBorneBeyondTheLimit holds the bottleneck and the curve together.
func TestNothingIsBorneBeyondTheLimit(t *testing.T) {
	base := input(t)
	rapid.Check(t, func(t *rapid.T) {
		p := made2(t, anything(t, base))
		b := p.Bottleneck
		for _, c := range p.Curve {
			if c.SLORate > b.Limit*1.00001 {
				t.Fatalf("%d replicas bear %v, the most is %v", c.Replicas, c.SLORate, b.Limit)
			}
		}
		for _, s := range p.Stages {
			if s.Limit < b.Limit || s.Name == b.Name && s.Limit != b.Limit {
				t.Fatalf("the %s bears %v, the %s %v", s.Name, s.Limit, b.Name, b.Limit)
			}
		}
		if b.Expected < b.Limit*0.99999 {
			t.Fatalf("expected is %v, less than the low end, %v", b.Expected, b.Limit)
		}
	})
}

func TestAServiceNamedAsItsSystemIsSaidOnce(t *testing.T) {
	in := input(t)
	for system, title := range map[string]string{"zoo": "# Capacity plan of penguins in zoo\n", "penguins": "# Capacity plan of penguins\n"} {
		in.System = system
		p := made(t, in)
		var markdown, page bytes.Buffer
		if err := errors.Join(p.WriteMarkdown(&markdown), p.WriteHTML(&page)); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(markdown.String(), title) || strings.Contains(page.String(), system+" · capacity plan of") != (system == "zoo") {
			t.Errorf("%s: the title is %q", system, strings.SplitN(markdown.String(), "\n", 2)[0])
		}
	}
}
