package greenlight_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// TestPlansAreGraded holds each plan in docs/plans to the measurement beside
// it: the grade is what the plan comes to by it, and the README says the same.
func TestPlansAreGraded(t *testing.T) {
	readme, err := os.ReadFile("docs/plans/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range []string{"penguins", "digits", "co2"} {
		folder := filepath.Join("docs", "plans", example)
		var p plan.Plan
		var kept plan.Grade
		readJSON(t, filepath.Join(folder, "plan.json"), &p)
		readJSON(t, filepath.Join(folder, "grade.json"), &kept)
		if len(kept.Capacity) != 1 || kept.Capacity[0].Fitted || kept.Capacity[0].N <= p.Evidence.MaxN {
			t.Errorf("%s: the grade %+v is of no other number of replicas than the plan was made from", example, kept)
			continue
		}
		m := kept.Capacity[0]
		again, err := p.Grade([]capacity.Point{{N: m.N, X: m.Measured}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if g := again.Capacity[0]; math.Abs(g.Error-m.Error) > 1e-5 || g.Held != m.Held {
			t.Errorf("%s: graded %+v, and the plan comes to %+v", example, m, g)
		}
		held := "outside"
		if m.Held {
			held = "inside"
		}
		row := fmt.Sprintf("| [%[1]s](%[1]s/plan.md) | %[2]s | %[3]s – %[4]s | %[5]s | %+.1[6]f %% | %[7]s |", example,
			plan.Rate(m.Predicted), plan.Rate(m.Low), plan.Rate(m.High), plan.Rate(m.Measured), 100*m.Error, held)
		if !strings.Contains(string(readme), row) {
			t.Errorf("docs/plans/README.md lacks the row\n%s", row)
		}
		for _, f := range []string{"plan.md", "plan.html", "evidence.json", "replicas.yaml", "hpa.yaml"} {
			if _, err := os.Stat(filepath.Join(folder, f)); err != nil {
				t.Error(err)
			}
		}
	}
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}
