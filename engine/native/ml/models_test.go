package ml_test

import (
	"context"
	"io/fs"
	"os"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/enginetest"
	"github.com/greenlight-dev/greenlight/engine/native/arrange"
	"github.com/greenlight-dev/greenlight/engine/native/elementwise"
	"github.com/greenlight-dev/greenlight/engine/native/ml"
	"github.com/greenlight-dev/greenlight/engine/native/nn"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/program"
	"github.com/greenlight-dev/greenlight/engine/native/reduce"
	"github.com/greenlight-dev/greenlight/engine/native/text"
	"github.com/greenlight-dev/greenlight/engine/native/tree"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// exact are the models without an elementary function or a product: they must
// give the reference's bits.
var exact = map[string]bool{
	"random_forest_labels": true, "random_forest_binary": true, "random_forest_float64": true,
	"extra_trees_two_targets": true,
}

func registry() *program.Registry {
	return program.NewRegistry(arrange.Ops(), elementwise.Ops(), nn.Ops(), reduce.Ops(), ml.Ops(), text.Ops(), tree.Ops())
}

func load(t testing.TB, name string) *enginetest.Case {
	t.Helper()
	c, err := enginetest.LoadCase(os.DirFS("testdata/models"), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compile(t testing.TB, g *onnx.Graph) *program.Program {
	t.Helper()
	p, err := program.Compile(g, registry(), program.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t testing.TB, p *program.Program, in []tensor.Value) []tensor.Value {
	t.Helper()
	out := make([]tensor.Value, len(p.Outputs()))
	if err := p.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func names(t testing.TB) []string {
	t.Helper()
	entries, err := fs.ReadDir(os.DirFS("testdata"), "models")
	if err != nil || len(entries) < 20 {
		t.Fatalf("%d models: %v", len(entries), err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestTrainedModels(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			c := load(t, name)
			relative, absolute := 2e-5, 2e-6
			if exact[name] {
				relative, absolute = 0, 0
			}
			p := compile(t, c.Model.Graph)
			for _, s := range c.Sets {
				for i, got := range run(t, p, s.Inputs) {
					if err := enginetest.Compare(got, s.Outputs[i], relative, absolute); err != nil {
						t.Errorf("output %d: %v", i, err)
					}
				}
			}
		})
	}
}

// A row gives the same bits alone as in a batch. (Text models count tokens
// of a batch together, but their scores must not change either.)
func TestRowsDoNotDependOnTheirBatch(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			c := load(t, name)
			p := compile(t, c.Model.Graph)
			in := c.Sets[0].Inputs
			together := run(t, p, in)
			rows := in[0].(*tensor.Tensor).Dim(0)
			for r := range rows {
				var one []tensor.Value
				for _, v := range in {
					one = append(one, row(v, r))
				}
				for i, got := range run(t, p, one) {
					if err := enginetest.Compare(got, row(together[i], r), 0, 0); err != nil {
						t.Fatalf("row %d, output %d: %v", r, i, err)
					}
				}
			}
		})
	}
}

// row cuts one row out of a batch.
func row(v tensor.Value, r int) *tensor.Tensor {
	x := v.(*tensor.Tensor)
	shape := append([]int{1}, x.Shape()[1:]...)
	n := op.Product(shape)
	out := tensor.New(x.DType(), shape...)
	if x.DType() == tensor.String {
		copy(out.Strings(), x.Strings()[r*n:(r+1)*n])
		return out
	}
	size := n * x.DType().Size()
	copy(out.Bytes(), x.Bytes()[r*size:(r+1)*size])
	return out
}

func TestFoldedScaler(t *testing.T) {
	c := load(t, "scaled_logistic_regression")
	plain := run(t, compile(t, c.Model.Graph), c.Sets[0].Inputs)
	g := *c.Model.Graph
	folded, ok := ml.FoldScaler(g.Nodes[0], g.Nodes[1])
	if !ok {
		t.Fatalf("%s and %s were not folded", g.Nodes[0].Op, g.Nodes[1].Op)
	}
	if _, ok := ml.FoldScaler(g.Nodes[1], g.Nodes[0]); ok {
		t.Error("folded in the wrong order")
	}
	g.Nodes = append([]*onnx.Node{folded}, g.Nodes[2:]...)
	for i, got := range run(t, compile(t, &g), c.Sets[0].Inputs) {
		if err := enginetest.Compare(got, plain[i], 0, 0); err != nil {
			t.Errorf("output %d: %v", i, err)
		}
	}
}
