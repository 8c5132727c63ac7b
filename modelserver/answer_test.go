package modelserver_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// gives is an engine whose models always give these outputs.
func gives(values ...tensor.Value) fakeEngine {
	return func(_ context.Context, _, out []tensor.Value) error {
		copy(out, values)
		return nil
	}
}

func ints(v ...int64) *tensor.Tensor     { return tensor.From(v, len(v)) }
func texts(v ...string) *tensor.Tensor   { return tensor.FromStrings(v, len(v)) }
func column(v ...float32) *tensor.Tensor { return tensor.From(v, len(v), 1) }
func matrix(width int, v ...float32) *tensor.Tensor {
	return tensor.From(v, len(v)/width, width)
}

var (
	nan        = float32(math.NaN())
	floatType  = tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Float32, Ranked: true}
	stringMaps = tensor.Type{Kind: tensor.KindSequence, Of: &tensor.Type{Kind: tensor.KindMap, Key: tensor.String, Of: &floatType}}
	intMaps    = tensor.Type{Kind: tensor.KindSequence, Of: &tensor.Type{Kind: tensor.KindMap, Key: tensor.Int64, Of: &floatType}}
)

func classes(list string) onnxtest.Part { return onnxtest.Meta(modelserver.MetaClasses, list) }
func task(name string) onnxtest.Part    { return onnxtest.Meta(modelserver.MetaTask, name) }

