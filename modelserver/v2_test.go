package modelserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestV2Metadata(t *testing.T) {
	url := serve(t, modelserver.Options{Version: "1.2.3"}, load(t, "../examples/penguins"), load(t, "../examples/digits")).URL
	for path, want := range map[string]string{
		"/v2":                                  `{"extensions":[],"name":"greenlight","version":"1.2.3"}`,
		"/v2/":                                 `{"extensions":[],"name":"greenlight","version":"1.2.3"}`,
		"/v2/health/live":                      `{"live":true}`,
		"/v2/health/ready":                     `{"ready":true}`,
		"/v2/models/digits/ready":              `{"name":"digits","ready":true}`,
		"/v2/models/digits/versions/1/ready":   `{"name":"digits","ready":true}`,
		"/v2/models/penguins/versions/1/ready": `{"name":"penguins","ready":true}`,
	} {
		if a := get(t, url+path); a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	a := get(t, url+"/v2/models/penguins/versions/1")
	var got struct {
		Name, Platform  string
		Versions        []string
		Inputs, Outputs []struct {
			Name, Datatype string
			Shape          []int
		}
		Parameters struct {
			Engine, Task, SHA256 string
			Classes              []string
			Proof                struct {
				Framework string
				Rows      int
				Deviation *float64 `json:"max_deviation"`
			}
		}
	}
	a.json(t, &got)
	if a.header.Get("Content-Type") != "application/json" {
		t.Errorf("content type %q", a.header.Get("Content-Type"))
	}
	if got.Name != "penguins" || fmt.Sprint(got.Versions) != "[1]" || got.Platform != "onnx_onnxv1" ||
		fmt.Sprint(got.Inputs[4]) != "{island BYTES [-1 1]}" || fmt.Sprint(got.Outputs) != "[{label BYTES [-1]} {probabilities FP32 [-1 3]}]" {
		t.Errorf("got %s", a.body)
	}
	p := got.Parameters
	if p.Engine != "native" || p.Task != "classification" || len(p.SHA256) != 64 || fmt.Sprint(p.Classes) != "[Adelie Chinstrap Gentoo]" ||
		!strings.HasPrefix(p.Proof.Framework, "scikit-learn") || p.Proof.Rows < 48 || p.Proof.Deviation == nil || *p.Proof.Deviation > 1e-5 {
		t.Errorf("parameters %+v", p)
	}
	for _, path := range []string{"/v2/models/x", "/v2/models/x/ready", "/v2/models/penguins/versions/7", "/v2/models/penguins/versions/7/ready"} {
		if a := get(t, url+path); a.status != 404 || !strings.HasPrefix(a.body, `{"error":`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestV2Infer(t *testing.T) {
	url := serve(t, modelserver.Options{}, load(t, "../examples/penguins")).URL + "/v2/models/penguins"
	const outputs = `"outputs":[{"name":"label","datatype":"BYTES","shape":[1],"data":["Chinstrap"]},{"name":"probabilities","datatype":"FP32","shape":[1,3],"data":[`
	head := func(id string) string { return `{"model_name":"penguins","model_version":"1",` + id }
	label := `"outputs":[{"name":"label","datatype":"BYTES","shape":[1],"data":["Chinstrap"]}]}`
	for _, c := range []struct{ name, body, want string }{
		{"plain", goodInfer, head(outputs)},
		{"an id", edit(goodInfer, "{", `{"id":"a\"7",`), head(`"id":"a\"7",` + outputs)},
		{"an empty id", edit(goodInfer, "{", `{"id":"",`), head(`"id":"",` + outputs)},
		{"parameters", edit(edit(goodInfer, "{", `{"parameters":{"priority":1,"x":[{}]},`), `"data":[43.2]`, `"parameters":{"content_type":"np"},"data":[43.2]`), head(outputs)},
		{"nested data", edit(goodInfer, "[43.2]", "[[43.2]]"), head(outputs)},
		{"data before datatype and shape", edit(goodInfer, `"datatype":"FP32","shape":[1,1],"data":[43.2]`, `"data":[43.2],"shape":[1,1],"datatype":"FP32"`), head(outputs)},
		{"one output", edit(goodInfer, "{", `{"outputs":[{"name":"label","parameters":{"binary_data":false}}],`), head(label)},
		{"outputs turned round", edit(goodInfer, "{", `{"outputs":[{"name":"probabilities"},{"name":"label"}],`), head(`"outputs":[{"name":"probabilities"`)},
		{"null is NaN", edit(goodInfer, "[43.2]", "[null]"), head(`"outputs":[{"name":"label"`)},
		{"inputs turned round", `{"inputs":[` + strings.Join([]string{
			`{"name":"sex","datatype":"BYTES","shape":[1,1],"data":["female"]}`, `{"name":"island","datatype":"BYTES","shape":[1,1],"data":["Dream"]}`,
			`{"name":"body_mass_g","datatype":"FP32","shape":[1,1],"data":[2900]}`, `{"name":"flipper_length_mm","datatype":"FP32","shape":[1,1],"data":[187]}`,
			`{"name":"bill_depth_mm","datatype":"FP32","shape":[1,1],"data":[16.6]}`, `{"name":"bill_length_mm","datatype":"FP32","shape":[1,1],"data":[43.2]}`}, ",") + `]}`, head(outputs)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/infer", "/versions/1/infer"} {
				a := post(t, url+path, c.body)
				if a.status != 200 || !strings.HasPrefix(a.body, c.want) || !json.Valid([]byte(a.body)) {
					t.Errorf("got %d %s\nwant %s", a.status, a.body, c.want)
				}
			}
		})
	}
}

func TestV2Datatypes(t *testing.T) {
	for _, c := range []struct {
		datatype   string
		elem       tensor.DType
		data, want string
		bad        map[string]string
	}{
		{"BOOL", tensor.Bool, `[true,false,1,0]`, `[true,false,true,false]`, map[string]string{`[2,0,0,0]`: "expected true or false for BOOL", `["a",0,0,0]`: "got text"}},
		{"UINT8", tensor.Uint8, `[0,255,1,2]`, ``, map[string]string{`[256,0,0,0]`: "expected a whole number that fits uint8 for UINT8, got 256", `[-1,0,0,0]`: "got -1"}},
		{"UINT16", tensor.Uint16, `[0,65535,1,2]`, ``, map[string]string{`[65536,0,0,0]`: "65536"}},
		{"UINT32", tensor.Uint32, `[0,4294967295,1,2]`, ``, map[string]string{`[4294967296,0,0,0]`: "4294967296"}},
		{"UINT64", tensor.Uint64, `[0,18446744073709551615,1,2]`, ``, map[string]string{`[18446744073709551616,0,0,0]`: "18446744073709551616"}},
		{"INT8", tensor.Int8, `[-128,127,1,2]`, ``, map[string]string{`[128,0,0,0]`: "128"}},
		{"INT16", tensor.Int16, `[-32768,32767,1,2]`, ``, map[string]string{`[32768,0,0,0]`: "32768"}},
		{"INT32", tensor.Int32, `[-2147483648,2147483647,1,2]`, ``, map[string]string{`[2147483648,0,0,0]`: "2147483648"}},
		{"INT64", tensor.Int64, `[-9223372036854775808,9223372036854775807,1,2]`, ``, map[string]string{`[9223372036854775808,0,0,0]`: "9223372036854775808", `[1.0,0,0,0]`: "got 1.0", `[null,0,0,0]`: "got null"}},
		{"FP16", tensor.Float16, `[0.5,-65504,null,6e-8]`, `[0.5,-65504,null,5.9604645e-08]`, map[string]string{`[1e5,0,0,0]`: "too large for float16"}},
		{"BF16", tensor.BFloat16, `[0.5,-2,null,3]`, ``, map[string]string{`[1e39,0,0,0]`: "too large for bfloat16"}},
		{"FP32", tensor.Float32, `[0.1,-3.4028235e38,null,1e-45]`, `[0.1,-3.4028235e+38,null,1e-45]`, map[string]string{`[1e39,0,0,0]`: "too large for float32"}},
		{"FP64", tensor.Float64, `[0.1,-1.7976931348623157e308,null,5e-324]`, `[0.1,-1.7976931348623157e+308,null,5e-324]`, map[string]string{`[1e309,0,0,0]`: "1e309"}},
		{"BYTES", tensor.String, `["a","","é\n","\u0000"]`, `["a","","é\n","\u0000"]`, map[string]string{`[1,"","",""]`: "expected text for BYTES, got a number"}},
	} {
		t.Run(c.datatype, func(t *testing.T) {
			file := onnxtest.File(17, onnxtest.Input("x", c.elem, -1, 2), onnxtest.Output("y", c.elem, -1, 2), onnxtest.Node("Identity", "x", "y", nil))
			url := serve(t, modelserver.Options{}, loadFile(t, file, native.New(native.Options{}))).URL + "/v2/models/m/infer"
			request := func(data string) string {
				return `{"inputs":[{"name":"x","shape":[2,2],"datatype":"` + c.datatype + `","data":` + data + `}]}`
			}
			want := c.want
			if want == "" {
				want = c.data
			}
			elements := strings.Split(strings.Trim(c.data, "[]"), ",")
			nested := fmt.Sprintf("[[%s,%s],[%s,%s]]", elements[0], elements[1], elements[2], elements[3])
			for _, data := range []string{c.data, nested} {
				a := post(t, url, request(data))
				w := `{"model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"` + c.datatype + `","shape":[2,2],"data":` + want + `}]}`
				if a.status != 200 || a.body != w {
					t.Errorf("%s: got %d %s\nwant %s", data, a.status, a.body, w)
				}
			}
			for data, problem := range c.bad {
				a := post(t, url, request(data))
				var e struct{ Error string }
				a.json(t, &e)
				if a.status != 400 || !strings.Contains(e.Error, problem) {
					t.Errorf("%s: got %d %s, want %s", data, a.status, e.Error, problem)
				}
			}
		})
	}
}

func TestV2ScalarsAndEmptyTensors(t *testing.T) {
	file := onnxtest.File(17, onnxtest.Input("x", tensor.Float32), onnxtest.Output("y", tensor.Float32), onnxtest.Node("Identity", "x", "y", nil))
	url := serve(t, modelserver.Options{}, loadFile(t, file, native.New(native.Options{}))).URL + "/v2/models/m/infer"
	if a := post(t, url, `{"inputs":[{"name":"x","shape":[],"datatype":"FP32","data":[7]}]}`); !strings.Contains(a.body, `"shape":[],"data":[7]`) {
		t.Errorf("a scalar: %d %s", a.status, a.body)
	}
	file = onnxtest.File(17, onnxtest.Input("x", tensor.Float32, -1, 2), onnxtest.Output("y", tensor.Float32, -1, 2), onnxtest.Node("Identity", "x", "y", nil))
	url = serve(t, modelserver.Options{}, loadFile(t, file, native.New(native.Options{}))).URL + "/v2/models/m/infer"
	if a := post(t, url, `{"inputs":[{"name":"x","shape":[0,2],"datatype":"FP32","data":[]}]}`); !strings.Contains(a.body, `"shape":[0,2],"data":[]`) {
		t.Errorf("no rows: %d %s", a.status, a.body)
	}
}

func TestV2MapsAreTextsOfJSON(t *testing.T) {
	file := onnxtest.File(17, onnxtest.Input("x", tensor.Float32, -1, 2), onnxtest.OutputOf("p", stringMaps),
		onnxtest.Node("ai.onnx.ml.ZipMap", "x", "p", onnxtest.Attrs{"classlabels_strings": []string{"a", "b\""}}))
	url := serve(t, modelserver.Options{}, loadFile(t, file, native.New(native.Options{}))).URL
	a := post(t, url+"/v2/models/m/infer", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[0.25,0.75]}]}`)
	if want := `{"name":"p","datatype":"BYTES","shape":[1],"data":["{\"a\":0.25,\"b\\\"\":0.75}"]}`; !strings.Contains(a.body, want) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := get(t, url+"/v2/models/m"); !strings.Contains(a.body, `"outputs":[{"name":"p","datatype":"BYTES","shape":[-1]}]`) {
		t.Errorf("got %s", a.body)
	}
}

func TestV2BinaryDataIsUnsupported(t *testing.T) {
	url := serve(t, modelserver.Options{}, load(t, "../examples/penguins")).URL + "/v2/models/penguins/infer"
	request, err := http.NewRequest("POST", url, strings.NewReader(goodInfer))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Inference-Header-Content-Length", "10")
	if a := do(t, request); a.status != 501 || !strings.Contains(a.body, `send \"data\" as JSON`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
