package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// printed is what a plan of the package's golden files looks like.
func printed(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "capacity", "plan", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var p plan.Plan
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := printCapacityPlan(&out, &p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestPrintedPlan holds that a plan on the terminal begins with its answer,
// fits it, and leaves nothing of what decides out.
func TestPrintedPlan(t *testing.T) {
	for name, want := range map[string][]string{
		"whole": {"Run 5 replicas from Dec 2026, and later up to ", "\nJan 2027 – Feb 2027 ", "within the SLO", "\nhow sure    What 5 replicas carry", "\nbottleneck  database, at 493/s (expected: 511/s):", "\ncost        $147 a month in Dec 2026: 3 × e2-standard-2 at Google Cloud", "\nexpires     2027-06-01: "},
		"unmet": {"9 replicas in Dec 2026 will do, but the peak of Mar 2027 is not met", " not met ", "\nruns out    database, in Mar 2027"},
		"plain": {"Run ", "p99 below 250 ms\nat peaks", "The traffic is stated, not measured", "as far as measurements at up to 8 tell."},
	} {
		t.Run(name, func(t *testing.T) {
			text := printed(t, name)
			flat := strings.Join(strings.Fields(text), " ")
			for _, w := range want {
				if !strings.Contains(text, w) && !strings.Contains(flat, w) {
					t.Errorf("it lacks %q:\n%s", w, text)
				}
			}
			if strings.Contains(text, "\x1b") {
				t.Error("it has colours, though it is no terminal")
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(line) - 1; n > 80 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		})
	}
}

func TestPrintedGrade(t *testing.T) {
	g := &capacityGrade{ExpiresAt: time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC), Notes: []string{"Measured by Greenlight."}}
	g.Capacity = []plan.GradedPoint{{N: 8, Measured: 2980, Predicted: 3104, Low: 2900, High: 3310, Error: 0.0416, Held: true}, {N: 4, Measured: 2000, Predicted: 1600, Low: 1500, High: 1700, Error: -0.2, Fitted: true}}
	g.Worst, g.Limit = 0.2, 0.2
	var out bytes.Buffer
	if err := printGrade(&out, g); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"8    3,100/s  2,900/s – 3,310/s   2,980/s   +4.2 %  inside the interval\n", "-20.0 %  outside the interval, but the plan was made from it\n", "\nMeasured by Greenlight.\n", "the plan holds: off by 20.0 %, within 20 %; it expires 2027-06-01\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, out.String())
		}
	}
}
