package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// contest is one model run by both engines on the same rows.
type contest struct {
	what   string
	model  *onnx.Model
	rows   *tensor.Tensor // real ones, held out in training; [rows, …]
	batch  int
	target float64
}

// contests reads the models; work is a folder for those that are made here.
func contests(examples, work string) ([]contest, error) {
	list := []struct {
		what, model, cases string
		batch              int
		target             float64
	}{
		{"100-tree forest, 1 row", "bench/models/forest.onnx", "bench/models/forest.json", 1, 3},
		{"100-tree forest, 64 rows", "bench/models/forest.onnx", "bench/models/forest.json", 64, 2},
		{"scaler and logistic regression, 1 row", "bench/models/logistic.onnx", "bench/models/logistic.json", 1, 5},
		{"PyTorch MLP 64-128-10, 1 row", "bench/models/mlp.onnx", "bench/models/mlp.json", 1, 1},
		{"digits CNN, 1 image", "digits/model.onnx", "digits/proof.json", 1, 0.5},
	}
	var all []contest
	for _, l := range list {
		m, err := openModel(filepath.Join(examples, l.model))
		if err != nil {
			return nil, err
		}
		rows, err := readRows(filepath.Join(examples, l.cases))
		if err != nil {
			return nil, err
		}
		all = append(all, contest{l.what, m, rows, l.batch, l.target})
	}
	made, err := madeContests(work)
	return append(all, made...), err
}

// madeContests are a product of square matrices, and the smallest model there
// is: what any call costs.
func madeContests(work string) ([]contest, error) {
	const n = 512
	weights := ramp(n, n)
	product, err := makeModel(filepath.Join(work, "sgemm.onnx"),
		onnxtest.Input("x", tensor.Float32, n, n),
		onnxtest.Init("w", weights),
		onnxtest.Node("MatMul", "x w", "y", nil),
		onnxtest.Output("y", tensor.Float32, n, n))
	if err != nil {
		return nil, err
	}
	least, err := makeModel(filepath.Join(work, "identity.onnx"),
		onnxtest.Input("x", tensor.Float32, 1),
		onnxtest.Node("Identity", "x", "y", nil),
		onnxtest.Output("y", tensor.Float32, 1))
	return []contest{
		{"SGEMM 512×512×512, constant weights", product, ramp(n, n), n, 0.6},
		{"(Identity of one number: the cost of a call)", least, ramp(1), 1, 0},
	}, err
}

// ramp fills a tensor with numbers between -1 and 1 that do not repeat soon.
func ramp(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Len() {
		tensor.Data[float32](t)[i] = float32(i*7919%2003)/1001 - 1
	}
	return t
}

func makeModel(path string, parts ...onnxtest.Part) (*onnx.Model, error) {
	if err := os.WriteFile(path, onnxtest.File(17, parts...), 0o600); err != nil {
		return nil, err
	}
	return openModel(path)
}

func openModel(path string) (*onnx.Model, error) {
	m, err := onnx.Open(os.DirFS(filepath.Dir(path)), filepath.Base(path), onnx.DefaultLimits())
	if err != nil {
		return nil, err
	}
	m.Path = path
	return m, nil
}

// readRows is the first input of a proof's first case, or of a lone case.
func readRows(path string) (*tensor.Tensor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	type inputs []struct {
		Shape []int
		Data  []float32
	}
	var file struct {
		Inputs inputs
		Cases  []struct{ Inputs inputs }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(file.Cases) > 0 {
		file.Inputs = file.Cases[0].Inputs
	}
	if len(file.Inputs) == 0 {
		return nil, fmt.Errorf("%s has no inputs", path)
	}
	return tensor.From(file.Inputs[0].Data, file.Inputs[0].Shape...), nil
}
