// Package signal holds the native engine's operators on signals: Fourier
// transforms of any length, window functions, and the mel filter bank.
package signal

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops lists the package's operators.
func Ops() []op.Def {
	dft := op.Def{Name: "DFT", Types: []op.TypeSet{op.Floats, op.Index}, Infer: op.InferElemOf(0), Build: buildDFT}
	stft := op.Def{Name: "STFT", Types: []op.TypeSet{op.Floats, op.Index, op.Floats, op.Index}, Infer: op.InferElemOf(0), Build: buildSTFT}
	mel := op.Def{Name: "MelWeightMatrix", Types: []op.TypeSet{op.Index, op.Index, op.Index, op.Floats}, Infer: inferDatatype, Build: buildMel}
	defs := slices.Concat(op.Require(1, dft), op.Require(2, stft), op.Require(5, mel))
	for name := range windows {
		window := op.Def{Name: name, Types: []op.TypeSet{op.Index}, Infer: inferDatatype, Build: buildWindow}
		defs = append(defs, op.Require(1, window)...)
	}
	return defs
}

// datatype is the attribute output_datatype.
func datatype(n *op.Node) (tensor.DType, error) {
	a := n.ReadAttrs()
	v := a.Int("output_datatype", int(tensor.Float32))
	if a.Err() != nil {
		return 0, a.Err()
	}
	if v < 0 || v > 255 || !op.Numbers.Has(tensor.DType(v)) {
		return 0, op.Errorf("output_datatype %d is not a type of numbers", v)
	}
	return tensor.DType(v), nil
}

func inferDatatype(n *op.Node) error {
	d, err := datatype(n)
	if err == nil {
		n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: d})
	}
	return nil // Build reports it
}

// scalar is input i as one whole number, or def when it is not given.
func scalar(c *op.Context, i, def int) (int, error) {
	t := c.T(i)
	if t == nil {
		return def, nil
	}
	if t.Len() != 1 {
		return 0, op.Errorf("input %d must be one number, got %v", i, t)
	}
	var buf [1]int
	return op.AppendInts(buf[:0], t)[0], nil
}
