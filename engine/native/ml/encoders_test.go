package ml

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

type attrs = optest.Attrs

func call(name string, a attrs) optest.Call {
	c := optest.Call{Domain: op.ML, Op: name, Opset: 4, Attrs: a, Outputs: 1}
	if strings.HasSuffix(name, "Classifier") {
		c.Outputs = 2
	}
	return c
}

var (
	nan = math.NaN()
)

func floats(shape []int, v ...float32) *tensor.Tensor { return tensor.From(v, shape...) }

func texts(v ...string) *tensor.Tensor { return tensor.FromStrings(v, len(v)) }

func longs(v ...int64) *tensor.Tensor { return tensor.From(v, len(v)) }

// want compares output i with a tensor.
func want(t *testing.T, name string, n *optest.Node, i int, w *tensor.Tensor) {
	t.Helper()
	got := n.Out(i)
	if got == nil || got.DType() != w.DType() || !slices.Equal(got.Shape(), w.Shape()) {
		t.Errorf("%s: output %d is %v, want %v", name, i, got, w)
		return
	}
	if inferred := n.Node.Out[i].Type.Elem; inferred != w.DType() {
		t.Errorf("%s: output %d was inferred as %v", name, i, inferred)
	}
	if w.DType() == tensor.String {
		if !slices.Equal(got.Strings(), w.Strings()) {
			t.Errorf("%s: got %q, want %q", name, got.Strings(), w.Strings())
		}
		return
	}
	g, v := optest.Float64s(got), optest.Float64s(w)
	for k := range v {
		if math.Abs(g[k]-v[k]) > 1e-6 && g[k] != v[k] || (g[k] != g[k]) != (v[k] != v[k]) {
			t.Errorf("%s: output %d is %v, want %v", name, i, g, v)
			return
		}
	}
}

type example struct {
	name string
	a    attrs
	in   tensor.Value
	out  *tensor.Tensor
}

func check(t *testing.T, operator string, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			want(t, operator, optest.Run(t, Ops(), call(operator, e.a), e.in), 0, e.out)
		})
	}
}

func TestScaler(t *testing.T) {
	each := attrs{"offset": []float64{1, 2}, "scale": []float64{2, 0.5}}
	check(t, "Scaler", []example{
		{"each", each, floats([]int{2, 2}, 1, 2, 3, 6), floats([]int{2, 2}, 0, 0, 4, 2)},
		{"one for all", attrs{"offset": []float64{1}, "scale": []float64{2}}, floats([]int{3}, 1, 2, float32(nan)), floats([]int{3}, 0, 2, float32(nan))},
		{"integers", each, tensor.From([]int64{2, 4}, 1, 2), floats([]int{1, 2}, 2, 1)},
		{"float64", each, tensor.From([]float64{2, 4}, 1, 2), floats([]int{1, 2}, 2, 1)},
		{"no rows", each, floats([]int{0, 2}), floats([]int{0, 2})},
	})
}

func TestNormalizer(t *testing.T) {
	x := floats([]int{2, 2}, 3, -4, 0, 0)
	check(t, "Normalizer", []example{
		{"max", attrs{"norm": "MAX"}, x, floats([]int{2, 2}, 1, -4.0/3, 0, 0)},
		{"L1", attrs{"norm": "L1"}, x, floats([]int{2, 2}, 3.0/7, -4.0/7, 0, 0)},
		{"L2", attrs{"norm": "L2"}, x, floats([]int{2, 2}, 0.6, -0.8, 0, 0)},
		{"vector", attrs{"norm": "L1"}, floats([]int{2}, 1, 3), floats([]int{2}, 0.25, 0.75)},
	})
}

func TestImputer(t *testing.T) {
	check(t, "Imputer", []example{
		{"NaN by feature", attrs{"imputed_value_floats": []float64{7, 8}, "replaced_value_float": nan}, floats([]int{2, 2}, float32(nan), 1, 2, float32(nan)), floats([]int{2, 2}, 7, 1, 2, 8)},
		{"value", attrs{"imputed_value_floats": []float64{7}, "replaced_value_float": -1.0}, tensor.From([]float64{-1, nan, 3}, 1, 3), tensor.From([]float64{7, nan, 3}, 1, 3)},
		{"whole numbers", attrs{"imputed_value_int64s": []int{1<<60 + 1}, "replaced_value_int64": 5}, longs(5, 6), longs(1<<60+1, 6)},
		{"int32", attrs{"imputed_value_int64s": []int{9, 8}}, tensor.From([]int32{0, 0, 1, 0}, 2, 2), tensor.From([]int32{9, 8, 1, 8}, 2, 2)},
	})
}

func TestBinarizer(t *testing.T) {
	check(t, "Binarizer", []example{
		{"float32", attrs{"threshold": 1.0}, floats([]int{2, 2}, 1, 1.5, float32(nan), -3), floats([]int{2, 2}, 0, 1, 0, 0)},
		{"float64", nil, tensor.From([]float64{0, 1e-300}, 2), tensor.From([]float64{0, 1}, 2)},
		{"int64", attrs{"threshold": 1.0}, longs(1, 2), longs(0, 1)},
		{"int32", nil, tensor.From([]int32{-1, 2}, 2), tensor.From([]int32{0, 1}, 2)},
	})
}

