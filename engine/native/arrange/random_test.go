package arrange

import (
	"math"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// The numbers are those of numpy.random.RandomState with the same seed.
func TestTwisterIsNumPys(t *testing.T) {
	var g twister
	uniform := []float64{0.3745401188473625, 0.9507143064099162, 0.7319939418114051, 0.5986584841970366}
	g.seed(42)
	for i, want := range uniform {
		if got := g.uniform(); got != want {
			t.Errorf("uniform %d is %v, want %v", i, got, want)
		}
	}
	normal := []float64{0.4967141530112327, -0.13826430117118466, 0.6476885381006925, 1.5230298564080254}
	g.seed(42)
	for i, want := range normal {
		if got := g.normal(); math.Abs(got-want) > 1e-15 {
			t.Errorf("normal %d is %v, want %v", i, got, want)
		}
	}
	g.seed(0)
	last := 0.0
	for range 700 { // past the first refill
		last = g.uniform()
	}
	if want := 0.8427768626848423; last != want {
		t.Errorf("number 700 is %v, want %v", last, want)
	}
}

func TestRandom(t *testing.T) {
	shape := []int{2, 2}
	n := optest.Run(t, Ops(), call("RandomUniform", attrs{"shape": shape, "seed": 42.0, "low": 1.0, "high": 3.0}))
	optest.Want(t, n.Out(0), f32(dims{2, 2}, 1.7490802, 2.9014286, 2.4639878, 2.197317), 1e-6)
	n = optest.Run(t, Ops(), call("RandomNormal", attrs{"shape": shape, "seed": 42.0, "mean": 1.0, "scale": 2.0, "dtype": 11}))
	optest.Want(t, n.Out(0), tensor.From([]float64{1.993428306, 0.723471397, 2.295377076, 4.046059712}, 2, 2), 1e-8)
	n = optest.Run(t, Ops(), call("RandomUniformLike", attrs{"seed": 42.0}), f16(dims{2}, 0, 0))
	optest.Want(t, n.Out(0), f16(dims{2}, 0.37454012, 0.95071431), 0)
	n = optest.Run(t, Ops(), call("RandomNormalLike", attrs{"seed": 42.0, "dtype": 1}), list(1, 2))
	optest.Want(t, n.Out(0), vec(0.49671415, -0.1382643), 1e-6)
	refuse(t, []failure{
		{call("RandomNormal", attrs{"shape": shape, "dtype": 7}), nil, "cannot make int64"},
		{call("RandomUniform", attrs{"shape": []int{-1}}), nil, "no tensor has the shape"},
		{call("RandomUniformLike", nil), in(list(1)), "cannot be int64"},
	})
}

func TestRandomWithoutSeedDiffers(t *testing.T) {
	n := optest.Run(t, Ops(), call("RandomUniform", attrs{"shape": []int{8}}))
	first := optest.Float64s(n.Out(0))
	if err := n.Run(); err != nil {
		t.Fatal(err)
	}
	second := optest.Float64s(n.Out(0))
	equal := true
	for i := range first {
		equal = equal && first[i] == second[i]
	}
	if equal {
		t.Error("two runs give the same numbers")
	}
}

func TestBernoulli(t *testing.T) {
	p := vec(0, 1, 0.5, 0.5)
	n := optest.Run(t, Ops(), call("Bernoulli", attrs{"seed": 42.0, "dtype": 7}), p)
	same(t, n.Out(0), list(0, 1, 0, 0)) // the last two numbers are 0.73 and 0.60
	n = optest.Run(t, Ops(), call("Bernoulli", nil), f16(dims{2}, 1, 0))
	same(t, n.Out(0), f16(dims{2}, 1, 0))
	refuse(t, []failure{{call("Bernoulli", attrs{"dtype": 8}), in(p), "cannot make string"}})
}

func TestMultinomial(t *testing.T) {
	inf := float32(math.Inf(-1))
	logits := f32(dims{2, 3}, inf, 0, inf, 0, 0, inf)
	n := optest.Run(t, Ops(), call("Multinomial", attrs{"sample_size": 1000, "seed": 1.0, "dtype": 7}), logits)
	got := tensor.Data[int64](n.Out(0))
	var counts [3]int
	for _, v := range got[1000:] {
		counts[v]++
	}
	for _, v := range got[:1000] {
		if v != 1 {
			t.Fatalf("drew class %d, whose probability is 0", v)
		}
	}
	if counts[2] != 0 || counts[0] < 430 || counts[0] > 570 {
		t.Errorf("counts of two even classes and an impossible one: %v", counts)
	}
	refuse(t, []failure{
		{call("Multinomial", nil), in(vec(1)), "want [batch, classes]"},
		{call("Multinomial", attrs{"dtype": 1}), in(logits), "cannot make"},
	})
}

func TestDropout(t *testing.T) {
	x := f32(dims{2, 3}, 1, 2, 3, 4, 5, 6)
	yes, half := tensor.Scalar(true), tensor.Scalar[float32](0.5)
	all := bools(dims{2, 3}, true, true, true, true, true, true)
	kept := bools(dims{2, 3}, true, true, true, true, false, true)
	seeded := attrs{"seed": 0}
	check(t, []example{
		{"inference", call("Dropout", nil), in(x), outs(x, all)},
		{"ratio alone", call("Dropout", nil), in(x, half), outs(x, all)},
		{"mask of old", at(7, "Dropout", nil), in(x), outs(x, f32(dims{2, 3}, 1, 1, 1, 1, 1, 1))},
		{"not training", call("Dropout", seeded), in(x, half, tensor.Scalar(false)), outs(x, all)},
		{"training", call("Dropout", seeded), in(x, half, yes), outs(f32(dims{2, 3}, 2, 4, 6, 8, 0, 12), kept)},
		{"double", call("Dropout", seeded), in(tensor.From([]float64{1, 1}, 2), nil, yes),
			outs(tensor.From([]float64{2, 2}, 2), bools(dims{2}, true, true))},
		{"ratio 0", call("Dropout", seeded), in(x, tensor.Scalar[float32](0), yes), outs(x, all)},
	})
	refuse(t, []failure{
		{call("Dropout", nil), in(x, tensor.Scalar[float32](1), yes), "want a number in [0, 1)"},
		{call("Dropout", nil), in(x, vec(1, 2), yes), "want one number"},
	})
}
