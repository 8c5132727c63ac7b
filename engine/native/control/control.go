// Package control holds the operators that run subgraphs: If, Loop, Scan and
// SequenceMap. Subgraphs are compiled once, when their node is built; what they
// put out is lent back to them as memory from run to run.
package control

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops lists the operators of this package.
func Ops() []op.Def {
	return []op.Def{
		{Name: "If", Types: []op.TypeSet{op.Bools}, Infer: inferIf, Build: buildIf},
		{Name: "Loop", Types: []op.TypeSet{{tensor.Int64}, op.Bools, op.Any}, Infer: inferLoop, Build: buildLoop},
		{Name: "Scan", Infer: inferScan, Build: buildScan},
		{Name: "SequenceMap", Infer: inferSequenceMap, Build: buildSequenceMap},
	}
}

// graphAttr is the subgraph of a node.
func graphAttr(n *op.Node, name string) (*onnx.Graph, error) {
	at := n.ReadAttrs()
	g := at.Graph(name)
	if at.Err() != nil {
		return nil, at.Err()
	}
	if g == nil {
		return nil, op.Errorf("%s has no subgraph %q", n.Op, name)
	}
	return g, nil
}

// compile prepares the subgraph in an attribute and checks how many values go
// in, and that at least so many come out.
func compile(n *op.Node, name string, inputs, outputs int) (op.Program, error) {
	g, err := graphAttr(n, name)
	if err != nil {
		return nil, err
	}
	if len(g.Inputs) != inputs || len(g.Outputs) < outputs {
		return nil, op.Errorf("subgraph %q takes %d inputs and gives %d outputs, want %d inputs and at least %d outputs",
			name, len(g.Inputs), len(g.Outputs), inputs, outputs)
	}
	return n.Compile(g)
}

// loose is a type without its shape, which may change from run to run of a
// subgraph.
func loose(t tensor.Type) tensor.Type {
	if t.Kind == tensor.KindTensor {
		t.Ranked, t.Dims = false, nil
	}
	return t
}

// carried is the type of a value that goes round a loop: what the body says,
// else what goes in.
func carried(in tensor.Type, body onnx.ValueInfo) tensor.Type {
	if body.Type.Kind == tensor.KindUnknown || body.Type.Kind == tensor.KindTensor && body.Type.Elem == tensor.Undefined {
		return loose(in)
	}
	return loose(body.Type)
}

// truth reads a condition.
func truth(t *tensor.Tensor) (bool, error) {
	if t == nil || t.DType() != tensor.Bool || t.Len() != 1 {
		return false, op.Errorf("condition is %v, want one bool", t)
	}
	return tensor.Data[bool](t)[0], nil
}

// pass makes output i the same as v, which belongs to somebody else.
func pass(c *op.Context, i int, v tensor.Value) {
	if t, ok := v.(*tensor.Tensor); ok {
		out := c.OutLike(i, t.DType(), t)
		copy(out.Bytes(), t.Bytes())
		copy(out.Strings(), t.Strings())
		return
	}
	c.Set(i, v.CloneValue())
}

// rounds is what loops keep between runs: the body's inputs, and two sets of
// outputs that take turns, because what one round puts out the next takes in.
type rounds struct {
	in   []tensor.Value
	sets [2][]tensor.Value
	turn int
}

// start makes room for the body's values.
func (r *rounds) start(inputs, outputs int) {
	if r.in == nil {
		r.in = make([]tensor.Value, inputs)
		r.sets = [2][]tensor.Value{make([]tensor.Value, outputs), make([]tensor.Value, outputs)}
	}
	r.turn = 0
}

// run does one round and gives the body's outputs.
func (r *rounds) run(c *op.Context, body op.Program) ([]tensor.Value, error) {
	if err := c.Ctx.Err(); err != nil {
		return nil, err
	}
	r.turn ^= 1
	out := r.sets[r.turn]
	return out, body.Run(c, r.in, out)
}

// end lets go of the values of others.
func (r *rounds) end() { clear(r.in) }