// A model has one input x and is computed by a fake engine, so the nodes only
// show what the outputs mean.
var answers = []struct {
	name   string
	parts  []onnxtest.Part
	gives  []tensor.Value // for one row
	task   modelserver.Task
	json   string
	header []string
	fields []string
}{
	{
		name: "scikit-learn: text labels, classes in the graph",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.String, -1), onnxtest.Output("probabilities", tensor.Float32, -1, 2),
			onnxtest.Node("ai.onnx.ml.TreeEnsembleClassifier", "x", "label probabilities", onnxtest.Attrs{"classlabels_strings": []string{"no", "yes"}})},
		gives: []tensor.Value{texts("yes"), matrix(2, 0.25, 0.75)}, task: "classification",
		json:   `{"label":"yes","probabilities":{"no":0.25,"yes":0.75}}`,
		header: []string{"label", "probability_no", "probability_yes"}, fields: []string{"yes", "0.25", "0.75"},
	},
	{
		name: "whole-number labels of the graph stay numbers",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.Int64, -1), onnxtest.Output("probabilities", tensor.Float32, -1, 2),
			onnxtest.Node("ai.onnx.ml.LinearClassifier", "x", "label probabilities", onnxtest.Attrs{"classlabels_ints": []int{3, 8}})},
		gives: []tensor.Value{ints(8), matrix(2, 0.25, 0.75)}, task: "classification",
		json:   `{"label":8,"probabilities":{"3":0.25,"8":0.75}}`,
		header: []string{"label", "probability_3", "probability_8"}, fields: []string{"8", "0.25", "0.75"},
	},
	{
		name: "metadata names the classes that the graph numbers",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.Int64, -1), onnxtest.Output("probabilities", tensor.Float32, -1, 2), classes(`["lo","hi"]`),
			onnxtest.Node("ai.onnx.ml.LinearClassifier", "x", "label probabilities", onnxtest.Attrs{"classlabels_ints": []int{3, 8}})},
		gives: []tensor.Value{ints(8), matrix(2, 0.25, 0.75)}, task: "classification",
		json:   `{"label":"hi","probabilities":{"lo":0.25,"hi":0.75}}`,
		header: []string{"label", "probability_lo", "probability_hi"}, fields: []string{"hi", "0.25", "0.75"},
	},
	{
		name: "ZipMap",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.String, -1), onnxtest.OutputOf("p", stringMaps),
			onnxtest.Node("ai.onnx.ml.LinearClassifier", "x", "label scores", onnxtest.Attrs{"classlabels_strings": []string{"a", "b"}}),
			onnxtest.Node("ai.onnx.ml.ZipMap", "scores", "p", onnxtest.Attrs{"classlabels_strings": []string{"a", "b"}})},
		gives: []tensor.Value{texts("b"), &tensor.Sequence{Items: []tensor.Value{&tensor.Map{StringKeys: []string{"a", "b"}, Values: tensor.From([]float32{0.1, 0.9}, 2)}}}},
		task:  "classification", json: `{"label":"b","probabilities":{"a":0.1,"b":0.9}}`,
		header: []string{"label", "probability_a", "probability_b"}, fields: []string{"b", "0.1", "0.9"},
	},
	{
		name: "ZipMap of numbers, named by metadata",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.Int64, -1), onnxtest.OutputOf("p", intMaps), classes(`["a","b"]`),
			onnxtest.Node("ArgMax", "x", "label", nil),
			onnxtest.Node("ai.onnx.ml.ZipMap", "x", "p", onnxtest.Attrs{"classlabels_int64s": []int{5, 6}})},
		gives: []tensor.Value{ints(6), &tensor.Sequence{Items: []tensor.Value{&tensor.Map{IntKeys: []int64{5, 6}, Values: tensor.From([]float32{0.1, 0.9}, 2)}}}},
		task:  "classification", json: `{"label":"b","probabilities":{"a":0.1,"b":0.9}}`,
		header: []string{"label", "probability_a", "probability_b"}, fields: []string{"b", "0.1", "0.9"},
	},
	{
		name: "scikit-learn classifiers that choose the label from a constant",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.String, -1), onnxtest.Output("probabilities", tensor.Float32, -1, 2),
			onnxtest.Init("classes", texts("cat", "dog")), onnxtest.Node("ArgMax", "x", "i", nil),
			onnxtest.Node("ai.onnx.ml.ArrayFeatureExtractor", "classes i", "chosen", nil), onnxtest.Node("Reshape", "chosen", "label", nil),
			onnxtest.Node("Softmax", "x", "probabilities", nil)},
		gives: []tensor.Value{texts("dog"), matrix(2, 0.25, 0.75)}, task: "classification",
		json:   `{"label":"dog","probabilities":{"cat":0.25,"dog":0.75}}`,
		header: []string{"label", "probability_cat", "probability_dog"}, fields: []string{"dog", "0.25", "0.75"},
	},
	{
		name:  "a label alone",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.String, -1, 1), onnxtest.Node("Fake", "x", "label", nil)},
		gives: []tensor.Value{tensor.FromStrings([]string{"a,\"b"}, 1, 1)}, task: "classification",
		json: `{"label":"a,\"b"}`, header: []string{"label"}, fields: []string{`a,"b`},
	},
	{
		name: "PyTorch with Softmax and classes",
		parts: []onnxtest.Part{onnxtest.Output("p", tensor.Float32, -1, 3), classes(`["a","b","c"]`), task("classification"),
			onnxtest.Node("Softmax", "x", "p", nil)},
		gives: []tensor.Value{matrix(3, 0.5, 0.25, 0.25)}, task: "classification",
		json:   `{"label":"a","probabilities":{"a":0.5,"b":0.25,"c":0.25}}`,
		header: []string{"label", "probability_a", "probability_b", "probability_c"}, fields: []string{"a", "0.5", "0.25", "0.25"},
	},
	{
		name: "PyTorch logits with classes are scores",
		parts: []onnxtest.Part{onnxtest.Output("out", tensor.Float32, -1, 2), classes(`["a","b"]`),
			onnxtest.Node("Gemm", "x x", "out", nil)},
		gives: []tensor.Value{matrix(2, -3, 1.5)}, task: "classification",
		json:   `{"label":"b","scores":{"a":-3,"b":1.5}}`,
		header: []string{"label", "score_a", "score_b"}, fields: []string{"b", "-3", "1.5"},
	},
	{
		name:  "PyTorch logits without metadata",
		parts: []onnxtest.Part{onnxtest.Output("logits", tensor.Float32, -1, 2), onnxtest.Node("Gemm", "x x", "logits", nil)},
		gives: []tensor.Value{matrix(2, -3, 1.5)}, task: "other",
		json: `{"logits":[-3,1.5]}`, header: []string{"logits_0", "logits_1"}, fields: []string{"-3", "1.5"},
	},
	{
		name: "Keras sigmoid",
		parts: []onnxtest.Part{onnxtest.Output("dense", tensor.Float32, -1, 1), classes(`["no","yes"]`), task("classification"),
			onnxtest.Node("Sigmoid", "x", "dense", nil)},
		gives: []tensor.Value{column(0.75)}, task: "classification",
		json:   `{"label":"yes","probabilities":{"no":0.25,"yes":0.75}}`,
		header: []string{"label", "probability_no", "probability_yes"}, fields: []string{"yes", "0.25", "0.75"},
	},
	{
		name: "a single logit",
		parts: []onnxtest.Part{onnxtest.Output("out", tensor.Float32, -1, 1), classes(`["no","yes"]`), task("classification"),
			onnxtest.Node("Gemm", "x x", "out", nil)},
		gives: []tensor.Value{column(0.25)}, task: "classification",
		json:   `{"label":"yes","scores":{"no":-0.25,"yes":0.25}}`,
		header: []string{"label", "score_no", "score_yes"}, fields: []string{"yes", "-0.25", "0.25"},
	},
	{
		name: "a classifier declared without class names",
		parts: []onnxtest.Part{onnxtest.Output("p", tensor.Float32, -1, -1), task("classification"),
			onnxtest.Node("Softmax", "x", "p", nil)},
		gives: []tensor.Value{matrix(2, 0.25, 0.75)}, task: "classification",
		json: `{"label":"1","probabilities":[0.25,0.75]}`, header: []string{"label", "probabilities"}, fields: []string{"1", "[0.25,0.75]"},
	},
	{
		name: "NaN probabilities have no label",
		parts: []onnxtest.Part{onnxtest.Output("p", tensor.Float32, -1, 2), classes(`["a","b"]`), task("classification"),
			onnxtest.Node("Softmax", "x", "p", nil)},
		gives: []tensor.Value{matrix(2, nan, nan)}, task: "classification",
		json:   `{"label":null,"probabilities":{"a":null,"b":null}}`,
		header: []string{"label", "probability_a", "probability_b"}, fields: []string{"", "", ""},
	},
	{
		name:  "a regressor",
		parts: []onnxtest.Part{onnxtest.Output("variable", tensor.Float32, -1, 1), onnxtest.Node("ai.onnx.ml.LinearRegressor", "x", "variable", nil)},
		gives: []tensor.Value{column(0.1)}, task: "regression",
		json: `{"value":0.1}`, header: []string{"value"}, fields: []string{"0.1"},
	},
	{
		name:  "a regressor of several values",
		parts: []onnxtest.Part{onnxtest.Output("y", tensor.Float64, -1, 2), task("regression"), onnxtest.Node("Gemm", "x x", "y", nil)},
		gives: []tensor.Value{tensor.From([]float64{0.1, 1e-9}, 1, 2)}, task: "regression",
		json: `{"value":[0.1,1e-09]}`, header: []string{"value_0", "value_1"}, fields: []string{"0.1", "1e-09"},
	},
	{
		name: "anomaly detectors: outputs by their names",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.Int64, -1, 1), onnxtest.Output("scores", tensor.Float32, -1, 1),
			onnxtest.Node("Fake", "x", "label scores", nil)},
		gives: []tensor.Value{tensor.From([]int64{-1}, 1, 1), column(-0.5)}, task: "other",
		json: `{"label":-1,"scores":-0.5}`, header: []string{"label", "scores"}, fields: []string{"-1", "-0.5"},
	},
	{
		name: "clusters: distances are scores",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.Int64, -1), onnxtest.Output("scores", tensor.Float32, -1, 2),
			onnxtest.Node("Fake", "x", "label scores", nil)},
		gives: []tensor.Value{ints(1), matrix(2, 3, 0.5)}, task: "classification",
		json:   `{"label":1,"scores":{"0":3,"1":0.5}}`,
		header: []string{"label", "score_0", "score_1"}, fields: []string{"1", "3", "0.5"},
	},
	{
		name:  "maps of classes that nobody names",
		parts: []onnxtest.Part{onnxtest.OutputOf("p", intMaps), onnxtest.Output("n", tensor.Uint8, -1), onnxtest.Node("Fake", "x", "p n", nil)},
		gives: []tensor.Value{&tensor.Sequence{Items: []tensor.Value{&tensor.Map{IntKeys: []int64{-5, 6}, Values: tensor.From([]float32{0.1, nan}, 2)}}},
			tensor.From([]uint8{7}, 1)}, task: "other",
		json: `{"p":{"-5":0.1,"6":null},"n":7}`, header: []string{"p", "n"}, fields: []string{`{"-5":0.1,"6":null}`, "7"},
	},
	{
		name: "sequences of tensors and of optionals",
		parts: []onnxtest.Part{onnxtest.OutputOf("s", tensor.Type{Kind: tensor.KindSequence, Of: &floatType}), onnxtest.OutputOf("o", tensor.Type{Kind: tensor.KindSequence, Of: &floatType}),
			onnxtest.Node("Fake", "x", "s o", nil)},
		gives: []tensor.Value{&tensor.Sequence{Items: []tensor.Value{matrix(2, 1, 2, 3, 4)}},
			&tensor.Sequence{Items: []tensor.Value{&tensor.Sequence{Items: []tensor.Value{&tensor.Optional{}, &tensor.Optional{Value: column(1)}}}}}}, task: "other",
		json: `{"s":[[1,2],[3,4]],"o":[null,[[1]]]}`, header: []string{"s", "o"}, fields: []string{"[[1,2],[3,4]]", "[null,[[1]]]"},
	},
	{
		name:  "a scalar for the only row",
		parts: []onnxtest.Part{onnxtest.Output("total", tensor.Float32), onnxtest.Node("ReduceSum", "x", "total", nil)},
		gives: []tensor.Value{tensor.Scalar[float32](3)}, task: "other",
		json: `{"total":3}`, header: []string{"total"}, fields: []string{"3"},
	},
	{
		name: "scikit-learn classifiers of whole numbers, by a constant",
		parts: []onnxtest.Part{onnxtest.Output("label", tensor.Int64, -1), onnxtest.Output("scores", tensor.Float32, -1, 2),
			onnxtest.Init("classes", tensor.From([]int32{3, 8}, 2)), onnxtest.Node("ArgMax", "x", "i", nil),
			onnxtest.Node("ai.onnx.ml.ArrayFeatureExtractor", "classes i", "chosen", nil), onnxtest.Node("Cast", "chosen", "label", nil),
			onnxtest.Node("Identity", "x", "scores", nil)},
		gives: []tensor.Value{ints(8), matrix(2, 0.25, 0.75)}, task: "classification",
		json:   `{"label":8,"scores":{"3":0.25,"8":0.75}}`,
		header: []string{"label", "score_3", "score_8"}, fields: []string{"8", "0.25", "0.75"},
	},
	{
		name:  "a NaN sigmoid",
		parts: []onnxtest.Part{onnxtest.Output("dense", tensor.Float64, -1), task("classification"), onnxtest.Node("Sigmoid", "x", "dense", nil)},
		gives: []tensor.Value{tensor.From([]float64{math.NaN()}, 1)}, task: "classification",
		json:   `{"label":null,"probabilities":{"0":null,"1":null}}`,
		header: []string{"label", "probability_0", "probability_1"}, fields: []string{"", "", ""},
	},
	{
		name: "a detector: nested and open shapes",
		parts: []onnxtest.Part{onnxtest.Output("boxes", tensor.Float32, -1, -1, 4), onnxtest.Output("kept", tensor.Bool, -1),
			onnxtest.Node("Fake", "x", "boxes kept", nil)},
		gives: []tensor.Value{tensor.From([]float32{1, 2, 3, 4}, 1, 1, 4), tensor.From([]bool{true}, 1)}, task: "other",
		json: `{"boxes":[[1,2,3,4]],"kept":true}`, header: []string{"boxes", "kept"}, fields: []string{"[[1,2,3,4]]", "true"},
	},
}

