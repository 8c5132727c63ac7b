package modelserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// proofOf is a proof of the relay model with one case of three rows.
func proofOf(outputs string) string {
	return `{"format":"greenlight-proof/1","framework":"test 1","cases":[{"name":"c",
		"inputs":[{"name":"x","datatype":"FP32","shape":[3,2],"data":[1,2,3,4,5,6]}],
		"outputs":[` + outputs + `]}]}`
}

const goodOutput = `{"name":"y","datatype":"FP32","shape":[3,2],"data":[1,2,3,4,5,6]}`

// loadWithProof loads the relay model with a proof beside it.
func loadWithProof(t *testing.T, proof string) (*modelserver.Model, error) {
	t.Helper()
	dir := writeModel(t, relay([]int{-1, 2}, []int{-1, 2}))
	if err := os.WriteFile(filepath.Join(dir, "proof.json"), []byte(proof), 0o600); err != nil {
		t.Fatal(err)
	}
	return tryLoad("m="+dir, native.New(native.Options{}))
}

func TestProofThatHolds(t *testing.T) {
	for _, c := range []struct {
		outputs       string
		deviation     float64
		values, exact int
	}{
		{goodOutput, 0, 6, 0},
		{edit(goodOutput, "6]", "6.0005]"), 0.0005, 6, 0}, // within 1e-5 + 1e-4×6
		{edit(goodOutput, `6]`, `7],"tolerance":{"absolute":1.5,"relative":0}`), 1, 6, 0},
		{edit(goodOutput, `FP32`, `INT64`), 0, 0, 6},
		{edit(goodOutput, `FP32`, `FP64`) + "," + edit(goodOutput, `FP32`, `FP64`), 0, 12, 0},
	} {
		m, err := loadWithProof(t, proofOf(c.outputs))
		if err != nil {
			t.Errorf("%s: %v", c.outputs, err)
			continue
		}
		p := m.Proof
		if math.Abs(p.Deviation-c.deviation) > 1e-6 || p.Values != c.values || p.Exact != c.exact || p.Rows != 3 || p.Cases != 1 || p.Framework != "test 1" {
			t.Errorf("%s: got %+v", c.outputs, p)
		}
		if want := `{"rows":[{"x":[1,2]}]}`; string(m.SampleRequest()) != want {
			t.Errorf("sample request %s, want the proof's first row", m.SampleRequest())
		}
	}
}

func TestProofThatDoesNotHold(t *testing.T) {
	for _, c := range []struct {
		proof string
		code  greenlight.Code
		want  string
	}{
		{proofOf(edit(goodOutput, "6]", "6.5]")), "refused",
			`proof.json: proof case "c", output "y", row 2: got [5 6], the framework gave [5 6.5], a deviation of 0.5 beyond 1e-05 + 0.0001×|value|`},
		{proofOf(edit(goodOutput, "[1,2,3,4,", "[1,2.1,3,9,")), "refused", `row 1: got [3 4], the framework gave [3 9], a deviation of 5 beyond 1e-05 + 0.0001×|value|; the worst of 2 such values`},
		{proofOf(edit(goodOutput, "6]", "null]")), "refused", `got [5 6], the framework gave [5 null], a deviation of +Inf`},
		{proofOf(edit(goodOutput, `6]`, `6.1],"tolerance":{"absolute":0.01,"relative":0.01}`)), "refused", `a deviation of 0.1 beyond 0.01 + 0.01×|value|`},
		{proofOf(edit(edit(goodOutput, `6]`, `7]`), `FP32`, `INT64`)), "refused", `row 2: got [5 6], the framework gave [5 7]`},
		{proofOf(edit(goodOutput, `"shape":[3,2]`, `"shape":[2,3]`)), "refused", `output "y" has shape [3,2], the framework's [2,3]`},
		{proofOf(edit(goodOutput, `"y"`, `"z"`)), "invalid", `proof case "c": the model has no output "z"; its outputs are "y"`},
		{edit(proofOf(goodOutput), `"x"`, `"w"`), "invalid", `the model has no input "w"; its inputs are "x"`},
		{edit(proofOf(goodOutput), `FP32`, `FP64`), "invalid", `input "x" is float64[3,2], want float32[?,2]`},
		{edit(proofOf(goodOutput), `"framework"`, `"model_sha256":"0123456789abcdef","framework"`), "refused", `the proof belongs to another model file (sha256 0123456789ab…, this one is `},
		{edit(proofOf(goodOutput), `proof/1`, `proof/2`), "invalid", `proof.json: format is "greenlight-proof/2", want "greenlight-proof/1"`},
		{`{}`, "invalid", `format is "", want`},
		{`{"format":"greenlight-proof/1"}`, "invalid", `it has no cases, so it proves nothing`},
		{proofOf(``), "invalid", `cases[0]: it has no outputs, so it proves nothing`},
		{edit(proofOf(goodOutput), `"name":"c"`, `"nome":"c"`), "invalid", `cases[0]: unknown field "nome"; want name, inputs, outputs`},
		{edit(proofOf(goodOutput), `"data":[1,2,3,4,5,6]}]`, `"data":[1,2,3,4,5]}]`), "invalid", `cases[0]: inputs[0]: tensor "x": shape [3,2] wants 6 elements, data has 5`},
		{proofOf(edit(goodOutput, `6]`, `6],"tolerance":{"absolute":-1}`)), "invalid", `cases[0]: outputs[0]: tensor "y": absolute tolerance -1 is negative`},
		{proofOf(goodOutput) + "x", "invalid", `expected the end of the text, got 'x'`},
		{strings.Repeat(`[`, 1<<16), "invalid", `less deeply nested`},
		{``, "invalid", `the end of the text`},
	} {
		_, err := loadWithProof(t, c.proof)
		if err == nil || !strings.Contains(err.Error(), c.want) || greenlight.CodeOf(err) != c.code {
			t.Errorf("got %v (%s)\nwant %s (%s)", err, greenlight.CodeOf(err), c.want, c.code)
		}
	}
}

