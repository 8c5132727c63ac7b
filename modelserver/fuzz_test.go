package modelserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/modelserver/scan"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// The models whose rows are fuzzed: one of every kind of column, and one
// whose row is a single nested value.
var (
	mixedModel = onnxtest.Model(17, onnxtest.Input("f", tensor.Float32, -1, 1), onnxtest.Input("t", tensor.String, -1, 1),
		onnxtest.Input("i", tensor.Int64, -1), onnxtest.Input("b", tensor.Bool, -1, 1), onnxtest.Input("n", tensor.Float32, -1, -1, 2),
		onnxtest.Output("y", tensor.Float32, -1, 1), onnxtest.Node("Identity", "f", "y", nil))
	nestedModel = onnxtest.Model(17, onnxtest.Input("n", tensor.Float32, -1, -1, 2),
		onnxtest.Output("y", tensor.Float32, -1, -1, 2), onnxtest.Node("Identity", "n", "y", nil))
)

// member is one member of a JSON object; encoding/json forgets their order
// and which are given twice.
type member struct {
	key   string
	value any
}

// document reads a JSON text as nested []member, []any, json.Number, string,
// bool and nil, with encoding/json.
func document(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return value(d)
}

func value(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		object := []member{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := value(d)
			if err != nil {
				return nil, err
			}
			object = append(object, member{key.(string), v})
		}
		_, err = d.Token()
		return object, err
	}
	return token, nil
}

// reference is a simple reader of requests, for comparison: what each column
// gets, row after row, and the length of the nested values.
type reference struct {
	columns []modelserver.Column
	values  map[string][]any
	rows    int
	length  int // -1 until the first row
}

var errReject = errors.New("rejected")

func (r *reference) read(text []byte) error {
	doc, err := document(text)
	if err != nil {
		return err
	}
	if object, ok := doc.([]member); ok {
		if len(object) != 1 || object[0].key != "rows" {
			return errReject
		}
		doc = object[0].value
	}
	rows, ok := doc.([]any)
	if !ok {
		return errReject
	}
	for _, row := range rows {
		if err := r.row(row); err != nil {
			return err
		}
		r.rows++
	}
	return nil
}

func (r *reference) row(row any) error {
	given := map[string]any{}
	switch row := row.(type) {
	case []member:
		for _, m := range row {
			if _, twice := given[m.key]; twice {
				return errReject
			}
			given[m.key] = m.value
		}
	case []any:
		if len(r.columns) == 1 {
			given[r.columns[0].Name] = row
			break
		}
		if len(row) != len(r.columns) {
			return errReject
		}
		for i, c := range r.columns {
			given[c.Name] = row[i]
		}
	default:
		return errReject
	}
	if len(given) != len(r.columns) {
		return errReject
	}
	for _, c := range r.columns {
		v, ok := given[c.Name]
		if !ok {
			return errReject
		}
		if err := r.column(c, v); err != nil {
			return err
		}
	}
	return nil
}

func (r *reference) column(c modelserver.Column, v any) error {
	if c.Dims == nil {
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		return r.put(c, v)
	}
	outer, ok := v.([]any)
	if !ok || r.length >= 0 && len(outer) != r.length {
		return errReject
	}
	r.length = len(outer)
	for _, v := range outer {
		pair, ok := v.([]any)
		if !ok || len(pair) != 2 {
			return errReject
		}
		if err := errors.Join(r.put(c, pair[0]), r.put(c, pair[1])); err != nil {
			return err
		}
	}
	return nil
}

func (r *reference) put(c modelserver.Column, v any) error {
	number, isNumber := v.(json.Number)
	var element any
	var err error
	switch c.Elem {
	case tensor.Float32:
		f := math.NaN()
		if isNumber {
			f, err = strconv.ParseFloat(number.String(), 64)
		} else if v != nil {
			err = errReject
		}
		if math.IsInf(float64(float32(f)), 0) {
			err = errReject
		}
		element = float32(f)
	case tensor.Int64:
		element, err = strconv.ParseInt(number.String(), 10, 64)
	case tensor.Bool:
		element = v == true || v == json.Number("1")
		if _, ok := v.(bool); !ok && v != json.Number("0") && v != json.Number("1") {
			err = errReject
		}
	case tensor.String:
		text, ok := v.(string)
		if !ok && v != nil {
			err = errReject
		}
		element = text
	}
	r.values[c.Name] = append(r.values[c.Name], element)
	return err
}