func TestAnswers(t *testing.T) {
	for _, c := range answers {
		t.Run(c.name, func(t *testing.T) {
			file := onnxtest.File(17, append([]onnxtest.Part{onnxtest.Input("x", tensor.Float32, -1, 1)}, c.parts...)...)
			m := loadFile(t, file, gives(c.gives...))
			if m.SchemaErr != nil {
				t.Fatal(m.SchemaErr)
			}
			if m.Schema.Task != c.task {
				t.Errorf("task %q, want %q", m.Schema.Task, c.task)
			}
			b := modelserver.NewBatch(m.Schema)
			if err := b.ReadLine([]byte(`[1]`)); err != nil {
				t.Fatal(err)
			}
			a, err := m.Predict(context.Background(), b)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(a.AppendJSON(nil, 0)); got != c.json {
				t.Errorf("got %s\nwant %s", got, c.json)
			}
			if got := m.Schema.AnswerHeader(); !slices.Equal(got, c.header) {
				t.Errorf("header %q, want %q", got, c.header)
			}
			if got := a.AppendFields(nil, 0); !slices.Equal(got, c.fields) {
				t.Errorf("fields %q, want %q", got, c.fields)
			}
		})
	}
}

func TestOutputsThatAreNotWhatTheModelDeclares(t *testing.T) {
	label := onnxtest.Output("label", tensor.String, -1)
	p := onnxtest.Output("p", tensor.Float32, -1, -1)
	names := classes(`["a","b"]`)
	node := onnxtest.Node("Fake", "x", "label p", nil)
	for _, c := range []struct {
		gives []tensor.Value
		want  string
	}{
		{[]tensor.Value{texts("a"), matrix(2, 0, 1, 2, 3)}, `output "p" is float32[2,2], which does not have one row for each of 1`},
		{[]tensor.Value{texts("a", "b"), matrix(1, 0, 1)}, `want 2 scores for each of 2 rows`},
		{[]tensor.Value{texts("a"), matrix(3, 0, 1, 2)}, `want 2 scores for each of 1 rows`},
		{[]tensor.Value{texts("a"), &tensor.Map{StringKeys: []string{"a"}, Values: tensor.From([]float32{1}, 1)}}, `does not have one row`},
		{[]tensor.Value{texts("a"), &tensor.Sequence{Items: []tensor.Value{texts("a")}}}, `want 2 scores for each of 1 rows`},
		{[]tensor.Value{tensor.FromStrings(nil, 1, 0), matrix(2, 0, 1)}, `output "label"`},
		{[]tensor.Value{&tensor.Sequence{Items: []tensor.Value{texts("a")}}, matrix(2, 0, 1)}, `want one label for each of 1 rows`},
	} {
		file := onnxtest.File(17, onnxtest.Input("x", tensor.Float32, -1, 1), label, p, names, node)
		m := loadFile(t, file, gives(c.gives...))
		body := `[[1]]`
		if rowsIn(c.gives[0]) > 1 {
			body = `[[1],[2]]`
		}
		a := post(t, serve(t, modelserver.Options{}, m).URL+"/predict", body)
		var e struct{ Error string }
		a.json(t, &e)
		if a.status < 500 || !strings.Contains(e.Error, c.want) {
			t.Errorf("%v: got %d %s", c.gives, a.status, e.Error)
		}
	}
}

