package modelserver_test

import (
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/modelserver"
)

const goodInfer = `{"inputs":[
 {"name":"bill_length_mm","datatype":"FP32","shape":[1,1],"data":[43.2]},
 {"name":"bill_depth_mm","datatype":"FP32","shape":[1,1],"data":[16.6]},
 {"name":"flipper_length_mm","datatype":"FP32","shape":[1,1],"data":[187]},
 {"name":"body_mass_g","datatype":"FP32","shape":[1,1],"data":[2900]},
 {"name":"island","datatype":"BYTES","shape":[1,1],"data":["Dream"]},
 {"name":"sex","datatype":"BYTES","shape":[1,1],"data":["female"]}]}`

// edit replaces one part of a good request, which must be there.
func edit(good, old, new string) string {
	if !strings.Contains(good, old) {
		panic(old)
	}
	return strings.Replace(good, old, new, 1)
}

// repeat is n times text.
func repeat(text string, n int) string { return strings.Repeat(text, n) }

var broken = []struct {
	name, method, path, body string
	status                   int
	want                     string
}{
	// POST /predict
	{"no body", "POST", "/predict", ``, 400, `JSON at byte 0: expected a JSON value, got the end of the text`},
	{"not JSON", "POST", "/predict", `bill_length_mm=43.2`, 400, `expected a JSON value, got 'b'`},
	{"JSON that ends early", "POST", "/predict", `{"rows":[{"bill_length_mm":43.2`, 400, `JSON at byte 31: expected ',' or '}', got the end of the text`},
	{"something after the request", "POST", "/predict", penguinsRow + `{}`, 400, `expected the end of the text, got an object`},
	{"NaN is not JSON", "POST", "/predict", edit(penguinsRow, "43.2", "NaN"), 400, `expected a JSON value, got 'N'`},
	{"a bad escape", "POST", "/predict", edit(penguinsRow, "Dream", `Dr\eam`), 400, `expected a valid escape in a text`},
	{"a number", "POST", "/predict", `12`, 422, `rows: expected {"rows": [...]} or an array of rows, got a number`},
	{"an empty object", "POST", "/predict", `{}`, 422, `rows: expected {"rows": [...]} or an array of rows, got an object without "rows"`},
	{"another envelope", "POST", "/predict", `{"instances":[]}`, 422, `rows: the request has an unknown field "instances"; expected "rows"`},
	{"rows twice", "POST", "/predict", `{"rows":[],"rows":[]}`, 422, `rows: "rows" is given twice`},
	{"rows that are no array", "POST", "/predict", `{"rows":{"sex":"female"}}`, 422, `rows: expected an array of rows, got an object`},
	{"no rows", "POST", "/predict", `{"rows":[]}`, 422, `rows: expected at least one row, got none`},
	{"a row that is a number", "POST", "/predict", `[43.2,16.6]`, 422, `row 0: expected an object with the columns' names, or an array, got a number`},
	{"a missing column", "POST", "/predict", edit(penguinsRow, `"island":"Dream",`, ""), 422, `row 0, column "island": is missing; expected text`},
	{"an unknown column", "POST", "/predict", edit(penguinsRow, `"island"`, `"Island"`), 422,
		`row 0, column "Island": is not a column of this model; expected one of "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "island", "sex"`},
	{"a column twice", "POST", "/predict", edit(penguinsRow, `"sex"`, `"island"`), 422, `row 0, column "island": is given twice`},
	{"text for a number", "POST", "/predict", edit(penguinsRow, "43.2", `"43.2"`), 422, `row 0, column "bill_length_mm": expected a number, got text`},
	{"a number for text", "POST", "/predict", edit(penguinsRow, `"female"`, "1"), 422, `row 0, column "sex": expected text, got a number`},
	{"an object for a number", "POST", "/predict", edit(penguinsRow, "43.2", `{"value":43.2}`), 422, `row 0, column "bill_length_mm": expected a number, got an object`},
	{"several values for a number", "POST", "/predict", edit(penguinsRow, "43.2", `[43.2,1]`), 422, `row 0, column "bill_length_mm": expected a number, got an array of several`},
	{"no value for a number", "POST", "/predict", edit(penguinsRow, "43.2", `[]`), 422, `row 0, column "bill_length_mm": expected a number, got an empty array`},
	{"a number beyond float32", "POST", "/predict", edit(penguinsRow, "43.2", `1e39`), 422, `column "bill_length_mm": expected a number, got 1e+39, too large for float32`},
	{"a number beyond float64", "POST", "/predict", edit(penguinsRow, "43.2", `1e999`), 422, `column "bill_length_mm": expected a number, got 1e999`},
	{"a short row", "POST", "/predict", `[[43.2,16.6,187,2900,"Dream","female"],[1,2,3]]`, 422, `row 1: expected 6 values, one for each column, got 3`},
	{"a long row", "POST", "/predict", `[[43.2,16.6,187,2900,"Dream","female",7]]`, 422, `row 0: expected 6 values, one for each column, got more`},
	{"a mistake in the second row", "POST", "/predict", `[[43.2,16.6,187,2900,"Dream","female"],[43.2,16.6,187,"2900","Dream","female"]]`, 422, `row 1, column "body_mass_g": expected a number, got text`},
	{"a megabyte of brackets", "POST", "/predict", repeat("[", 1<<20), 400, `expected less deeply nested JSON`},
	{"a long number", "POST", "/predict", edit(penguinsRow, "43.2", repeat("9", 1<<20)), 422, `column "bill_length_mm": expected a number, got 999`},
	{"a long column name", "POST", "/predict", edit(penguinsRow, "sex", repeat("s", 1<<20)), 422, `column "ssssssssssssssssssssssssssssssssssssssss…": is not a column`},
	{"a megabyte of rubbish", "POST", "/predict", repeat("\x00\xff{[", 1<<18), 400, `JSON at byte 0`},
	{"a body over the limit", "POST", "/predict", repeat(" ", 5<<20), 413, `the body is larger than 4194304 bytes`},
	{"GET instead of POST", "GET", "/predict", ``, 405, `/predict takes POST, not GET`},
	{"an unknown path", "POST", "/predictions", ``, 404, `nothing answers /predictions; GET / lists the models`},
	{"an unknown model", "POST", "/models/puffins/predict", penguinsRow, 404, `no model "puffins"; served: penguins`},

	// The Open Inference Protocol
	{"an unknown model of the protocol", "POST", "/v2/models/puffins/infer", goodInfer, 404, `no model "puffins"; served: penguins`},
	{"an unknown version", "POST", "/v2/models/penguins/versions/2/infer", goodInfer, 404, `model "penguins" has no version "2"; it has "1"`},
	{"DELETE", "DELETE", "/v2/models/penguins", ``, 405, `takes GET, not DELETE`},
	{"an empty request", "POST", "/v2/models/penguins/infer", `{}`, 400, `"inputs" is missing or empty`},
	{"an array", "POST", "/v2/models/penguins/infer", `[]`, 400, `expected '{', got an array`},
	{"an unknown field", "POST", "/v2/models/penguins/infer", edit(goodInfer, "inputs", "input"), 400, `unknown field "input"; want id, parameters, inputs, outputs`},
	{"inputs that are an object", "POST", "/v2/models/penguins/infer", `{"inputs":{}}`, 400, `inputs: JSON at byte 10: expected '[', got an object`},
	{"an id that is a number", "POST", "/v2/models/penguins/infer", edit(goodInfer, "{", `{"id":7,`), 400, `"id": JSON at byte 6: expected text, got a number`},
	{"an input without name", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"name":"sex",`, ""), 400, `inputs[5]: "name" is missing`},
	{"an unknown input", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"sex"`, `"gender"`), 400, `the model has no input "gender"; its inputs are "bill_length_mm"`},
	{"an input twice", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"bill_depth_mm"`, `"bill_length_mm"`), 400, `input "bill_length_mm" is given twice`},
	{"a missing input", "POST", "/v2/models/penguins/infer", `{"inputs":[{"name":"sex","datatype":"BYTES","shape":[1,1],"data":["x"]}]}`, 400, `input "bill_length_mm" (float32[N,1]) is missing`},
	{"no shape", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"shape":[1,1],`, ""), 400, `inputs[0]: tensor "bill_length_mm": "shape" is missing`},
	{"no data", "POST", "/v2/models/penguins/infer", edit(goodInfer, `,"data":[43.2]`, ""), 400, `"data" is missing`},
	{"no datatype", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"datatype":"FP32",`, ""), 400, `"datatype" is missing`},
	{"a shape of fractions", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[1,1]`, `[1.5,1]`), 400, `expected a whole number of 64 bits, got 1.5`},
	{"a field twice", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"shape":[1,1]`, `"shape":[1,1],"shape":[1]`), 400, `field "shape" is given twice`},
	{"another datatype", "POST", "/v2/models/penguins/infer", edit(goodInfer, "FP32", "FP64"), 400, `input "bill_length_mm" is float64[1,1], want float32[N,1]`},
	{"an unknown datatype", "POST", "/v2/models/penguins/infer", edit(goodInfer, "FP32", "float"), 400, `inputs[0]: tensor "bill_length_mm": datatype "float" is not one of BOOL, UINT8`},
	{"another rank", "POST", "/v2/models/penguins/infer", edit(goodInfer, "[1,1]", "[1]"), 400, `input "bill_length_mm" is float32[1], want float32[N,1]`},
	{"another shape", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"shape":[1,1],"data":[43.2]`, `"shape":[1,2],"data":[1,2]`), 400, `is float32[1,2], want float32[N,1]`},
	{"batches of unequal length", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"shape":[1,1],"data":[43.2]`, `"shape":[2,1],"data":[1,2]`), 400, ``},
	{"less data than the shape", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"shape":[1,1]`, `"shape":[2,1]`), 400, `shape [2,1] wants 2 elements, data has 1`},
	{"more data than the shape", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[43.2]`, `[43.2,[1]]`), 400, `shape [1,1] wants 1 elements, data has more`},
	{"a huge shape", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[1,1]`, `[1000000,1000000]`), 400, `shape [1000000,1000000] wants more elements than data has`},
	{"a shape that overflows", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[1,1]`, `[4611686018427387904,8]`), 400, `wants more elements than data has`},
	{"a huge shape of nothing", "POST", "/v2/models/penguins/infer", edit(goodInfer, `"shape":[1,1],"data":[43.2]`, `"shape":[140737488355328,0],"data":[]`), 400, `wants more elements than data has`},
	{"a negative shape", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[1,1]`, `[-1,-1]`), 400, `inputs[0]: tensor "bill_length_mm": "shape"[0]: want at most 16 dimensions of 0 or more`},
	{"a shape of many dimensions", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[1,1]`, "[1"+repeat(",1", 1000)+"]"), 400, `want at most 16 dimensions`},
	{"data that is text", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[43.2]`, `"43.2"`), 400, `"data": JSON at byte`},
	{"data of the wrong type", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[43.2]`, `["43.2"]`), 400, `data element 0: expected a number for FP32, got text`},
	{"deeply nested data", "POST", "/v2/models/penguins/infer", edit(goodInfer, `[43.2]`, repeat("[", 40)+"1"+repeat("]", 40)), 400, `data is nested more than 16 deep`},
	{"an unknown output", "POST", "/v2/models/penguins/infer", edit(goodInfer, "{", `{"outputs":[{"name":"species"}],`), 400, `the model has no output "species"; its outputs are "label", "probabilities"`},
	{"an output without name", "POST", "/v2/models/penguins/infer", edit(goodInfer, "{", `{"outputs":[{}],`), 400, `outputs[0]: "name" is missing`},
	{"an output twice", "POST", "/v2/models/penguins/infer", edit(goodInfer, "{", `{"outputs":[{"name":"label"},{"name":"label"}],`), 400, `output "label" is asked for twice`},
}

func TestBrokenRequests(t *testing.T) {
	url := serve(t, modelserver.Options{MaxBodyBytes: 4 << 20}, load(t, "../examples/penguins")).URL
	good := post(t, url+"/predict", penguinsRow)
	if good.status != 200 {
		t.Fatal(good.status, good.body)
	}
	var before, after runtime.MemStats
	for _, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequest(c.method, url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&before)
			start := time.Now()
			got := do(t, request)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
			var e struct{ Error string }
			if err := json.Unmarshal([]byte(got.body), &e); err != nil || !strings.Contains(e.Error, c.want) || e.Error == "" {
				t.Errorf("got %s\nwant %s", clip(got.body), c.want)
			}
			if len(e.Error) > 1000 {
				t.Errorf("the error has %d bytes", len(e.Error))
			}
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 64<<20 || took > 5*time.Second {
				t.Errorf("it took %v and %d bytes", took, spent)
			}
			if again := post(t, url+"/predict", penguinsRow); again.body != good.body {
				t.Errorf("afterwards the server answers %d %s", again.status, again.body)
			}
		})
	}
}

func clip(s string) string { return s[:min(len(s), 400)] }

func TestLongListsOfColumnsAreShownInPart(t *testing.T) {
	url := serve(t, modelserver.Options{}, load(t, "../examples/bench/models/forest.onnx")).URL + "/predict"
	a := post(t, url, `[{"x":1}]`)
	if a.status != 422 || !strings.Contains(a.body, `\"mean fractal dimension\", \"radius error\", \"texture error\", and 18 more`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestRowErrorsAreGivenFieldByField(t *testing.T) {
	url := serve(t, modelserver.Options{}, load(t, "../examples/penguins")).URL + "/predict"
	a := post(t, url, edit(penguinsRow, "43.2", `"x"`))
	if want := `{"error":"row 0, column \"bill_length_mm\": expected a number, got text","row":0,"column":"bill_length_mm","expected":"a number","got":"text"}`; a.body != want {
		t.Errorf("got %s", a.body)
	}
	a = post(t, url, `{}`)
	if strings.Contains(a.body, `"row"`) {
		t.Errorf("an error of no row has one: %s", a.body)
	}
}