// elements are a tensor's elements one by one.
func elements(t *tensor.Tensor) []any {
	var list []any
	for i := range t.Len() {
		switch t.DType() {
		case tensor.Float32:
			list = append(list, tensor.Data[float32](t)[i])
		case tensor.Int64:
			list = append(list, tensor.Data[int64](t)[i])
		case tensor.Bool:
			list = append(list, tensor.Data[bool](t)[i])
		case tensor.String:
			list = append(list, t.Strings()[i])
		}
	}
	return list
}

func same(a, b any) bool {
	f, ok := a.(float32)
	g, also := b.(float32)
	if ok && also {
		return f == g || f != f && g != g
	}
	return a == b
}

// FuzzReadJSON holds the reader of prediction requests to one that is built
// on encoding/json: the same texts are accepted, and rows become the same
// tensors.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{
		`{"rows":[{"f":1.5,"t":"a","i":3,"b":true,"n":[[1,2],[3,4]]}]}`,
		`[{"n":[[1,2]],"b":0,"i":-3,"t":null,"f":null},[1e3,"\u00e9",4,1,[[5,null]]]]`,
		`[[1,"a",2,false,[]],[[2],["b"],[3],[true],[]]]`, `[[[1,2],[3,4]],[[5,6],[7,8]]]`, `[{"n":[]}]`, `[]`, `{"rows":[]}`,
		`[{"f":1,"f":1,"t":"","i":0,"b":1,"n":[]}]`, `[[1,"a",1.0,true,[]]]`, `[[1e39,"a",1,true,[]]]`, `[[1e999,"a",1,true,[]]]`,
		`{"rows":1}`, `{"rows":[],"x":1}`, `[[1,"a",2,false,[[1,2],[3]]]]`, `[[0.1,"` + "\xff" + `",9223372036854775808,true,[]]]`,
		`[[16777217,"a",-0,true,[[1,[2]]]]]`, `{"rows":[{"f"`, `[[1,"a",2,2,[]]]`, `[[[[]]]]`, `[1]`, `null`, strings.Repeat("[", 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, m := range []struct {
			name  string
			model *modelserver.Schema
		}{{"mixed", schemaOf(t, 0)}, {"nested", schemaOf(t, 1)}} {
			b := modelserver.NewBatch(m.model)
			err := b.ReadJSON(text)
			checkErrorKind(t, text, err)
			r := &reference{columns: m.model.Columns, values: map[string][]any{}, length: -1}
			want := r.read(text)
			if !json.Valid(text) {
				want = errReject
			}
			if (err == nil) != (want == nil) {
				t.Fatalf("%s: got %v, the reference %v", m.name, err, want)
			}
			if err != nil {
				continue
			}
			if b.Rows() != r.rows {
				t.Fatalf("%s: %d rows, the reference %d", m.name, b.Rows(), r.rows)
			}
			for i, in := range b.Inputs() {
				got := elements(in.(*tensor.Tensor))
				if want := r.values[m.model.Columns[i].Name]; r.rows > 0 && !slices.EqualFunc(got, want, same) {
					t.Fatalf("%s: column %s is %v, the reference %v", m.name, m.model.Columns[i].Name, got, want)
				}
			}
		}
	})
}