func rowsIn(v tensor.Value) int {
	if t, ok := v.(*tensor.Tensor); ok {
		return t.Dim(0)
	}
	return 1
}

func TestModelsWithoutRows(t *testing.T) {
	x := onnxtest.Input("x", tensor.Float32, -1, 2)
	y := onnxtest.Output("y", tensor.Float32, -1, 2)
	node := onnxtest.Node("Identity", "x", "y", nil)
	for _, c := range []struct {
		parts []onnxtest.Part
		want  string
	}{
		{[]onnxtest.Part{onnxtest.Input("x", tensor.Float32), y, node}, `input "x" is float32[], which has no rows; send it through /v2/models/{model}/infer`},
		{[]onnxtest.Part{x, onnxtest.Input("z", tensor.Float32, 3), y, node}, `inputs "x" and "z" take different numbers of rows`},
		{[]onnxtest.Part{x, y, node, onnxtest.Meta(modelserver.MetaFeatures, `["a"]`)}, `metadata "greenlight.features" names 1 columns, which are not those of the model`},
		{[]onnxtest.Part{x, y, node, onnxtest.Meta(modelserver.MetaFeatures, `["a","a"]`)}, `two columns are named "a"`},
		{[]onnxtest.Part{x, y, node, onnxtest.Meta(modelserver.MetaFeatures, `a,b`)}, `metadata "greenlight.features" is not a JSON array of names`},
		{[]onnxtest.Part{x, y, node, classes(`["a","b","c"]`), task("classification")}, `there are 3 class names`},
		{[]onnxtest.Part{onnxtest.Input("x", tensor.Complex64, -1, 2), y, node}, `complex64[?,2], which JSON has no form for`},
		{[]onnxtest.Part{onnxtest.Input("x", tensor.Float32, -1, 1<<40, 1<<40), y, node}, `a row has at most`},
		{[]onnxtest.Part{onnxtest.Input("x", tensor.Float32, 1<<40, 2), y, node}, `a batch 1048576 rows`},
	} {
		m := loadFile(t, onnxtest.File(17, c.parts...), gives(matrix(2, 1, 2)))
		a := post(t, serve(t, modelserver.Options{}, m).URL+"/predict", `[[1]]`)
		var e struct{ Error string }
		a.json(t, &e)
		if a.status != 501 || !strings.Contains(e.Error, c.want) {
			t.Errorf("got %d %s, want %s", a.status, e.Error, c.want)
		}
		if m.SampleRequest() != nil {
			t.Errorf("%s: there is a sample request", c.want)
		}
	}
}