func TestOneHotEncoder(t *testing.T) {
	ints, words := attrs{"cats_int64s": []int{3, 5}}, attrs{"cats_strings": []string{"a", "b"}}
	check(t, "OneHotEncoder", []example{
		{"int64", ints, longs(5, 3, 4), floats([]int{3, 2}, 0, 1, 1, 0, 0, 0)},
		{"int32", ints, tensor.From([]int32{3}, 1, 1), floats([]int{1, 1, 2}, 1, 0)},
		{"floats are cut off", ints, floats([]int{2}, 5.9, 3), floats([]int{2, 2}, 0, 1, 1, 0)},
		{"strings", words, texts("b", "c"), floats([]int{2, 2}, 0, 1, 0, 0)},
	})
	optest.Error(t, Ops(), call("OneHotEncoder", attrs{"cats_strings": []string{"a"}, "zeros": 0}), texts("b"))
	optest.Error(t, Ops(), call("OneHotEncoder", words), longs(1))
}

func TestLabelEncoder(t *testing.T) {
	f := float32(nan)
	check(t, "LabelEncoder", []example{
		{"strings to ints", attrs{"keys_strings": []string{"Amy", "Sally"}, "values_int64s": []int{5, 6}}, texts("Dori", "Amy", "Sally"), longs(-1, 5, 6)},
		{"ints to strings", attrs{"keys_int64s": []int{1, 2}, "values_strings": []string{"x", "y"}, "default_string": "?"}, longs(2, 3), texts("y", "?")},
		{"strings by default", attrs{"keys_int64s": []int{1}, "values_strings": []string{"x"}}, longs(3), texts("_Unused")},
		{"NaN", attrs{"keys_floats": []float64{1, nan}, "values_floats": []float64{2, 4}}, floats([]int{3}, f, 1, 8), floats([]int{3}, 4, 2, float32(math.Copysign(0, -1)))},
		{"the last of repeated keys", attrs{"keys_int64s": []int{1, 1}, "values_int64s": []int{7, 8}}, longs(1), longs(8)},
		{"tensors", attrs{
			"keys_tensor": tensor.From([]float64{1, nan}, 2), "values_tensor": tensor.From([]int16{3, 4}, 2), "default_tensor": tensor.From([]int16{9}, 1),
		}, tensor.From([]float64{nan, 1, 2}, 3), tensor.From([]int16{4, 3, 9}, 3)},
		{"int32 to double", attrs{"keys_tensor": tensor.From([]int32{1}, 1), "values_tensor": tensor.From([]float64{0.5}, 1)}, tensor.From([]int32{1, 1}, 1, 2), tensor.From([]float64{0.5, 0.5}, 1, 2)},
	})
	for _, a := range []attrs{
		{"keys_int64s": []int{1}, "values_int64s": []int{1, 2}},
		{"keys_int64s": []int{1}},
		{"keys_int64s": []int{1}, "keys_strings": []string{"a"}, "values_int64s": []int{1}},
		{"keys_int64s": []int{1}, "values_tensor": tensor.From([]int16{1}, 1), "default_tensor": longs(1)},
	} {
		optest.Error(t, Ops(), call("LabelEncoder", a), longs(1))
	}
}

func TestFirstLabelEncoderAndCategoryMapper(t *testing.T) {
	first := call("LabelEncoder", attrs{"classes_strings": []string{"a", "b"}, "default_int64": -7})
	first.Opset = 1
	want(t, "strings", optest.Run(t, Ops(), first, texts("b", "z")), 0, longs(1, -7))
	want(t, "ints", optest.Run(t, Ops(), first, longs(0, 5)), 0, texts("a", "_Unused"))
	a := attrs{"cats_strings": []string{"a", "b"}, "cats_int64s": []int{10, 20}}
	check(t, "CategoryMapper", []example{{"strings", a, texts("b", "z"), longs(20, -1)}, {"ints", a, longs(10, 1), texts("a", "_Unused")}})
}

func TestArrayFeatureExtractor(t *testing.T) {
	x := floats([]int{2, 3}, 0, 1, 2, 3, 4, 5)
	pick := func(x, at *tensor.Tensor) *optest.Node {
		return optest.Run(t, Ops(), call("ArrayFeatureExtractor", nil), x, at)
	}
	want(t, "matrix", pick(x, longs(2, 0)), 0, floats([]int{2, 2}, 2, 0, 5, 3))
	want(t, "vector", pick(texts("a", "b"), longs(1)), 0, tensor.FromStrings([]string{"b"}, 1, 1))
	want(t, "double", pick(tensor.From([]float64{1, 2}, 1, 2), longs(1)), 0, tensor.From([]float64{2}, 1, 1))
	for _, at := range []int64{-1, 3} {
		optest.Error(t, Ops(), call("ArrayFeatureExtractor", nil), x, longs(at))
	}
}