func schemaOf(t testing.TB, which int) *modelserver.Schema {
	m := mixedModel
	if which == 1 {
		m = nestedModel
	}
	s, err := modelserver.NewSchema(m, m.Graph.Inputs, m.Graph.Outputs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkErrorKind: a text that is not JSON is a syntax error, any other a
// RowError.
func checkErrorKind(t *testing.T, text []byte, err error) {
	var syntax *scan.SyntaxError
	var row *modelserver.RowError
	switch {
	case err == nil:
	case errors.As(err, &syntax):
		if json.Valid(text) && !strings.Contains(err.Error(), "nested") {
			t.Fatalf("valid JSON is a syntax error: %v", err)
		}
	case !errors.As(err, &row) || !json.Valid(text):
		t.Fatalf("%v is not the error for it", err)
	}
	if err != nil && len(err.Error()) > 1000 {
		t.Fatalf("the error has %d bytes", len(err.Error()))
	}
}

// FuzzInfer sends requests of the Open Inference Protocol to a model that
// gives back its inputs: an answer is 400, or echoes data that encoding/json
// reads the same from the request.
func FuzzInfer(f *testing.F) {
	for _, seed := range []string{
		`{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3,4]}]}`,
		`{"id":"","parameters":{"a":1},"inputs":[{"data":[[1,null]],"name":"x","datatype":"FP32","shape":[1,2],"parameters":{}}],"outputs":[{"name":"x"}]}`,
		`{"inputs":[{"name":"x","shape":[140737488355328,0],"datatype":"FP32","data":[]}]}`,
		`{"inputs":[{"name":"x","shape":[99999999,99999999],"datatype":"FP64","data":[1]}]}`,
		`{"inputs":[{"name":"x","shape":[1,2],"datatype":"BYTES","data":["a"]}]}`, `{"inputs":[]}`, `{"outputs":[{}]}`,
		`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1e39,[[[2]]]]}]}`, `[]`, `{"inputs":[{"name":`,
		`{"id":"\ud83d","inputs":[{"name":"x","shape":[-1,2],"datatype":"UINT64","data":[18446744073709551616]}]}`,
	} {
		f.Add([]byte(seed))
	}
	m := loadFile(f, relay([]int{-1, 2}, []int{-1, 2}), fakeEngine(func(_ context.Context, in, out []tensor.Value) error {
		out[0] = in[0].CloneValue()
		return nil
	}))
	s, err := modelserver.NewServer([]*modelserver.Model{m}, modelserver.Options{})
	if err != nil {
		f.Fatal(err)
	}
	handler := s.Handler()
	f.Fuzz(func(t *testing.T, text []byte) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", "/v2/models/m/infer", bytes.NewReader(text)))
		var got struct {
			Error   string
			ID      *string
			Outputs []struct{ Data []*float32 }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		if w.Code == 400 && got.Error != "" && len(got.Error) < 1000 {
			return
		}
		if w.Code != 200 || !json.Valid(text) {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		var request struct {
			ID     *string
			Inputs []struct{ Data any }
		}
		if err := json.Unmarshal(text, &request); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(request.ID != nil) != fmt.Sprint(got.ID != nil) || request.ID != nil && *request.ID != *got.ID {
			t.Fatalf("id %v, want %v", got.ID, request.ID)
		}
		if want := flatten(nil, request.Inputs[0].Data); !slices.EqualFunc(got.Outputs[0].Data, want, samePointed) {
			t.Fatalf("got %v, want %v", w.Body, want)
		}
	})
}

func flatten(dst []*float32, v any) []*float32 {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			dst = flatten(dst, item)
		}
		return dst
	case float64:
		f := float32(v)
		return append(dst, &f)
	}
	return append(dst, nil)
}

func samePointed(a, b *float32) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// FuzzParseProof reads proofs and replays those that are well-formed.
func FuzzParseProof(f *testing.F) {
	for _, seed := range []string{
		proofOf(goodOutput), proofOf(edit(goodOutput, "6]", `6],"tolerance":{"absolute":1e-3,"relative":0}`)), proofOf(edit(goodOutput, "6]", "null]")),
		proofOf(edit(edit(goodOutput, "FP32", "BYTES"), "[1,2,3,4,5,6]", `["a","b","c","d","e","f"]`)), proofOf(edit(goodOutput, "[3,2]", "[6]")),
		`{"format":"greenlight-proof/1","cases":[{"outputs":[{"name":"y","shape":[0,4294967296],"datatype":"FP16","data":[]}]}]}`,
		`{"format":"greenlight-proof/1","model_sha256":"x","created":"2026","cases":[]}`, `{}`, `[]`, ``,
		`{"format":"greenlight-proof/1","cases":[{"inputs":[{"name":"x","shape":[0,2],"datatype":"FP32","data":[]}],"outputs":[{"name":"y","shape":[0,2],"datatype":"FP32","data":[]}]}]}`,
	} {
		f.Add([]byte(seed))
	}
	m := loadFile(f, relay([]int{-1, 2}, []int{-1, 2}), fakeEngine(func(_ context.Context, in, out []tensor.Value) error {
		out[0] = in[0].CloneValue()
		return nil
	}))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := modelserver.ParseProof(text)
		if err == nil {
			_, err = p.Replay(context.Background(), m.File, m.Session())
			if !json.Valid(text) || len(p.Cases) == 0 {
				t.Fatalf("accepted: %+v", p)
			}
		}
		if code := greenlight.CodeOf(err); err != nil && code != greenlight.CodeInvalid && code != greenlight.CodeRefused {
			t.Fatalf("%v has code %s", err, code)
		}
	})
}
