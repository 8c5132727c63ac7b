// Package recurrent holds the native engine's recurrent networks: RNN, GRU and
// LSTM.
//
// The products with the inputs of all time steps are computed at once; what
// remains for each step is the product with the state and the cell's own
// arithmetic. A sequence gives the same bits alone and in a batch.
package recurrent

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// types are those that are computed in float32.
var types = op.TypeSet{tensor.Float32, tensor.Float16, tensor.BFloat16}

// Ops lists the package's operators.
func Ops() []op.Def {
	var defs []op.Def
	for _, f := range []family{
		{name: "RNN", gates: 1, activations: []string{"Tanh"}, cell: rnnCell{}},
		{name: "GRU", gates: 3, activations: []string{"Sigmoid", "Tanh"}, cell: gruCell{}},
		{name: "LSTM", gates: 4, activations: []string{"Sigmoid", "Tanh", "Tanh"}, cell: lstmCell{}},
	} {
		defs = append(defs, op.Def{
			Name:  f.name,
			Types: []op.TypeSet{types, types, types, types, {tensor.Int32}, types},
			Infer: infer,
			Build: func(n *op.Node) (op.Kernel, error) { return build(n, f) },
		})
	}
	return defs
}

// family is what tells the three operators apart.
type family struct {
	name        string
	gates       int
	activations []string // the default ones of one direction
	cell        cell
}

// The inputs; GRU and RNN end with inH.
const (
	inX = iota
	inW
	inR
	inB
	inLengths
	inH
	inC
	inP
)

// layer is one node.
type layer struct {
	family
	hidden     int
	directions []direction
	batchFirst bool // layout 1
	clip       float32
	coupled    bool // LSTM: forget what is not taken in
	afterReset bool // GRU: linear_before_reset
	fixed      bool // the weights are constant and packed
}

// direction is one pass over the sequence.
type direction struct {
	reverse     bool
	activations []func([]float32)
	weights
}

// infer knows the number of directions and the hidden size.
func infer(n *op.Node) error {
	a := n.ReadAttrs()
	directions, hidden := tensor.Dim{Size: 1}, tensor.Dim{Size: a.Int("hidden_size", -1)}
	if a.String("direction", "") == "bidirectional" {
		directions.Size = 2
	}
	open := tensor.Dim{Size: -1}
	steps, last := []tensor.Dim{open, directions, open, hidden}, []tensor.Dim{directions, open, hidden}
	if a.Bool("layout", false) {
		steps, last = []tensor.Dim{open, open, directions, hidden}, []tensor.Dim{open, directions, hidden}
	}
	for i := range n.Out {
		t := tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(inX), Ranked: true, Dims: last}
		if i == 0 {
			t.Dims = steps
		}
		n.SetOut(i, t)
	}
	return nil
}

func build(n *op.Node, f family) (op.Kernel, error) {
	a := n.ReadAttrs()
	l := &layer{family: f, hidden: a.Int("hidden_size", 0), batchFirst: a.Bool("layout", false), clip: a.Float("clip", 0),
		coupled: a.Bool("input_forget", false), afterReset: a.Bool("linear_before_reset", false)}
	way := a.String("direction", "forward")
	names, alphas, betas := a.Strings("activations"), a.Floats("activation_alpha"), a.Floats("activation_beta")
	if err := a.Err(); err != nil {
		return nil, err
	}
	switch way {
	case "forward":
		l.directions = make([]direction, 1)
	case "reverse":
		l.directions = []direction{{reverse: true}}
	case "bidirectional":
		l.directions = []direction{{}, {reverse: true}}
	default:
		return nil, op.Errorf("attribute direction is %q, want forward, reverse or bidirectional", way)
	}
	if err := l.bindActivations(names, alphas, betas); err != nil {
		return nil, err
	}
	return l, l.packConstants(n)
}

// packConstants packs the weights when all of them are constant.
func (l *layer) packConstants(n *op.Node) error {
	var given [inP + 1]*tensor.Tensor
	for _, i := range []int{inW, inR, inB, inP} {
		if !n.Has(i) {
			continue
		}
		if given[i] = n.Arg(i).Tensor(); given[i] == nil {
			return nil
		}
	}
	if given[inW] == nil || given[inR] == nil {
		return nil
	}
	l.fixed = true
	return l.pack(given[inW], given[inR], given[inB], given[inP], l.directions)
}
