package ml

import (
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestFeatureVectorizer(t *testing.T) {
	y := call("FeatureVectorizer", attrs{"inputdimensions": []int{2, 1, 3}})
	n := optest.Run(t, Ops(), y, floats([]int{2, 2}, 1, 2, 3, 4), tensor.From([]int64{5, 6}, 2, 1), tensor.From([]float64{7, 8, 9, 10}, 2, 2))
	want(t, "three", n, 0, floats([]int{2, 6}, 1, 2, 5, 7, 8, 0, 3, 4, 6, 9, 10, 0))
	optest.Error(t, Ops(), y, floats([]int{1, 2}, 1, 2))
	optest.Error(t, Ops(), y, floats([]int{2, 1}, 1, 2), floats([]int{2, 1}, 1, 2), floats([]int{1, 1}, 1))
}

// The wanted scores of pairs are ONNX Runtime's, the others by hand.
func TestLinearClassifier(t *testing.T) {
	x := floats([]int{2, 1}, 0, 1)
	pair := attrs{"classlabels_ints": []int{10, 20}, "coefficients": []float64{1}, "intercepts": []float64{-0.25}}
	n := optest.Run(t, Ops(), call("LinearClassifier", pair), x)
	want(t, "pair", n, 0, longs(10, 20))
	want(t, "pair", n, 1, floats([]int{2, 2}, 1.25, -0.25, 0.25, 0.75))
	pair["post_transform"] = "LOGISTIC"
	n = optest.Run(t, Ops(), call("LinearClassifier", pair), x)
	want(t, "pair, logistic", n, 1, floats([]int{2, 2}, 0.5621765, 0.4378235, 0.3208213, 0.6791787))

	three := attrs{
		"classlabels_strings": []string{"a", "b", "c"}, "coefficients": []float64{1, 2, 3},
		"intercepts": []float64{0.5, 0, -1.5}, "post_transform": "SOFTMAX",
	}
	for _, x := range []*tensor.Tensor{x, tensor.From([]float64{0, 1}, 2, 1), tensor.From([]int64{0, 1}, 2, 1), tensor.From([]int32{0, 1}, 2, 1)} {
		n = optest.Run(t, Ops(), call("LinearClassifier", three), x)
		want(t, "three", n, 0, texts("a", "b"))
		want(t, "three", n, 1, floats([]int{2, 3}, 0.57409699, 0.34820743, 0.07769558, 0.27406862, 0.45186276, 0.27406862))
	}
	optest.Error(t, Ops(), call("LinearClassifier", three), floats([]int{1, 2}, 1, 2))
}

func TestLinearRegressor(t *testing.T) {
	two := attrs{"targets": 2, "coefficients": []float64{1, 2, 3, 4}, "intercepts": []float64{10, 20}}
	want(t, "two", optest.Run(t, Ops(), call("LinearRegressor", two), floats([]int{2, 2}, 1, 1, 0, -1)), 0, floats([]int{2, 2}, 13, 27, 8, 16))
	want(t, "no rows", optest.Run(t, Ops(), call("LinearRegressor", two), floats([]int{0, 2})), 0, floats([]int{0, 2}))
	one := attrs{"coefficients": []float64{1, 2}, "post_transform": "LOGISTIC"}
	want(t, "vector", optest.Run(t, Ops(), call("LinearRegressor", one), floats([]int{2}, 2, 0)), 0, floats([]int{1, 1}, 0.8807971))
}

// More outputs than are computed one by one.
func TestManyTargets(t *testing.T) {
	const targets = 9
	weights, row := make([]float64, 2*targets), make([]float32, targets)
	for i := range targets {
		weights[2*i], weights[2*i+1] = float64(i), 1
		row[i] = float32(3*i - 1)
	}
	n := optest.Run(t, Ops(), call("LinearRegressor", attrs{"targets": targets, "coefficients": weights}), floats([]int{1, 2}, 3, -1))
	want(t, "nine", n, 0, floats([]int{1, targets}, row...))
}

// Two vectors at 0 and 2 on a line, a class each. The probabilities are ONNX
// Runtime's, the rest by hand.
func TestSVMs(t *testing.T) {
	svc := attrs{
		"kernel_type": "RBF", "kernel_params": []float64{1, 0, 0}, "support_vectors": []float64{0, 2}, "vectors_per_class": []int{1, 1},
		"coefficients": []float64{1, -1}, "rho": []float64{0}, "classlabels_strings": []string{"near", "far"},
	}
	x := floats([]int{2, 1}, 0, 2)
	n := optest.Run(t, Ops(), call("SVMClassifier", svc), x)
	want(t, "rbf", n, 0, texts("near", "far"))
	want(t, "rbf", n, 1, floats([]int{2, 2}, -0.98168436, 0.98168436, 0.98168436, -0.98168436))
	svc["prob_a"], svc["prob_b"] = []float64{-2}, []float64{0.5}
	n = optest.Run(t, Ops(), call("SVMClassifier", svc), x)
	want(t, "probabilities", n, 1, floats([]int{2, 2}, 0.81204706, 0.18795289, 0.0783409, 0.9216591))

	svr := attrs{"kernel_params": []float64{0.5, 1, 2}, "support_vectors": []float64{1, 0, 0, 1}, "n_supports": 2, "coefficients": []float64{2, -3}, "rho": []float64{0.25}}
	for kernel, w := range map[string]float32{
		"LINEAR": 2*4 - 3*-2 + 0.25, "POLY": 2*3*3 - 0 + 0.25, "SIGMOID": 2*0.9950548 + 0.25, "RBF": 2*0.0015034392 - 3*3.726653e-06 + 0.25,
	} {
		svr["kernel_type"] = kernel
		want(t, kernel, optest.Run(t, Ops(), call("SVMRegressor", svr), floats([]int{1, 2}, 4, -2)), 0, floats([]int{1, 1}, w))
	}
	linear := attrs{"coefficients": []float64{1, -1}, "rho": []float64{-1}, "one_class": 1}
	want(t, "one class", optest.Run(t, Ops(), call("SVMRegressor", linear), floats([]int{2, 2}, 3, 1, 1, 1)), 0, floats([]int{2, 1}, 1, -1))
	linear = attrs{"coefficients": []float64{1, 0, -1}, "rho": []float64{0.5}, "classlabels_ints": []int{4, 5, 6}}
	n = optest.Run(t, Ops(), call("SVMClassifier", linear), floats([]int{2, 1}, 2, -2))
	want(t, "linear", n, 0, longs(4, 6))
	want(t, "linear", n, 1, floats([]int{2, 3}, 2.5, 0.5, -1.5, -1.5, 0.5, 2.5))
}

func TestRefusedModels(t *testing.T) {
	for _, c := range []struct {
		operator string
		a        attrs
	}{
		{"LinearClassifier", attrs{"classlabels_ints": []int{1, 2}, "coefficients": []float64{1, 2, 3}, "intercepts": []float64{1, 2}}},
		{"LinearClassifier", attrs{"classlabels_ints": []int{1, 2}, "coefficients": []float64{1, 2, 3}, "intercepts": []float64{1, 2, 3}}},
		{"LinearClassifier", attrs{"coefficients": []float64{1, 2}, "intercepts": []float64{1, 2}}},
		{"LinearClassifier", attrs{"classlabels_ints": []int{1, 2}, "coefficients": []float64{1, 2}, "post_transform": "NO"}},
		{"LinearRegressor", attrs{"targets": 0, "coefficients": []float64{1}}},
		{"LinearRegressor", attrs{"targets": 2, "coefficients": []float64{1, 2}, "intercepts": []float64{1}}},
		{"SVMClassifier", attrs{"classlabels_ints": []int{1, 2}, "coefficients": []float64{1}, "support_vectors": []float64{1, 2}, "vectors_per_class": []int{1, 1}, "rho": []float64{1}}},
		{"SVMClassifier", attrs{"classlabels_ints": []int{1, 2}, "coefficients": []float64{1, 2}, "support_vectors": []float64{1, 2}, "vectors_per_class": []int{-1, 3}, "rho": []float64{1}}},
		{"SVMClassifier", attrs{"classlabels_ints": []int{1, 2}, "coefficients": []float64{1, 2}, "support_vectors": []float64{1, 2}, "vectors_per_class": []int{1, 1}}},
		{"SVMClassifier", attrs{"classlabels_ints": []int{1, 2}, "coefficients": []float64{1, 2}, "support_vectors": []float64{1, 2}, "vectors_per_class": []int{1, 1}, "rho": []float64{1}, "prob_a": []float64{1}}},
		{"SVMRegressor", attrs{"coefficients": []float64{1}, "support_vectors": []float64{1, 2}, "n_supports": 2, "rho": []float64{1}}},
		{"SVMRegressor", attrs{"coefficients": []float64{1}, "kernel_type": "RBF", "rho": []float64{1}}},
		{"Scaler", attrs{"offset": []float64{1, 2}, "scale": []float64{1}}},
		{"Scaler", attrs{"offset": []float64{1, 2, 3}, "scale": []float64{1, 2, 3}}},
		{"Normalizer", attrs{"norm": "L3"}},
		{"Imputer", attrs{"imputed_value_floats": []float64{1, 2, 3}}},
		{"Imputer", attrs{"imputed_value_int64s": []int{1}}},
		{"FeatureVectorizer", attrs{"inputdimensions": []int{-1}}},
	} {
		optest.Error(t, Ops(), call(c.operator, c.a), floats([]int{1, 1}, 1))
	}
}

func TestMaps(t *testing.T) {
	words := &tensor.Map{StringKeys: []string{"b", "z"}, Values: floats([]int{2}, 4, 9)}
	numbers := &tensor.Map{IntKeys: []int64{5, 2}, Values: floats([]int{2}, 1.5, 2.5)}
	named := &tensor.Map{IntKeys: []int64{1, 0}, Values: texts("7", "8")}
	check(t, "DictVectorizer", []example{
		{"strings", attrs{"string_vocabulary": []string{"a", "b"}}, words, floats([]int{1, 2}, 0, 4)},
		{"ints", attrs{"int64_vocabulary": []int{2, 3, 5}}, numbers, floats([]int{1, 3}, 2.5, 0, 1.5)},
		{"to strings", attrs{"int64_vocabulary": []int{0, 1}}, named, tensor.FromStrings([]string{"8", "7"}, 1, 2)},
	})
	check(t, "CastMap", []example{
		{"dense", nil, numbers, floats([]int{1, 2}, 2.5, 1.5)},
		{"sparse", attrs{"map_form": "SPARSE", "max_map": 6, "cast_to": "TO_INT64"}, numbers, tensor.From([]int64{0, 0, 2, 0, 0, 1}, 1, 6)},
		{"from strings", attrs{"cast_to": "TO_FLOAT"}, named, floats([]int{1, 2}, 8, 7)},
		{"to strings", attrs{"cast_to": "TO_STRING"}, numbers, tensor.FromStrings([]string{"2.500000", "1.500000"}, 1, 2)},
	})
	for _, c := range []struct {
		operator string
		a        attrs
		in       tensor.Value
	}{
		{"DictVectorizer", attrs{"int64_vocabulary": []int{1}}, words},
		{"DictVectorizer", attrs{"int64_vocabulary": []int{1}}, floats([]int{1}, 1)},
		{"CastMap", attrs{"map_form": "SPARSE", "max_map": 5}, numbers},
		{"CastMap", attrs{"cast_to": "TO_FLOAT"}, &tensor.Map{IntKeys: []int64{1}, Values: texts("x")}},
		{"CastMap", nil, words},
		{"CastMap", nil, &tensor.Map{IntKeys: []int64{1, 2}, Values: texts("1")}},
	} {
		optest.Error(t, Ops(), call(c.operator, c.a), c.in)
	}
}

func TestZipMap(t *testing.T) {
	n := optest.Run(t, Ops(), call("ZipMap", attrs{"classlabels_strings": []string{"a", "b"}}), floats([]int{2, 2}, 1, 2, 3, 4))
	seq := n.Context.Out[0].(*tensor.Sequence)
	if got := seq.Type().String(); got != "seq(map(string,float32))" || got != n.Node.Out[0].Type.String() {
		t.Errorf("type %s, inferred %s", got, n.Node.Out[0].Type)
	}
	m := seq.Items[1].(*tensor.Map)
	if len(seq.Items) != 2 || !slices.Equal(m.StringKeys, []string{"a", "b"}) || !slices.Equal(tensor.Data[float32](m.Values), []float32{3, 4}) {
		t.Errorf("second row %v %v", m.StringKeys, tensor.Data[float32](m.Values))
	}
	optest.Error(t, Ops(), call("ZipMap", attrs{"classlabels_int64s": []int{1}}), floats([]int{1, 2}, 1, 2))
}

func TestFoldScalerOnlyFoldsPairs(t *testing.T) {
	scaler := &onnx.Node{Domain: op.ML, Op: "Scaler", Inputs: []string{"x"}, Outputs: []string{"s"}}
	for _, model := range []*onnx.Node{
		{Domain: op.ML, Op: "LinearRegressor", Inputs: []string{"t"}, Outputs: []string{"y"}},
		{Domain: op.ML, Op: "SVMRegressor", Inputs: []string{"s"}, Outputs: []string{"y"}},
		{Op: "LinearRegressor", Inputs: []string{"s"}, Outputs: []string{"y"}},
	} {
		if _, ok := FoldScaler(scaler, model); ok {
			t.Errorf("%s of %s was folded", model.Qualified(), model.Inputs)
		}
	}
	model := &onnx.Node{Domain: op.ML, Op: "LinearRegressor", Inputs: []string{"s"}, Outputs: []string{"y"}}
	folded, ok := FoldScaler(scaler, model)
	if !ok || folded.Domain != op.Internal || folded.Inputs[0] != "x" || folded.Outputs[0] != "y" || model.Inputs[0] != "s" {
		t.Errorf("folded %+v of %+v", folded, model)
	}
}

// working are calls that work, one or more of most operators.
func working() (seeds []optest.Seed) {
	x, wide := tensor.New(tensor.Float32, 5, 2), tensor.New(tensor.Float64, 5, 2)
	linear := attrs{"classlabels_strings": []string{"a", "b", "c"}, "coefficients": []float64{1, 2, 3, 4, 5, 6}, "intercepts": []float64{1, 2, 3}, "post_transform": "SOFTMAX"}
	for _, c := range []struct {
		operator string
		a        attrs
		in       []tensor.Value
	}{
		{"Scaler", attrs{"offset": []float64{1, 2}, "scale": []float64{1, 2}}, []tensor.Value{x}},
		{"Scaler", attrs{"offset": []float64{1, 2}, "scale": []float64{1, 2}}, []tensor.Value{wide}},
		{"Normalizer", attrs{"norm": "L2"}, []tensor.Value{x}},
		{"Imputer", attrs{"imputed_value_floats": []float64{1}}, []tensor.Value{wide}},
		{"Binarizer", nil, []tensor.Value{x}},
		{"LinearClassifier", linear, []tensor.Value{x}},
		{"LinearClassifier", linear, []tensor.Value{wide}},
		{"LinearRegressor", attrs{"targets": 8, "coefficients": make([]float64, 16)}, []tensor.Value{x}},
		{"SVMClassifier", attrs{
			"classlabels_ints": []int{1, 2, 3}, "coefficients": make([]float64, 6), "support_vectors": make([]float64, 6), "vectors_per_class": []int{1, 1, 1},
			"rho": make([]float64, 3), "prob_a": make([]float64, 3), "prob_b": make([]float64, 3), "kernel_type": "RBF", "kernel_params": []float64{1, 0, 0},
		}, []tensor.Value{x}},
		{"SVMRegressor", attrs{"coefficients": []float64{1}, "support_vectors": []float64{1, 2}, "n_supports": 1, "rho": []float64{1}}, []tensor.Value{x}},
		{"OneHotEncoder", attrs{"cats_int64s": []int{3, 5}}, []tensor.Value{x}},
		{"OneHotEncoder", attrs{"cats_strings": []string{"a"}}, []tensor.Value{texts("a", "b")}},
		{"LabelEncoder", attrs{"keys_int64s": []int{1}, "values_strings": []string{"x"}}, []tensor.Value{longs(1, 2)}},
		{"FeatureVectorizer", attrs{"inputdimensions": []int{2, 2}}, []tensor.Value{x, wide}},
		{"ArrayFeatureExtractor", nil, []tensor.Value{x, longs(1, 0)}},
		{"ZipMap", attrs{"classlabels_int64s": []int{1, 2}}, []tensor.Value{x}},
		{"DictVectorizer", attrs{"int64_vocabulary": []int{1}}, []tensor.Value{&tensor.Map{IntKeys: []int64{1}, Values: floats([]int{1}, 2)}}},
	} {
		seeds = append(seeds, optest.Seed{Call: call(c.operator, c.a), In: c.in})
	}
	return seeds
}

func TestNoAllocations(t *testing.T) {
	for _, s := range working() {
		if got := optest.Run(t, Ops(), s.Call, s.In...).Allocs(t); got != 0 {
			t.Errorf("%s: %v allocations", s.Call.Op, got)
		}
	}
}

func TestAnyInputGivesAResultOrAnError(t *testing.T) {
	optest.Monkey(t, Ops(), map[string][]any{
		"coefficients": {[]float64{1, 2}, []float64{1, 2, 3, 4}}, "intercepts": {[]float64{1}, []float64{1, 2}}, "targets": {1, 2, -1},
		"classlabels_ints": {[]int{1, 2}}, "classlabels_int64s": {[]int{1, 2}}, "post_transform": {"SOFTMAX", "LOGISTIC", "PROBIT", "SOFTMAX_ZERO"},
		"offset": {[]float64{1}, []float64{1, 2}}, "scale": {[]float64{1}, []float64{1, 2}}, "norm": {"L1", "L2", "MAX"},
		"imputed_value_floats": {[]float64{1}, []float64{1, 2}}, "imputed_value_int64s": {[]int{1}, []int{1, 2}},
		"support_vectors": {[]float64{1, 2}, []float64{1, 2, 3, 4}}, "vectors_per_class": {[]int{1, 1}, []int{2, 0}, []int{5}}, "n_supports": {1, 2},
		"rho": {[]float64{1}}, "prob_a": {[]float64{1}}, "prob_b": {[]float64{1}}, "kernel_type": {"RBF", "POLY", "SIGMOID", "LINEAR"}, "kernel_params": {[]float64{1, 2, 3}},
		"cats_int64s": {[]int{1, 2}}, "cats_strings": {[]string{"a", ""}}, "zeros": {0, 1}, "inputdimensions": {[]int{1}, []int{2, 1}, []int{0}},
		"keys_int64s": {[]int{1, 2}}, "keys_floats": {[]float64{1, nan}}, "keys_strings": {[]string{"", "b"}},
		"values_int64s": {[]int{1, 2}}, "values_floats": {[]float64{1, 2}}, "values_strings": {[]string{"a", "b"}},
		"string_vocabulary": {[]string{"a"}}, "int64_vocabulary": {[]int{1}}, "max_map": {3}, "map_form": {"SPARSE"}, "cast_to": {"TO_STRING"},
	}, working()...)
}
