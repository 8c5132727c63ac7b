package modelserver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/modelserver/scan"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestParseSource(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]modelserver.Source{
		"a/b.onnx":           {Name: "b", Path: "a/b.onnx"},
		"models/penguins":    {Name: "penguins", Path: "models/penguins"},
		"penguins/":          {Name: "penguins", Path: "penguins/"},
		"peng/model.onnx":    {Name: "peng", Path: "peng/model.onnx"},
		"x=peng/model.onnx":  {Name: "x", Path: "peng/model.onnx"},
		".":                  {Name: filepath.Base(here), Path: "."},
		"./a=b/c.onnx":       {Name: "c", Path: "./a=b/c.onnx"},
		"v1.2_x-y=/tmp/a b/": {Name: "v1.2_x-y", Path: "/tmp/a b/"},
	} {
		if got, err := modelserver.ParseSource(arg); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", arg, got, err)
		}
	}
	for arg, want := range map[string]string{
		"":                      `"" names no model`,
		"x=":                    `"x=" names no model`,
		"a b.onnx":              `"a b" cannot be a model's name`,
		"/":                     `cannot be a model's name`,
		".hidden.onnx":          `write NAME=.hidden.onnx`,
		"größe.onnx":            `"größe" cannot be`,
		strings.Repeat("a", 64): `at most 63`,
	} {
		if _, err := modelserver.ParseSource(arg); err == nil || !strings.Contains(err.Error(), want) || greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%q: got %v", arg, err)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	empty := t.TempDir()
	garbage := writeModel(t, []byte("not a model"))
	unknown := writeModel(t, onnxtest.File(17, onnxtest.Input("x", tensor.Float32, -1, 1), onnxtest.Output("y", tensor.Float32, -1, 1),
		onnxtest.Node("Frobnicate", "x", "y", nil)))
	for _, c := range []struct {
		path string
		code greenlight.Code
		want string
	}{
		{filepath.Join(empty, "none"), "not_found", "no file or folder " + filepath.Join(empty, "none")},
		{empty, "not_found", "holds no model.onnx"},
		{garbage, "invalid", "model.onnx"},
		{unknown, "unsupported", "Frobnicate"},
	} {
		_, err := tryLoad("m="+c.path, native.New(native.Options{}))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "model m ("+c.path+"): ") || greenlight.CodeOf(err) != c.code {
			t.Errorf("got %v (%s), want %s", err, greenlight.CodeOf(err), c.want)
		}
	}
	_, err := modelserver.Load(context.Background(), modelserver.Source{Name: "m", Path: "../examples/penguins"}, modelserver.LoadOptions{})
	if err == nil || !strings.Contains(err.Error(), "no engine") {
		t.Errorf("without engines: %v", err)
	}
}

// refusing is an engine that serves no model.
type refusing struct{}

func (refusing) Name() string { return "refusing" }
func (refusing) Load(context.Context, *onnx.Model) (engine.Session, error) {
	return nil, greenlight.Errorf(greenlight.CodeUnsupported, "node n: operator Identity")
}

func TestTheFirstEngineThatCanServesTheModel(t *testing.T) {
	src := modelserver.Source{Name: "m", Path: writeModel(t, relay([]int{-1, 1}, []int{-1, 1}))}
	m, err := modelserver.Load(context.Background(), src, modelserver.LoadOptions{Engines: []engine.Engine{refusing{}, native.New(native.Options{})}})
	if err != nil || m.Engine != "native" {
		t.Errorf("got %v", err)
	}
	_, err = modelserver.Load(context.Background(), src, modelserver.LoadOptions{Engines: []engine.Engine{refusing{}, refusing{}}})
	if err == nil || strings.Count(err.Error(), "engine refusing: node n: operator Identity") != 2 || greenlight.CodeOf(err) != greenlight.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}

func TestProofsLieBesideTheirModels(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.onnx": string(relay([]int{-1, 2}, []int{-1, 2})), "b.onnx": string(relay([]int{-1, 2}, []int{-1, 2})),
		"a.proof.json": proofOf(goodOutput),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := load(t, filepath.Join(dir, "a.onnx")), load(t, filepath.Join(dir, "b.onnx"))
	if a.Proof == nil || a.Proof.Rows != 3 || b.Proof != nil || b.ProofPath != filepath.Join(dir, "b.proof.json") {
		t.Errorf("got %+v, %+v, %s", a.Proof, b.Proof, b.ProofPath)
	}
}

