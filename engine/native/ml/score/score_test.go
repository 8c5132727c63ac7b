package score

import (
	"math"
	"testing"
)

func near(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }

func TestApply(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []float32
		want []float32
	}{
		{"NONE", []float32{1, -2}, []float32{1, -2}},
		{"SOFTMAX", []float32{1, 2, 3}, []float32{0.09003057, 0.24472848, 0.66524094}},
		{"SOFTMAX", []float32{1000, 1000}, []float32{0.5, 0.5}},
		{"LOGISTIC", []float32{0, 2, -2, 200, -200}, []float32{0.5, 0.8807971, 0.1192029, 1, 0}},
		{"SOFTMAX_ZERO", []float32{1, 0, 3}, []float32{0.11920292, 0, 0.8807971}},
		{"SOFTMAX_ZERO", []float32{0, 0}, []float32{0, 0}},
		{"PROBIT", []float32{0.5, 0.975, 0.025}, []float32{0, 1.959964, -1.959964}},
	} {
		tr, err := Parse(c.name)
		if err != nil {
			t.Fatal(err)
		}
		got := append([]float32(nil), c.in...)
		tr.Apply(got)
		for i := range got {
			tolerance := 1e-6
			if tr == Probit {
				tolerance = 5e-3
			}
			if math.Abs(float64(got[i]-c.want[i])) > tolerance {
				t.Errorf("%s(%v) = %v, want %v", c.name, c.in, got, c.want)
				break
			}
		}
	}
}

func TestPair(t *testing.T) {
	for _, c := range []struct {
		tr    Transform
		s     float32
		votes bool
		want  [2]float32
	}{
		{None, 0.25, true, [2]float32{0.75, 0.25}},
		{Logistic, 0.3, true, [2]float32{0.42555749, 0.57444251}},
		{None, 3, false, [2]float32{-3, 3}},
		{Softmax, -3, false, [2]float32{3, -3}},
		{Logistic, 2, false, [2]float32{0.1192029, 0.8807971}},
	} {
		var got [2]float32
		Pair(c.tr, got[:], c.s, c.votes)
		if !near(got[0], c.want[0]) || !near(got[1], c.want[1]) {
			t.Errorf("Pair(%v, %v, votes %v) = %v, want %v", c.tr, c.s, c.votes, got, c.want)
		}
	}
}

func TestUnknownTransforms(t *testing.T) {
	if _, err := Parse("SQUARE"); err == nil {
		t.Error("SQUARE was accepted")
	}
	for _, n := range []int{-1, 5} {
		if _, err := Numbered(n); err == nil {
			t.Errorf("%d was accepted", n)
		}
	}
	if tr, err := Numbered(2); err != nil || tr != Logistic {
		t.Errorf("Numbered(2) = %v, %v", tr, err)
	}
	if Softmax.Single(3) != 3 || !near(Logistic.Single(2), 0.8807971) || Probit.Single(0.5) != 0 {
		t.Error("Single is wrong")
	}
}