func TestLongRowsAreShownInPart(t *testing.T) {
	numbers := strings.TrimSuffix(strings.Repeat("1,", 100), ",")
	proof := `{"format":"greenlight-proof/1","cases":[{"inputs":[{"name":"x","datatype":"FP32","shape":[1,100],"data":[` + numbers + `]}],
		"outputs":[{"name":"y","datatype":"FP32","shape":[1,100],"data":[9` + numbers[1:] + `]}]}]}`
	dir := writeModel(t, relay([]int{-1, 100}, []int{-1, 100}))
	if err := os.WriteFile(filepath.Join(dir, "proof.json"), []byte(proof), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := tryLoad(dir+"/model.onnx", native.New(native.Options{}))
	if err == nil || !strings.Contains(err.Error(), "the framework gave [9 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 …]") {
		t.Errorf("got %v", err)
	}
}

func TestReplayByHandGivesTheResultEvenWhenRefused(t *testing.T) {
	proof, err := modelserver.ParseProof([]byte(proofOf(edit(goodOutput, "6]", "null]"))))
	if err != nil {
		t.Fatal(err)
	}
	m := loadFile(t, relay([]int{-1, 2}, []int{-1, 2}), native.New(native.Options{}))
	r, err := proof.Replay(context.Background(), m.File, m.Session())
	if greenlight.CodeOf(err) != greenlight.CodeRefused || r == nil || !math.IsInf(r.Deviation, 1) || r.Output != "y" {
		t.Fatalf("got %+v, %v", r, err)
	}
	text, err := json.Marshal(r)
	if want := `{"framework":"test 1","cases":1,"rows":3,"values":6,"exact":0,"max_deviation":null,"worst_output":"y"}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestProofsOfModelsWithOtherOutputs(t *testing.T) {
	file := onnxtest.File(17, onnxtest.Input("x", tensor.Float32, -1, 2), onnxtest.OutputOf("y", stringMaps),
		onnxtest.Node("ai.onnx.ml.ZipMap", "x", "y", onnxtest.Attrs{"classlabels_strings": []string{"a", "b"}}))
	m := loadFile(t, file, native.New(native.Options{}))
	proof, err := modelserver.ParseProof([]byte(proofOf(goodOutput)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proof.Replay(context.Background(), m.File, m.Session()); err == nil || !strings.Contains(err.Error(), "proofs compare tensors") {
		t.Errorf("got %v", err)
	}
}

func TestReadProof(t *testing.T) {
	dir := t.TempDir()
	if _, err := modelserver.ReadProof(os.DirFS(dir), "proof.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	f, err := os.Create(filepath.Join(dir, "proof.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(modelserver.MaxProofBytes+1), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := modelserver.ReadProof(os.DirFS(dir), "proof.json"); err == nil || !strings.Contains(err.Error(), "a proof has at most") {
		t.Errorf("got %v", err)
	}
	p, err := modelserver.ReadProof(os.DirFS("../examples/penguins"), "proof.json")
	if err != nil || len(p.Cases) == 0 || len(p.ModelSHA256) != 64 || p.Created == "" {
		t.Errorf("got %+v, %v", p, err)
	}
}
