// Package sequence holds the operators on sequences and optionals.
//
// A sequence is immutable once a node has put it out: operators that change
// one make another that shares the items. Items are tensors of their own, never
// memory that the engine reuses, so a tensor is copied on its way in and on its
// way out.
package sequence

import (
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops lists the operators of this package.
func Ops() []op.Def { return slices.Concat(sequenceOps(), joinOps(), optionalOps()) }

func sequenceOps() []op.Def {
	position := []op.TypeSet{op.Any, op.Index}
	return []op.Def{
		{Name: "SequenceEmpty", Infer: inferEmpty, Build: buildEmpty},
		{Name: "SequenceConstruct", Infer: inferConstruct, Build: op.Simple(construct)},
		{Name: "SequenceInsert", Types: []op.TypeSet{op.Any, op.Any, op.Index}, Infer: op.InferSame, Build: op.Simple(insert)},
		{Name: "SequenceErase", Types: position, Infer: op.InferSame, Build: op.Simple(erase)},
		{Name: "SequenceAt", Types: position, Infer: inferAt, Build: op.Simple(at)},
		{Name: "SequenceLength", Infer: inferLength, Build: op.Simple(length)},
	}
}

// sequenceOf is the type of a sequence of tensors.
func sequenceOf(d tensor.DType) tensor.Type {
	return tensor.Type{Kind: tensor.KindSequence, Of: &tensor.Type{Kind: tensor.KindTensor, Elem: d}}
}

// input gives input i as a sequence, or an error when it is omitted.
func input(c *op.Context, i int) (*tensor.Sequence, error) {
	if s := c.Seq(i); s != nil {
		return s, nil
	}
	return nil, op.Errorf("input %d is missing", i)
}

// need gives input i as a tensor, or an error when it is omitted.
func need(c *op.Context, i int) (*tensor.Tensor, error) {
	if t := c.T(i); t != nil {
		return t, nil
	}
	return nil, op.Errorf("input %d is missing", i)
}

func emptyType(n *op.Node) (tensor.DType, error) {
	at := n.ReadAttrs()
	d := at.Int("dtype", int(tensor.Float32))
	if d < 0 || d > math.MaxUint8 || !tensor.DType(d).Valid() {
		return 0, op.Errorf("attribute \"dtype\" is %d, which is no element type", d)
	}
	return tensor.DType(d), at.Err()
}

func inferEmpty(n *op.Node) error {
	d, err := emptyType(n)
	n.SetOut(0, sequenceOf(d))
	return err
}

func buildEmpty(n *op.Node) (op.Kernel, error) {
	d, err := emptyType(n)
	empty := &tensor.Sequence{Elem: tensor.Type{Kind: tensor.KindTensor, Elem: d}}
	return op.Func(func(c *op.Context) error {
		c.Set(0, empty)
		return nil
	}), err
}

func inferConstruct(n *op.Node) error {
	n.SetOut(0, sequenceOf(n.Elem(0)))
	return nil
}

func construct(c *op.Context) error {
	first, err := need(c, 0)
	if err != nil {
		return err
	}
	s := &tensor.Sequence{Elem: itemType(first), Items: make([]tensor.Value, len(c.In))}
	for i := range c.In {
		t, err := need(c, i)
		if err != nil {
			return err
		}
		if err := sameElem(s, t); err != nil {
			return err
		}
		s.Items[i] = t.Clone()
	}
	return set(c, s)
}

// set makes s output 0 unless it passes the memory limit, so that a loop that
// appends to a sequence ends.
func set(c *op.Context, s *tensor.Sequence) error {
	const item = 128 // a tensor's own memory, roughly
	n := 0
	for _, v := range s.Items {
		n += item
		if t, ok := v.(*tensor.Tensor); ok {
			n += len(t.Bytes()) + 16*len(t.Strings())
		}
	}
	if c.MaxBytes > 0 && n > c.MaxBytes {
		return op.Errorf("sequence of %d items would be larger than the limit of %d bytes", len(s.Items), c.MaxBytes)
	}
	c.Set(0, s)
	return nil
}

// itemType is the type of a sequence that holds t.
func itemType(t *tensor.Tensor) tensor.Type {
	return tensor.Type{Kind: tensor.KindTensor, Elem: t.DType()}
}

// sameElem refuses a tensor that does not go into s.
func sameElem(s *tensor.Sequence, t *tensor.Tensor) error {
	elem := s.Type().Of
	if elem.Kind == tensor.KindUnknown || elem.Elem == tensor.Undefined {
		return nil
	}
	if elem.Kind != tensor.KindTensor || elem.Elem != t.DType() {
		return op.Errorf("%v does not go into %v", t, s.Type())
	}
	return nil
}

// position reads the optional input i, which counts from the end when it is
// negative; last is the greatest allowed, and what an omitted input means.
func position(c *op.Context, i, n, last int) (int, error) {
	t := c.T(i)
	if t == nil {
		return last, nil
	}
	if t.Len() != 1 {
		return 0, op.Errorf("position is %v, want one number", t)
	}
	var buf [1]int
	p := op.AppendInts(buf[:0], t)[0]
	if p < -n || p > last {
		return 0, op.Errorf("position %d is outside [%d, %d]", p, -n, last)
	}
	if p < 0 {
		p += n
	}
	return p, nil
}

func insert(c *op.Context) error {
	s, err := input(c, 0)
	if err != nil {
		return err
	}
	t, err := need(c, 1)
	if err != nil {
		return err
	}
	if err := sameElem(s, t); err != nil {
		return err
	}
	at, err := position(c, 2, len(s.Items), len(s.Items))
	if err != nil {
		return err
	}
	out := &tensor.Sequence{Elem: itemType(t), Items: make([]tensor.Value, 0, len(s.Items)+1)}
	out.Items = append(out.Items, s.Items[:at]...)
	out.Items = append(out.Items, t.Clone())
	out.Items = append(out.Items, s.Items[at:]...)
	return set(c, out)
}

func erase(c *op.Context) error {
	s, err := input(c, 0)
	if err != nil {
		return err
	}
	if len(s.Items) == 0 {
		return op.Errorf("the sequence is empty")
	}
	at, err := position(c, 1, len(s.Items), len(s.Items)-1)
	if err != nil {
		return err
	}
	c.Set(0, &tensor.Sequence{Elem: *s.Type().Of, Items: slices.Concat(s.Items[:at], s.Items[at+1:])})
	return nil
}

// inferAt gives the type of the items, which may differ in shape.
func inferAt(n *op.Node) error {
	if t := n.Arg(0).Type; t.Kind == tensor.KindSequence && t.Of != nil {
		of := *t.Of
		if of.Kind == tensor.KindTensor {
			of.Ranked, of.Dims = false, nil
		}
		n.SetOut(0, of)
	}
	return nil
}

func at(c *op.Context) error {
	s, err := input(c, 0)
	if err != nil {
		return err
	}
	if len(s.Items) == 0 {
		return op.Errorf("the sequence is empty")
	}
	if _, err := need(c, 1); err != nil {
		return err
	}
	p, err := position(c, 1, len(s.Items), len(s.Items)-1)
	if err != nil {
		return err
	}
	give(c, s.Items[p])
	return nil
}

// give makes v output 0 without sharing its memory.
func give(c *op.Context, v tensor.Value) {
	if t, ok := v.(*tensor.Tensor); ok {
		out := c.OutLike(0, t.DType(), t)
		copy(out.Bytes(), t.Bytes())
		copy(out.Strings(), t.Strings())
		return
	}
	c.Set(0, v.CloneValue())
}

func inferLength(n *op.Node) error {
	n.SetOut(0, tensor.TensorType(tensor.Int64))
	return nil
}

func length(c *op.Context) error {
	s, err := input(c, 0)
	if err != nil {
		return err
	}
	tensor.Data[int64](c.NewOut(0, tensor.Int64))[0] = int64(len(s.Items))
	return nil
}