func TestWarmUpThatTheModelRefuses(t *testing.T) {
	refuses := fakeEngine(func(context.Context, []tensor.Value, []tensor.Value) error { return fmt.Errorf("unknown category 0") })
	m := loadFile(t, relay([]int{-1, 1}, []int{-1, 1}), refuses)
	if m.WarmUpErr == nil || !strings.Contains(m.WarmUpErr.Error(), "unknown category 0") {
		t.Errorf("got %v", m.WarmUpErr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := fakeEngine(func(ctx context.Context, _, _ []tensor.Value) error { cancel(); return ctx.Err() })
	src := modelserver.Source{Name: "m", Path: writeModel(t, relay([]int{-1, 1}, []int{-1, 1}))}
	if _, err := modelserver.Load(ctx, src, modelserver.LoadOptions{Engines: []engine.Engine{stopped}}); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
}

// fields are a row of penguins as CSV has it.
func fields(values ...string) []string { return values }

func TestTextFields(t *testing.T) {
	m := load(t, "../examples/penguins")
	b := modelserver.NewBatch(m.Schema)
	add := func(values []string) error {
		if err := b.BeginRow(); err != nil {
			return err
		}
		for i, v := range values {
			if err := b.SetText(i, v); err != nil {
				b.DropRow()
				return err
			}
		}
		if err := b.EndRow(); err != nil {
			b.DropRow()
			return err
		}
		return nil
	}
	for _, c := range []struct {
		row  []string
		want string
	}{
		{fields("x", "16.6", "187", "2900", "Dream", "female"), `row 0, column "bill_length_mm": expected a number, got "x"`},
		{fields("43.2", "16.6", "187", "2900", "Dream"), `row 0, column "sex": is missing; expected text`},
		{fields("43.2", "16.6", "187", "2900", "Dream", "female"), ``},
		{fields("43.2", "16.6", "187", "1e39", "Dream", "female"), `row 1, column "body_mass_g": expected a number, got "1e39"`},
		{fields(" 43.2 ", "NA", "", "nan", "Dream", ""), ``},
		{fields("43.2", "16,6", "187", "1", "Dream", "female"), `row 2, column "bill_depth_mm": expected a number, got "16,6"`},
		{fields("40.2", "20.1", "200", "", "Dream", ""), ``},
	} {
		err := add(c.row)
		if got := fmt.Sprint(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("%v: got %v", c.row, err)
		}
	}
	if b.Rows() != 3 {
		t.Fatalf("%d rows", b.Rows())
	}
	a, err := m.Predict(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for row := range a.Rows() {
		labels = append(labels, a.AppendFields(nil, row)[0])
	}
	if labels[0] != "Chinstrap" || labels[2] != "Adelie" {
		t.Errorf("labels %v", labels)
	}
	bad := &modelserver.RowError{Row: 5, Column: "sex", Expected: "text", Got: "a number"}
	if bad.Reason() != `column "sex": expected text, got a number` {
		t.Errorf("reason %s", bad.Reason())
	}
}

func TestTextFieldsOfEveryType(t *testing.T) {
	for _, c := range []struct {
		elem      tensor.DType
		good, bad string // separated by |
		want      string
	}{
		{tensor.Float32, " 1.5|-3e2|NA|inf", "x|1e39|1,5", "1.5|-300||"},
		{tensor.Float16, "1.5|nan", "1e6", "1.5|"},
		{tensor.Float64, "0.1|null", "1e999", "0.1|"},
		{tensor.Bool, "true|False|1|0", "|yes|2", "true|false|true|false"},
		{tensor.Int64, "-7|9223372036854775807", "|1.0|9223372036854775808|NA", "-7|9223372036854775807"},
		{tensor.Int16, "-32768", "32768", "-32768"},
		{tensor.Uint64, "18446744073709551615", "-1|", "18446744073709551615"},
		{tensor.String, "a b|| NA", "", "a b|| NA"},
	} {
		file := onnxtest.File(17, onnxtest.Input("x", c.elem, -1, 1), onnxtest.Output("y", c.elem, -1, 1),
			onnxtest.Node("Identity", "x", "y", nil), task("other"))
		m := loadFile(t, file, native.New(native.Options{}))
		b := modelserver.NewBatch(m.Schema)
		for _, text := range strings.Split(c.good, "|") {
			if err := errors.Join(b.BeginRow(), b.SetText(0, text), b.EndRow()); err != nil {
				t.Errorf("%v: %q: %v", c.elem, text, err)
			}
		}
		for _, text := range strings.Split(c.bad, "|") {
			if c.bad == "" {
				break
			}
			var row *modelserver.RowError
			if err := errors.Join(b.BeginRow(), b.SetText(0, text)); !errors.As(err, &row) || row.Got != strconv.Quote(text) {
				t.Errorf("%v: %q: %v", c.elem, text, err)
			}
			b.DropRow()
		}
		a, err := m.Predict(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for row := range a.Rows() {
			got = a.AppendFields(got, row)
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%v: got %q, want %s", c.elem, got, c.want)
		}
	}
}

func TestColumnsSetTwiceOrOfArrays(t *testing.T) {
	m := load(t, "../examples/penguins")
	b := modelserver.NewBatch(m.Schema)
	if err := errors.Join(b.BeginRow(), b.SetText(1, "2"), b.SetText(1, "3")); err == nil || err.Error() != `row 0, column "bill_depth_mm": is given twice` {
		t.Errorf("got %v", err)
	}
	b = modelserver.NewBatch(load(t, "../examples/digits").Schema)
	want := `row 0, column "image": expected an array of shape [1,8,8] holding a number for each element, got one value`
	if err := errors.Join(b.BeginRow(), b.SetText(0, "2")); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestRowsFromAScanner(t *testing.T) {
	b := modelserver.NewBatch(load(t, "../examples/penguins").Schema)
	var s scan.Scanner
	s.Reset([]byte(`[43.2,16.6,187,2900,"Dream","female"] [1]`))
	if err := b.ReadRow(&s); err != nil || b.Rows() != 1 {
		t.Errorf("%d rows, %v", b.Rows(), err)
	}
	if err := b.ReadRow(&s); err == nil || err.Error() != "row 1: expected 6 values, one for each column, got 1" {
		t.Errorf("got %v", err)
	}
	b.DropRow()
	if b.Rows() != 1 || b.Inputs()[0].(*tensor.Tensor).Dim(0) != 1 {
		t.Errorf("after the row was dropped: %d rows, %v", b.Rows(), b.Inputs()[0].Type())
	}
}

func TestRowsHaveALimit(t *testing.T) {
	m := loadFile(t, relay([]int{-1, 1}, []int{-1, 1}), native.New(native.Options{}))
	b := modelserver.NewBatch(m.Schema)
	rows := "[" + strings.Repeat("[1],", modelserver.MaxRows-1) + "[1]"
	if err := b.ReadJSON([]byte(rows + "]")); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	b.Reset()
	if err := b.ReadJSON([]byte(rows + ",[1]]")); err == nil || err.Error() != "rows: expected at most 1048576 rows, got more" {
		t.Errorf("beyond it: %v", err)
	}
}

func TestLinesThatFailLeaveTheBatchAsItWas(t *testing.T) {
	m := loadFile(t, relay([]int{-1, -1}, []int{-1, -1}, task("other")), native.New(native.Options{}))
	b := modelserver.NewBatch(m.Schema)
	for _, line := range []string{`[1,"x"]`, `[1,2,3] 4`, `{"x":[1,2,3,4],"y":1}`, `[1,2`, ``} {
		if err := b.ReadLine([]byte(line)); err == nil {
			t.Errorf("%s: no error", line)
		}
	}
	for _, line := range []string{`[1,2]`, `[1,2,3]`, `{"x":[3,4]}`, `[5,[6]]`, "null"} {
		if err := b.ReadLine([]byte(line)); (err == nil) != (len(line) == 5 || len(line) == 11) {
			t.Errorf("%s: %v", line, err)
		}
	}
	a, err := m.Predict(context.Background(), b)
	if err != nil || a.Rows() != 2 {
		t.Fatal(a.Rows(), err)
	}
	if got := string(a.AppendJSON(a.AppendJSON(nil, 0), 1)); got != `{"y":[1,2]}{"y":[3,4]}` {
		t.Errorf("got %s", got)
	}
}

// The engine is a fake here since the race detector makes a real one's pools
// allocate; BenchmarkPredict shows the whole.
func TestABatchIsReusedWithoutAllocating(t *testing.T) {
	file := onnxtest.File(17, onnxtest.Input("a", tensor.Float32, -1, 1), onnxtest.Input("b", tensor.String, -1, 1), onnxtest.Input("c", tensor.Float32, -1, -1),
		onnxtest.Output("label", tensor.Int64, -1), onnxtest.Output("p", tensor.Float32, -1, 2), classes(`["no","yes"]`),
		onnxtest.Node("Fake", "a b c", "label p", nil))
	m := loadFile(t, file, fakeEngine(func(_ context.Context, in, out []tensor.Value) error {
		if out[0] == nil {
			out[0], out[1] = &tensor.Tensor{}, &tensor.Tensor{}
		}
		rows := in[0].(*tensor.Tensor).Dim(0)
		for i, width := range []int{1, 2} {
			out[i].(*tensor.Tensor).Reset([]tensor.DType{tensor.Int64, tensor.Float32}[i], []int{rows, width}[:i+1]...)
			out[i].(*tensor.Tensor).Zero()
		}
		return nil
	}))
	b := modelserver.NewBatch(m.Schema)
	var dst []byte
	request := []byte(`{"rows":[{"a":39.1,"b":"caf\u00e9","c":[1,2,null]},[null,"x",[3,4e2,5]]]}`)
	run := func() {
		b.Reset()
		if err := b.ReadJSON(request); err != nil {
			t.Fatal(err)
		}
		a, err := m.Predict(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		dst = a.AppendJSON(a.AppendJSON(dst[:0], 0), 1)
	}
	run()
	if want := `{"label":"no","probabilities":{"no":0,"yes":0}}`; string(dst) != want+want {
		t.Errorf("got %s", dst)
	}
	if n := testing.AllocsPerRun(100, run); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}
