package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	for name, change := range map[string]func(*plan.Input){
		"whole": func(*plan.Input) {},
		"plain": func(in *plan.Input) { // the least that a plan is made from
			in.Stages, in.Notes, in.Replica = nil, nil, plan.Replica{}
			in.Policy = plan.Policy{}
			in.Larger = &plan.Larger{Replicas: 8, Cores: 0.5, As: 16, X: 760, Runs: 3, Deviation: 0.042}
			d, err := demand.FromRate(demand.Stated{Rate: 60, Growth: 0.04, Uncertainty: 0.1}, demand.Options{Periods: 3, PeakToMean: 2, From: in.At})
			if err != nil {
				t.Fatal(err)
			}
			in.Demand = d
		},
		"unmet": func(in *plan.Input) { // the database gives way
			in.Stages[1].PerRequest = 2.5
			for i := range in.Demand.Periods {
				p := &in.Demand.Periods[i]
				for _, v := range []*float64{&p.Mean.Expected, &p.Mean.Low, &p.Mean.High, &p.Peak.Expected, &p.Peak.Low, &p.Peak.High} {
					*v *= 1.7
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			change(&in)
			p := made(t, in)
			for ext, write := range map[string]func(io.Writer) error{
				".md":   p.WriteMarkdown,
				".html": p.WriteHTML,
				".json": func(out io.Writer) error {
					e := json.NewEncoder(out)
					e.SetIndent("", " ")
					return e.Encode(p)
				},
				".yaml":     func(out io.Writer) error { _, err := io.WriteString(out, p.ReplicasYAML()); return err },
				".hpa.yaml": func(out io.Writer) error { _, err := io.WriteString(out, p.HPA()); return err },
			} {
				compare(t, filepath.Join("testdata", name+ext), write)
			}
		})
	}
}

func compare(t *testing.T, file string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs from what is made now; look at it with -update and git diff", file)
	}
}