func TestFloatsRoundAsInNumpy(t *testing.T) {
	// Each text lies so near to the middle of two halves, or floats, that
	// rounding once and rounding twice differ. numpy.float64(text).astype(…)
	// gives these bits.
	for _, c := range []struct {
		elem tensor.DType
		text string
		want string
	}{
		{tensor.Float32, "1.00000005960464477539062500001", "1"},           // above the middle, on it as a float64
		{tensor.Float32, "1.0000000596046449", "1.0000001"},                // above it as a float64 too
		{tensor.Float16, "1.00048828125000001", "1"},                       // on the middle as a float64: to even
		{tensor.Float16, "1.0004882812500002220446049250313", "1.0009766"}, // above it; a float32 lies on it
		{tensor.Float16, "-1.0004882812500002220446049250313", "-1.0009766"},
		{tensor.Float16, "1.0014648437499997779553950749687", "1.0009766"}, // below the middle; a float32 lies on it
	} {
		file := onnxtest.File(17, onnxtest.Input("x", c.elem, -1, 1), onnxtest.Output("y", c.elem, -1, 1), onnxtest.Node("Identity", "x", "y", nil))
		m := loadFile(t, file, native.New(native.Options{}))
		a := post(t, serve(t, modelserver.Options{}, m).URL+"/predict", "[["+c.text+"]]")
		if want := `{"model":"m","predictions":[{"value":` + c.want + `}]}`; a.body != want {
			t.Errorf("%v %s: got %s, want %s", c.elem, c.text, a.body, want)
		}
	}
}

func TestTextIsWrittenAsJSON(t *testing.T) {
	for _, text := range []string{"", "plain", "a\"b\\c/\n\r\t\b\f\x00\x1f\x7f", "é€😀", "bad \xff utf-8 \xe2\x82", "\u2028"} {
		label := onnxtest.File(17, onnxtest.Input("x", tensor.Float32, -1, 1), onnxtest.Output("y", tensor.String, -1), onnxtest.Node("Fake", "x", "y", nil))
		m := loadFile(t, label, gives(texts(text)))
		a := post(t, serve(t, modelserver.Options{}, m).URL+"/predict", `[[1]]`)
		var got predictions
		a.json(t, &got)
		if want := strings.ToValidUTF8(text, "\ufffd"); strings.ReplaceAll(got.Predictions[0].Label.(string), "\ufffd\ufffd", "\ufffd") != want {
			t.Errorf("%q: got %q", text, got.Predictions[0].Label)
		}
	}
}
