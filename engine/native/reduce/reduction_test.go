package reduce_test

import (
	"math"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/engine/native/reduce"
	"github.com/greenlight-dev/greenlight/tensor"
)

var (
	defs = reduce.Ops()
	inf  = float32(math.Inf(1))
	nan  = float32(math.NaN())
)

func f32(shape []int, v ...float32) *tensor.Tensor { return tensor.From(v, shape...) }
func ints(v ...int64) *tensor.Tensor               { return tensor.From(v, len(v)) }

// cube is 0…23 as [2,3,4].
func cube() *tensor.Tensor {
	t := tensor.New(tensor.Float32, 2, 3, 4)
	for i, d := 0, tensor.Data[float32](t); i < len(d); i++ {
		d[i] = float32(i)
	}
	return t
}

func TestReduceEveryLayoutOfAxes(t *testing.T) {
	for _, c := range []struct {
		name string
		axes []int64
		keep int
		want *tensor.Tensor
	}{
		{"last", []int64{2}, 0, f32([]int{2, 3}, 6, 22, 38, 54, 70, 86)},
		{"last, counted from the end", []int64{-1}, 1, f32([]int{2, 3, 1}, 6, 22, 38, 54, 70, 86)},
		{"first", []int64{0}, 0, f32([]int{3, 4}, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34)},
		{"middle", []int64{1}, 0, f32([]int{2, 4}, 12, 15, 18, 21, 48, 51, 54, 57)},
		{"outer two", []int64{0, 1}, 1, f32([]int{1, 1, 4}, 60, 66, 72, 78)},
		{"around the middle", []int64{2, 0}, 0, f32([]int{3}, 60, 92, 124)},
		{"all", nil, 0, f32(nil, 276)},
	} {
		in := []tensor.Value{cube(), nil}
		if c.axes != nil {
			in[1] = ints(c.axes...)
		}
		for _, constant := range []bool{false, true} {
			call := optest.Call{Op: "ReduceSum", Attrs: optest.Attrs{"keepdims": c.keep}, Const: constant}
			n := optest.Run(t, defs, call, in...)
			optest.Want(t, n.Out(0), c.want, 0)
			if inferred := n.Node.Out[0].Type; (constant || c.axes == nil) && inferred.String() != c.want.String() {
				t.Errorf("%s: inferred %v, want %v", c.name, inferred, c.want)
			}
		}
		// The form with an attribute, before opset 13.
		attrs := optest.Attrs{"keepdims": c.keep}
		if c.axes != nil {
			list := []int{}
			for _, a := range c.axes {
				list = append(list, int(a))
			}
			attrs["axes"] = list
		}
		n := optest.Run(t, defs, optest.Call{Op: "ReduceSum", Opset: 11, Attrs: attrs}, cube())
		optest.Want(t, n.Out(0), c.want, 0)
	}
}

func TestReduceEveryOperation(t *testing.T) {
	x := f32([]int{2, 3}, 1, -2, 3, 4, 5, -6)
	for name, want := range map[string][]float32{
		"ReduceSum":       {2, 3},
		"ReduceMean":      {2.0 / 3, 1},
		"ReduceL1":        {6, 15},
		"ReduceL2":        {3.7416575, 8.774964},
		"ReduceLogSum":    {0.6931472, 1.0986123},
		"ReduceLogSumExp": {3.1328452, 5.3132738},
		"ReduceSumSquare": {14, 77},
		"ReduceProd":      {-6, -120},
		"ReduceMax":       {3, 5},
		"ReduceMin":       {-2, -6},
	} {
		attrs := optest.Attrs{"keepdims": 0}
		got := optest.Run(t, defs, optest.Call{Op: name, Attrs: attrs}, x, ints(1)).Out(0)
		optest.Want(t, got, f32([]int{2}, want...), 1e-6)
		// The same along columns.
		flipped := f32([]int{3, 2}, 1, 4, -2, 5, 3, -6)
		got = optest.Run(t, defs, optest.Call{Op: name, Attrs: attrs}, flipped, ints(0)).Out(0)
		optest.Want(t, got, f32([]int{2}, want...), 1e-6)
	}
}

func TestReduceOverNothingGivesTheIdentity(t *testing.T) {
	empty := tensor.New(tensor.Float32, 2, 0)
	for name, want := range map[string]float32{
		"ReduceSum": 0, "ReduceL1": 0, "ReduceL2": 0, "ReduceSumSquare": 0, "ReduceProd": 1,
		"ReduceLogSum": -inf, "ReduceLogSumExp": -inf, "ReduceMax": -inf, "ReduceMin": inf, "ReduceMean": nan,
	} {
		got := optest.Run(t, defs, optest.Call{Op: name, Attrs: optest.Attrs{"keepdims": 0}}, empty, ints(1)).Out(0)
		optest.Want(t, got, f32([]int{2}, want, want), 0)
	}
	got := optest.Run(t, defs, optest.Call{Op: "ReduceSum"}, empty, ints(0)).Out(0)
	optest.Want(t, got, tensor.New(tensor.Float32, 1, 0), 0)
}

