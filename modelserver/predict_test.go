package modelserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

type prediction struct {
	Label         any
	Probabilities map[string]float64
	Value         any
}

type predictions struct {
	Model       string
	Predictions []prediction
}

// expected is the framework's own answer to an example's request.
type expected struct {
	Outputs []struct {
		Name, Datatype string
		Shape          []int
		Data           []any
	}
}

func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-5+1e-5*math.Abs(want) }

func TestClassifierExamplesAnswerAsTheirFrameworks(t *testing.T) {
	for name, classes := range map[string][]string{
		"penguins": {"Adelie", "Chinstrap", "Gentoo"},
		"digits":   {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("../examples", name)
			request, err := os.ReadFile(filepath.Join(dir, "request.json"))
			if err != nil {
				t.Fatal(err)
			}
			a := post(t, serve(t, modelserver.Options{}, load(t, dir)).URL+"/predict", string(request))
			if a.status != 200 {
				t.Fatal(a.status, a.body)
			}
			var got predictions
			a.json(t, &got)
			var want expected
			readJSON(t, filepath.Join(dir, "expected.json"), &want)
			for _, o := range want.Outputs {
				for row, p := range got.Predictions {
					if o.Name == "label" && p.Label != o.Data[row] {
						t.Errorf("row %d: label %v, want %v", row, p.Label, o.Data[row])
					}
					for k, class := range classes {
						if o.Name == "probabilities" && !near(p.Probabilities[class], o.Data[row*len(classes)+k].(float64)) {
							t.Errorf("row %d, %s: %v, want %v", row, class, p.Probabilities[class], o.Data[row*len(classes)+k])
						}
					}
				}
			}
		})
	}
}

func TestRegressionExampleAnswersAsKeras(t *testing.T) {
	dir := "../examples/co2"
	request, err := os.ReadFile(filepath.Join(dir, "request.json"))
	if err != nil {
		t.Fatal(err)
	}
	a := post(t, serve(t, modelserver.Options{}, load(t, dir)).URL+"/models/co2/predict", string(request))
	var got predictions
	a.json(t, &got)
	var want expected
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	for k, v := range want.Outputs[0].Data {
		if g := got.Predictions[0].Value.([]any)[k].(float64); !near(g, v.(float64)) {
			t.Errorf("month %d: %v, want %v", k, g, v)
		}
	}
}

