package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// runs draws pairs of a figure with noise between runs, drift over time, and
// a true change of B.
func runs(rng *rand.Rand, pairs int, noise, change float64) []load.Pair {
	out := make([]load.Pair, pairs)
	drift := 0.0
	for i := range out {
		drift += 0.1 * rng.NormFloat64() // neighbours come and go
		base := 0.01 * math.Exp(drift)
		out[i] = load.Pair{A: base * math.Exp(noise*rng.NormFloat64()), B: base * (1 + change) * math.Exp(noise*rng.NormFloat64())}
	}
	return out
}

// TestCompareKeepsItsPromise: of comparisons of a thing with itself, no more
// than 5 % raise an alarm, and a true slowdown of 5 % is found in 80 %; the
// interval holds the truth in 95 %.
func TestCompareKeepsItsPromise(t *testing.T) {
	const rounds, pairs, noise = 2000, 12, 0.03
	for _, change := range []float64{0, 0.05} {
		rng := rand.New(rand.NewPCG(5, 6))
		var found, held int
		for i := range rounds {
			c, err := load.Compare("p99", runs(rng, pairs, noise, change), 0, uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			if c.Different {
				found++
			}
			if c.CI95[0] <= change && change <= c.CI95[1] {
				held++
			}
			if c.FalseAlarms > 0.05 || c.Detectable < 0 || c.Detectable > 0.2 {
				t.Fatalf("%+v", c)
			}
		}
		share := float64(found) / rounds
		t.Logf("true change %.0f %%: called different in %.1f %%, interval holds in %.1f %%", 100*change, 100*share, 100*float64(held)/rounds)
		if change == 0 && share > 0.06 || change > 0 && share < 0.8 { // 0.05 and two standard errors
			t.Errorf("a change of %v is called in %.1f %%", change, 100*share)
		}
		if hold := float64(held) / rounds; hold < 0.935 || hold > 0.965 {
			t.Errorf("the interval holds the truth in %.1f %%", 100*hold)
		}
	}
}

// TestCompareByHand: six pairs that all agree can come about by 2 of 2⁶
// labellings.
func TestCompareByHand(t *testing.T) {
	pairs := []load.Pair{{1, 1.1}, {1, 1.2}, {1, 1.1}, {1, 1.3}, {1, 1.1}, {1, 1.2}}
	c, err := load.Compare("mean", pairs, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if c.P != 2.0/64 || !c.Different || c.FalseAlarms != 2.0/64 || math.Abs(c.A-1) > 1e-12 {
		t.Errorf("%+v", c)
	}
	for i := range pairs {
		pairs[i].B = pairs[i].A
	}
	if c, err = load.Compare("mean", pairs, 0, 1); err != nil || c.P != 1 || c.Different || c.Change != 0 || c.FalseAlarms != 0 {
		t.Errorf("equal runs give %+v (%v)", c, err)
	}
	many := make([]load.Pair, load.MaxPairs)
	for i := range many {
		many[i] = load.Pair{A: 1, B: 1}
	}
	if c, err = load.Compare("mean", many, 0, 1); err != nil || c.P != 1 {
		t.Errorf("a thousand equal pairs give %+v (%v)", c, err)
	}
	if _, err := load.Compare("mean", pairs[:5], 0, 1); err == nil {
		t.Error("five pairs are taken")
	}
	pairs[3].B = 0
	if _, err := load.Compare("mean", pairs, 0, 1); err == nil || !strings.Contains(err.Error(), "pair 4") {
		t.Errorf("got %v", err)
	}
}

// TestCompareLeast: what is sure and small is no difference that matters.
func TestCompareLeast(t *testing.T) {
	pairs := make([]load.Pair, 20)
	for i := range pairs {
		pairs[i] = load.Pair{A: 0.01, B: 0.01 * (1.004 + 0.0001*float64(i%3))}
	}
	for least, want := range map[float64]bool{0: true, 0.004: true, 0.01: false} {
		c, err := load.Compare("p50", pairs, least, 1)
		if err != nil || c.Different != want || c.P >= 0.05 || c.Least != least {
			t.Errorf("at least %v: %+v, %v; want %v", least, c, err, want)
		}
		if none := c.FalseAlarms == 0; none != (least > 0) {
			t.Errorf("at least %v: false alarms in %v", least, c.FalseAlarms)
		}
	}
	for _, least := range []float64{-0.1, 1, math.NaN()} {
		if _, err := load.Compare("p50", pairs, least, 1); err == nil {
			t.Errorf("a least change of %v is taken", least)
		}
	}
}

func TestInterleave(t *testing.T) {
	var order string
	trial := func(_ context.Context, b bool) (*load.Result, error) {
		if b {
			order += "B"
		} else {
			order += "A"
		}
		return &load.Result{}, nil
	}
	a, b, err := load.Interleave(context.Background(), 20, 3, trial)
	if err != nil || len(a) != 20 || len(b) != 20 {
		t.Fatalf("%d and %d runs, %v", len(a), len(b), err)
	}
	ab := 0
	for i := 0; i < len(order); i += 2 {
		switch order[i : i+2] {
		case "AB":
			ab++
		case "BA":
		default:
			t.Errorf("pair %d is %s", i/2, order[i:i+2])
		}
	}
	if ab != 10 || strings.HasPrefix(order, strings.Repeat("BA", 10)) || strings.HasPrefix(order, strings.Repeat("AB", 10)) {
		t.Errorf("%d of 20 pairs begin with A, in the order %s", ab, order)
	}
}

func TestStoredResults(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(5 * time.Millisecond) })
	r := run(t, open(t, plan(t, url), 400, 500*time.Millisecond))
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := load.ReadResult(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if back.Requests != 200 || back.ResponseTimes.Count() != 200 || back.ResponseTimes.At(0.99) != r.ResponseTimes.At(0.99) {
		t.Errorf("it comes back with %d requests and %v", back.Requests, back.ResponseTimes.At(0.99))
	}
	rows, err := load.CompareStored(r, back)
	if err != nil || len(rows) != 4 {
		t.Fatal(rows, err)
	}
	for _, row := range rows {
		if row.Change != 0 || row.CI95[0] > 0 || row.CI95[1] < 0 {
			t.Errorf("a result against itself: %+v", row)
		}
	}
}

func TestReadResultRefuses(t *testing.T) {
	for given, want := range map[string]string{
		"":                               "no result of greenlight load",
		`{"format":"x"}`:                 `its format is "x"`,
		`{"format":"greenlight-load/1"}`: "histograms.",
		`{"format":"greenlight-load/1","histograms":{"response":"AAAA","service":"AAAA"}}`: "histograms.",
	} {
		if _, err := load.ReadResult(strings.NewReader(given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %q", given, err, want)
		}
	}
}

func TestMetric(t *testing.T) {
	r := &load.Result{Rate: 9, Goodput: 5, Response: load.Summary{Mean: 2}, Service: load.Summary{Max: 3}}
	for name, want := range map[string]float64{"rate": 5, "mean": 2, "service.max": 3} {
		if f, err := load.Metric(name); err != nil || f(r) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "errors", "p100", "speed"} {
		if _, err := load.Metric(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