func TestReduceOverNoAxes(t *testing.T) {
	x := f32([]int{2}, -3, 4)
	noop := optest.Attrs{"noop_with_empty_axes": 1}
	optest.Want(t, optest.Run(t, defs, optest.Call{Op: "ReduceSum", Attrs: noop}, x).Out(0), x, 0)
	// What surrounds the reduction is still done.
	got := optest.Run(t, defs, optest.Call{Op: "ReduceSumSquare", Attrs: noop}, x, ints()).Out(0)
	optest.Want(t, got, f32([]int{2}, 9, 16), 0)
}

func TestReduceTypes(t *testing.T) {
	axes := ints(0)
	for _, c := range []struct {
		op      string
		x, want *tensor.Tensor
	}{
		{"ReduceSum", tensor.From([]int64{1 << 60, 3}, 2), tensor.From([]int64{1<<60 + 3}, 1)},
		{"ReduceMean", tensor.From([]int32{-3, -4}, 2), tensor.From([]int32{-3}, 1)},
		{"ReduceL2", tensor.From([]int32{3, 4}, 2), tensor.From([]int32{5}, 1)},
		{"ReduceMax", tensor.From([]uint8{3, 200}, 2), tensor.From([]uint8{200}, 1)},
		{"ReduceMin", tensor.From([]int8{3, -100}, 2), tensor.From([]int8{-100}, 1)},
		{"ReduceMax", tensor.From([]bool{false, true}, 2), tensor.From([]bool{true}, 1)},
		{"ReduceMin", tensor.From([]bool{false, true}, 2), tensor.From([]bool{false}, 1)},
		{"ReduceProd", tensor.From([]float64{0.5, 3}, 2), tensor.From([]float64{1.5}, 1)},
		{"ReduceSum", tensor.From([]tensor.Float16Bits{tensor.ToFloat16(2048), tensor.ToFloat16(1.5)}, 2),
			tensor.From([]tensor.Float16Bits{tensor.ToFloat16(2050)}, 1)},
		{"ReduceMax", tensor.From([]tensor.BFloat16Bits{tensor.ToBFloat16(-2), tensor.ToBFloat16(-3)}, 2),
			tensor.From([]tensor.BFloat16Bits{tensor.ToBFloat16(-2)}, 1)},
	} {
		optest.Want(t, optest.Run(t, defs, optest.Call{Op: c.op}, c.x, axes).Out(0), c.want, 0)
	}
}

func TestExtremesPassNaNOn(t *testing.T) {
	x := f32([]int{3}, 1, nan, 2)
	for _, name := range []string{"ReduceMax", "ReduceMin"} {
		optest.Want(t, optest.Run(t, defs, optest.Call{Op: name}, x).Out(0), f32([]int{1}, nan), 0)
	}
}

func TestLogSumExpDoesNotOverflow(t *testing.T) {
	got := optest.Run(t, defs, optest.Call{Op: "ReduceLogSumExp"}, f32([]int{2}, 1000, 1000)).Out(0)
	optest.Want(t, got, f32([]int{1}, 1000+float32(math.Ln2)), 1e-6)
	got = optest.Run(t, defs, optest.Call{Op: "ReduceLogSumExp"}, f32([]int{2}, inf, 1)).Out(0)
	optest.Want(t, got, f32([]int{1}, inf), 0)
}

func TestSumsAreAccurate(t *testing.T) {
	x := tensor.New(tensor.Float32, 1<<20)
	for i, d := 0, tensor.Data[float32](x); i < len(d); i++ {
		d[i] = 0.1
	}
	want := f32([]int{1}, float32(float64(float32(0.1))*(1<<20)))
	optest.Want(t, optest.Run(t, defs, optest.Call{Op: "ReduceSum"}, x).Out(0), want, 1e-7)
}

func TestReduceErrors(t *testing.T) {
	for _, c := range []struct {
		axes *tensor.Tensor
		op   string
		x    *tensor.Tensor
		want string
	}{
		{ints(3), "ReduceSum", cube(), "axis 3 is outside [-3, 2]"},
		{ints(0, -3), "ReduceSum", cube(), "listed twice"},
		{ints(0), "ReduceSum", tensor.New(tensor.Bool, 2), "not served"},
		{ints(0), "ReduceMean", tensor.New(tensor.Int32, 0), "mean of no elements"},
	} {
		if got := optest.Error(t, defs, optest.Call{Op: c.op}, c.x, c.axes); !strings.Contains(got, c.want) {
			t.Errorf("error %q does not say %q", got, c.want)
		}
	}
}