func TestSampleRequestsAreAnswered(t *testing.T) {
	for _, path := range []string{"penguins", "digits", "co2", "bench/models/forest.onnx", "bench/models/mlp.onnx"} {
		m := load(t, filepath.Join("../examples", path))
		if m.WarmUpErr != nil {
			t.Errorf("%s: warm-up: %v", path, m.WarmUpErr)
		}
		if a := post(t, serve(t, modelserver.Options{}, m).URL+"/predict", string(m.SampleRequest())); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestRowsAreObjectsOrArrays(t *testing.T) {
	url := serve(t, modelserver.Options{}, load(t, "../examples/penguins")).URL + "/predict"
	want := post(t, url, penguinsRow)
	if !strings.HasPrefix(want.body, `{"model":"penguins","predictions":[{"label":"Chinstrap","probabilities":{"Adelie":`) {
		t.Fatal(want.status, want.body)
	}
	for _, body := range []string{
		`{"rows":[[43.2,16.6,187,2900,"Dream","female"]]}`,
		`[[43.2,16.6,187,2900,"Dream","female"]]`,
		`[{"sex":"female","island":"Dream","body_mass_g":29e2,"flipper_length_mm":187.0,"bill_depth_mm":16.6,"bill_length_mm":43.2}]`,
		` [ [ 43.2 , [16.6] ,187,2900, "\u0044ream" , "female" ] ] ` + "\n",
		`{"rows":[{"bill_length_mm":[43.2],"bill_depth_mm":16.6,"flipper_length_mm":187,"body_mass_g":2900,"island":["Dream"],"sex":"female"}]}`,
	} {
		if got := post(t, url, body); got.body != want.body {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
}

// relay is a model whose output is its float input, under a declared type.
func relay(in, out []int, parts ...onnxtest.Part) []byte {
	return onnxtest.File(17, append([]onnxtest.Part{
		onnxtest.Input("x", tensor.Float32, in...), onnxtest.Output("y", tensor.Float32, out...),
		onnxtest.Node("Identity", "x", "y", nil),
	}, parts...)...)
}

func TestRowsOfMatricesAndNestedValues(t *testing.T) {
	features := onnxtest.Meta(modelserver.MetaFeatures, `["a","b","c"]`)
	other := onnxtest.Meta(modelserver.MetaTask, "other")
	for _, c := range []struct {
		name, body, want string
		file             []byte
	}{
		{"named columns of a matrix", `[{"c":3,"a":1,"b":null}]`, `{"y":[1,null,3]}`, relay([]int{-1, 3}, []int{-1, 3}, features, other)},
		{"the same as an array", `[[1,2,3]]`, `{"y":[1,2,3]}`, relay([]int{-1, 3}, []int{-1, 3}, features, other)},
		{"a matrix without names", `[{"x":[1,2,3]}]`, `{"y":[1,2,3]}`, relay([]int{-1, 3}, []int{-1, 3}, other)},
		{"the same as an array", `[[1,2,3]]`, `{"y":[1,2,3]}`, relay([]int{-1, 3}, []int{-1, 3}, other)},
		{"a vector", `[5]`, ``, relay([]int{-1}, []int{-1})},
		{"a single value", `[[5],[6]]`, `{"value":5},{"value":6}`, relay([]int{-1, 1}, []int{-1, 1})},
		{"an image", `[{"x":[[[1,2]],[[3,4]]]}]`, `{"y":[[[1,2]],[[3,4]]]}`, relay([]int{-1, 2, 1, 2}, []int{-1, 2, 1, 2})},
		{"an image alone", `[[[[1,2]],[[3,4]]]]`, `{"y":[[[1,2]],[[3,4]]]}`, relay([]int{-1, 2, 1, 2}, []int{-1, 2, 1, 2})},
		{"a length learnt from the first row", `[[[1,2],[3,4],[5,6]],[[7,8],[9,10],[11,12]]]`,
			`{"y":[[1,2],[3,4],[5,6]]},{"y":[[7,8],[9,10],[11,12]]}`, relay([]int{-1, -1, 2}, []int{-1, -1, 2})},
		{"an empty sequence", `[[]]`, `{"y":[]}`, relay([]int{-1, -1}, []int{-1, -1}, other)},
		{"null, and numbers at the ends", `[[null,3.4028234e38,-1e-45]]`, `{"y":[null,3.4028235e+38,-1e-45]}`, relay([]int{-1, 3}, []int{-1, 3}, other)},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := loadFile(t, c.file, native.New(native.Options{}))
			a := post(t, serve(t, modelserver.Options{}, m).URL+"/predict", c.body)
			if c.want == "" {
				if a.status != 422 {
					t.Errorf("got %d %s", a.status, a.body)
				}
				return
			}
			if want := `{"model":"m","predictions":[` + c.want + `]}`; a.body != want {
				t.Errorf("got %s\nwant %s", a.body, want)
			}
		})
	}
}

func TestRowsThatDoNotFitAShape(t *testing.T) {
	image := relay([]int{-1, 2, 2}, []int{-1, 2, 2})
	sequence := relay([]int{-1, -1, 2}, []int{-1, -1, 2})
	for _, c := range []struct {
		file       []byte
		body, want string
	}{
		{image, `[[[1,2],[3]]]`, `row 0, column "x": an array has 1 elements where 2 are wanted; expected an array of shape [2,2] holding a number for each element`},
		{image, `[[[1,2],[3,4,5]]]`, `an array has more elements where 2 are wanted`},
		{image, `[[[1,2],[3,4]],[[1,2],[3,"x"]]]`, `row 1, column "x": expected an array of shape [2,2] holding a number for each element, got text`},
		{image, `[{"x":7}]`, `row 0, column "x": expected an array of shape [2,2]`},
		{image, `[[[1,2],[3,[4]]]]`, `got a deeper array`},
		{image, `[[1,2]]`, `got a number`},
		{sequence, `[[[1,2]],[[1,2],[3,4]]]`, `row 1, column "x": an array has more elements where 1 are wanted; expected an array of shape [?,2]`},
		{sequence, `[[1,2]]`, `row 0, column "x": expected an array of shape [?,2] holding a number for each element, got a number`},
		{sequence, `[[[1,2],[1,2,3]]]`, `an array has more elements where 2 are wanted`},
	} {
		m := loadFile(t, c.file, native.New(native.Options{}))
		a := post(t, serve(t, modelserver.Options{}, m).URL+"/predict", c.body)
		var e struct{ Error string }
		a.json(t, &e)
		if a.status != 422 || !strings.Contains(e.Error, c.want) {
			t.Errorf("%s: got %d %s, want %s", c.body, a.status, e.Error, c.want)
		}
	}
}

func TestElementTypesOfColumns(t *testing.T) {
	for _, c := range []struct {
		elem       tensor.DType
		body, want string
		bad        map[string]string
	}{
		{tensor.Float64, `[[0.1],[1e300]]`, `0.1|1e+300`, map[string]string{`[[1e999]]`: "expected a number, got 1e999", `[[true]]`: "got true or false"}},
		{tensor.Float16, `[[0.1],[65504]]`, `0.099975586|65504`, map[string]string{`[[65520]]`: "too large for float16"}},
		{tensor.BFloat16, `[[1.5],[-2]]`, `1.5|-2`, map[string]string{`[[1e39]]`: "too large for bfloat16"}},
		{tensor.Float32, `[[16777217],[0.1]]`, `16777216|0.1`, map[string]string{`[[3.5e38]]`: "too large for float32"}},
		{tensor.Int64, `[[-9223372036854775808],[3]]`, `-9223372036854775808|3`, map[string]string{`[[1.0]]`: "expected a whole number, got 1.0", `[[null]]`: "got null"}},
		{tensor.Int32, `[[2147483647]]`, `2147483647`, map[string]string{`[[2147483648]]`: "a whole number that fits int32, got 2147483648"}},
		{tensor.Int8, `[[-128]]`, `-128`, map[string]string{`[[128]]`: "fits int8"}},
		{tensor.Uint8, `[[255]]`, `255`, map[string]string{`[[-1]]`: "fits uint8, got -1"}},
		{tensor.Uint64, `[[18446744073709551615]]`, `18446744073709551615`, map[string]string{`[[-1]]`: "got -1"}},
		{tensor.Bool, `[[true],[false],[1],[0]]`, `true|false|true|false`, map[string]string{`[[2]]`: "got a number", `[["true"]]`: "expected true or false, got text"}},
		{tensor.String, `[["a"],[""],[null],["\u00e9\"\n"]]`, `"a"|""|""|"é\"\n"`, map[string]string{`[[1]]`: "expected text, got a number"}},
	} {
		t.Run(c.elem.String(), func(t *testing.T) {
			file := onnxtest.File(17, onnxtest.Input("x", c.elem, -1, 1), onnxtest.Output("y", c.elem, -1, 1),
				onnxtest.Node("Identity", "x", "y", nil), onnxtest.Meta(modelserver.MetaTask, "other"))
			url := serve(t, modelserver.Options{}, loadFile(t, file, native.New(native.Options{}))).URL + "/predict"
			var want []string
			for _, v := range strings.Split(c.want, "|") {
				want = append(want, `{"y":`+v+`}`)
			}
			a := post(t, url, c.body)
			if w := `{"model":"m","predictions":[` + strings.Join(want, ",") + `]}`; a.body != w {
				t.Errorf("got %s\nwant %s", a.body, w)
			}
			for body, problem := range c.bad {
				a := post(t, url, body)
				var e struct{ Error string }
				a.json(t, &e)
				if a.status != 422 || !strings.Contains(e.Error, problem) {
					t.Errorf("%s: got %d %s, want %s", body, a.status, e.Error, problem)
				}
			}
		})
	}
}

// double answers with twice its input, and refuses any batch but of size.
func double(t *testing.T, size int, calls *int) fakeEngine {
	return func(_ context.Context, in, out []tensor.Value) error {
		*calls++
		x := in[0].(*tensor.Tensor)
		if x.Dim(0) != size {
			t.Errorf("a batch of %d rows, want %d", x.Dim(0), size)
		}
		y := tensor.New(tensor.Float32, x.Shape()...)
		texts := make([]string, size)
		for i, v := range tensor.Data[float32](x) {
			tensor.Data[float32](y)[i] = 2 * v
			texts[i/x.Dim(1)] = fmt.Sprint(v)
		}
		out[0] = y
		out[1] = tensor.FromStrings(texts, size)
		out[2] = &tensor.Sequence{Items: make([]tensor.Value, size)}
		for i := range size {
			out[2].(*tensor.Sequence).Items[i] = &tensor.Map{StringKeys: []string{"k"}, Values: tensor.From([]float32{tensor.Data[float32](x)[i*2]}, 1)}
		}
		return nil
	}
}

func TestFixedBatchIsComputedInParts(t *testing.T) {
	for _, size := range []int{1, 2, 4} {
		maps := tensor.Type{Kind: tensor.KindMap, Key: tensor.String, Of: &tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Float32, Ranked: true}}
		file := onnxtest.File(17, onnxtest.Input("x", tensor.Float32, size, 2), onnxtest.Output("y", tensor.Float32, size, 2),
			onnxtest.Output("t", tensor.String, size), onnxtest.OutputOf("s", tensor.Type{Kind: tensor.KindSequence, Of: &maps}),
			onnxtest.Node("Fake", "x", "y t s", nil), onnxtest.Meta(modelserver.MetaTask, "other"))
		calls := 0
		m := loadFile(t, file, double(t, size, &calls))
		url := serve(t, modelserver.Options{}, m).URL + "/predict"
		for rows := 1; rows <= 5; rows++ {
			calls = 0
			var body, want []string
			for i := range rows {
				body = append(body, fmt.Sprintf("[%d,0.5]", i))
				want = append(want, fmt.Sprintf(`{"y":[%d,1],"t":"0.5","s":{"k":%d}}`, 2*i, i))
			}
			a := post(t, url, "["+strings.Join(body, ",")+"]")
			if w := `{"model":"m","predictions":[` + strings.Join(want, ",") + `]}`; a.body != w {
				t.Errorf("batch of %d, %d rows: got %s, want %s", size, rows, a.body, w)
			}
			if parts := (rows + size - 1) / size; calls != parts {
				t.Errorf("batch of %d, %d rows: %d calls, want %d", size, rows, calls, parts)
			}
		}
	}
}