func TestArgExtremes(t *testing.T) {
	x := f32([]int{2, 3}, 2, 7, 7, 1, 1, 0)
	for _, c := range []struct {
		op    string
		attrs optest.Attrs
		shape []int
		want  []int64
	}{
		{"ArgMax", optest.Attrs{"axis": 1, "keepdims": 0}, []int{2}, []int64{1, 0}},
		{"ArgMax", optest.Attrs{"axis": -1, "select_last_index": 1}, []int{2, 1}, []int64{2, 1}},
		{"ArgMin", optest.Attrs{}, []int{1, 3}, []int64{1, 1, 1}},
		{"ArgMin", optest.Attrs{"axis": 1, "keepdims": 0}, []int{2}, []int64{0, 2}},
	} {
		n := optest.Run(t, defs, optest.Call{Op: c.op, Attrs: c.attrs}, x)
		optest.Want(t, n.Out(0), tensor.From(c.want, c.shape...), 0)
		if got := n.Node.Out[0].Type.String(); got != n.Out(0).String() {
			t.Errorf("inferred %s, want %v", got, n.Out(0))
		}
	}
	got := optest.Run(t, defs, optest.Call{Op: "ArgMax"}, f32([]int{4}, 1, nan, 5, nan)).Out(0)
	optest.Want(t, got, ints(1), 0)
	got = optest.Run(t, defs, optest.Call{Op: "ArgMax"}, tensor.From([]uint64{1, math.MaxUint64, 5}, 3)).Out(0)
	optest.Want(t, got, ints(1), 0)
	if got := optest.Error(t, defs, optest.Call{Op: "ArgMax"}, tensor.New(tensor.Float32, 0, 2)); !strings.Contains(got, "empty") {
		t.Errorf("error %q", got)
	}
}

func TestCumulative(t *testing.T) {
	x := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	for _, c := range []struct {
		op    string
		attrs optest.Attrs
		axis  int64
		want  []float32
	}{
		{"CumSum", nil, 0, []float32{1, 2, 3, 5, 7, 9}},
		{"CumSum", nil, -1, []float32{1, 3, 6, 4, 9, 15}},
		{"CumSum", optest.Attrs{"exclusive": 1, "reverse": 1}, 1, []float32{5, 3, 0, 11, 6, 0}},
		{"CumProd", nil, 1, []float32{1, 2, 6, 4, 20, 120}},
		{"CumProd", optest.Attrs{"exclusive": 1}, 1, []float32{1, 1, 2, 1, 4, 20}},
	} {
		got := optest.Run(t, defs, optest.Call{Op: c.op, Attrs: c.attrs}, x, tensor.Scalar(c.axis)).Out(0)
		optest.Want(t, got, f32([]int{2, 3}, c.want...), 0)
	}
	got := optest.Run(t, defs, optest.Call{Op: "CumSum"}, tensor.From([]int32{5, -7}, 2), tensor.Scalar(int32(0))).Out(0)
	optest.Want(t, got, tensor.From([]int32{5, -2}, 2), 0)
	if got := optest.Error(t, defs, optest.Call{Op: "CumSum"}, x, tensor.Scalar(int64(2))); !strings.Contains(got, "axis 2") {
		t.Errorf("error %q", got)
	}
}

func TestOddInputsAreErrors(t *testing.T) {
	optest.Monkey(t, defs, map[string][]any{
		"axis": {0, 1, -1, 3, 1 << 40}, "axes": {[]int{0}, []int{1, -1}, []int{}, []int{2}},
		"keepdims": {0, 1}, "num_groups": {0, 1, 2, 3}, "size": {1, 3, 1 << 40}, "p": {1, 2, 3},
		"ignore_index": {0, -1}, "reduction": {"none", "sum", "mean", "?"}, "training_mode": {0, 1},
		"spatial": {0, 1}, "stash_type": {1, 16}, "reverse": {0, 1}, "exclusive": {0, 1},
	}, spoilable()...)
}

// spoilable has a working call of every operator that is picky about shapes.
func spoilable() []optest.Seed {
	var seeds []optest.Seed
	for _, make := range hot() {
		call, in := make(2, random(2))
		seeds = append(seeds, optest.Seed{Call: call, In: in})
	}
	for _, name := range []string{"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"} {
		in := []tensor.Value{ramp(false, 2, 3, 2), tensor.From([]int64{2, 1, 0, 2}, 2, 2), f32([]int{3}, 1, 2, 3)}
		seeds = append(seeds, optest.Seed{Call: optest.Call{Op: name, Outputs: 2}, In: in})
	}
	return seeds
}
