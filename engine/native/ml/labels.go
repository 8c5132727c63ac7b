package ml

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// translation replaces keys by values, and what is no key by a default, which
// is the last of values.
type translation struct {
	keys   index
	values *tensor.Tensor
}

// Run translates a tensor of any shape.
func (k *translation) Run(c *op.Context) error {
	x := c.T(0)
	if x.DType() != k.keys.keyType() {
		return op.Errorf("input is %v and the keys are %v", x.DType(), k.keys.keyType())
	}
	at := op.Scratch[int32](c, 0, x.Len())
	k.keys.find(at, x)
	pick(c.OutLike(0, k.values.DType(), x), k.values, at)
	return nil
}

func newTranslation(keys, values, other *tensor.Tensor) (op.Kernel, error) {
	if keys.Len() != values.Len() {
		return nil, op.Errorf("there are %d keys and %d values", keys.Len(), values.Len())
	}
	all, err := appended(values, other)
	if err != nil {
		return nil, err
	}
	at, err := indexOf(keys)
	if err != nil {
		return nil, err
	}
	return &translation{at, all}, nil
}

// appended is the elements of values and then the one of other.
func appended(values, other *tensor.Tensor) (*tensor.Tensor, error) {
	if other.DType() != values.DType() || other.Len() != 1 {
		return nil, op.Errorf("the default is %v, want one %v", other, values.DType())
	}
	n := values.Len()
	all := tensor.New(values.DType(), n+1)
	if values.DType() == tensor.String {
		copy(all.Strings(), values.Strings())
		copy(all.Strings()[n:], other.Strings())
		return all, nil
	}
	copy(all.Bytes(), values.Bytes())
	copy(all.Bytes()[n*values.DType().Size():], other.Bytes())
	return all, nil
}

// list reads the one of the attributes prefix_strings, prefix_int64s,
// prefix_floats and prefix_tensor that is given; nil for none.
func list(a *op.Attrs, prefix string) (*tensor.Tensor, error) {
	var found *tensor.Tensor
	given := 0
	take := func(name string, read func() *tensor.Tensor) {
		if a.Has(prefix + name) {
			given++
			found = read()
		}
	}
	take("_strings", func() *tensor.Tensor { s := a.Strings(prefix + "_strings"); return tensor.FromStrings(s, len(s)) })
	take("_int64s", func() *tensor.Tensor { return int64s(a.Ints(prefix + "_int64s")) })
	take("_floats", func() *tensor.Tensor { f := a.Floats(prefix + "_floats"); return tensor.From(f, len(f)) })
	take("_tensor", func() *tensor.Tensor { return a.Tensor(prefix + "_tensor") })
	if err := a.Err(); err != nil {
		return nil, err
	}
	if given != 1 {
		return nil, op.Errorf("%d of the attributes %[2]s_strings, %[2]s_int64s, %[2]s_floats and %[2]s_tensor are given, want one", given, prefix)
	}
	return found, nil
}

func int64s(v []int) *tensor.Tensor {
	t := tensor.New(tensor.Int64, len(v))
	for i, x := range v {
		tensor.Data[int64](t)[i] = int64(x)
	}
	return t
}

// fallback reads the default for values of type d.
func fallback(a *op.Attrs, d tensor.DType) *tensor.Tensor {
	if t := a.Tensor("default_tensor"); t != nil {
		return t
	}
	negativeZero := math.Copysign(0, -1)
	switch d {
	case tensor.String:
		return tensor.FromStrings([]string{a.String("default_string", "_Unused")}, 1)
	case tensor.Float32:
		return tensor.From([]float32{a.Float("default_float", float32(negativeZero))}, 1)
	case tensor.Float64:
		return tensor.From([]float64{negativeZero}, 1)
	case tensor.Int32:
		return tensor.From([]int32{-1}, 1)
	case tensor.Int16:
		return tensor.From([]int16{-1}, 1)
	}
	return tensor.From([]int64{int64(a.Int("default_int64", -1))}, 1)
}

func buildLabelEncoder(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	keys, err := list(a, "keys")
	if err != nil {
		return nil, err
	}
	values, err := list(a, "values")
	if err != nil {
		return nil, err
	}
	other := fallback(a, values.DType())
	if err := a.Err(); err != nil {
		return nil, err
	}
	return newTranslation(keys, values, other)
}

// both translates between whole numbers and strings, whichever way the input
// asks for.
type both struct {
	toInt, toString op.Kernel
}

func newBoth(a *op.Attrs, ints, texts *tensor.Tensor) (op.Kernel, error) {
	toInt, err := newTranslation(texts, ints, fallback(a, tensor.Int64))
	if err != nil {
		return nil, err
	}
	toString, err := newTranslation(ints, texts, fallback(a, tensor.String))
	if err == nil {
		err = a.Err()
	}
	return &both{toInt, toString}, err
}

// Run translates a tensor of any shape.
func (k *both) Run(c *op.Context) error {
	if c.T(0).DType() == tensor.String {
		return k.toInt.Run(c)
	}
	return k.toString.Run(c)
}

func buildLabelEncoder1(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	texts := a.Strings("classes_strings")
	ints := tensor.New(tensor.Int64, len(texts))
	for i := range texts {
		tensor.Data[int64](ints)[i] = int64(i)
	}
	return newBoth(a, ints, tensor.FromStrings(texts, len(texts)))
}

func buildCategoryMapper(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	texts, ints := a.Strings("cats_strings"), a.Ints("cats_int64s")
	return newBoth(a, int64s(ints), tensor.FromStrings(texts, len(texts)))
}

// inferTranslation: strings become whole numbers and whole numbers strings.
func inferTranslation(n *op.Node) error {
	t := n.Arg(0).Type
	switch t.Elem {
	case tensor.String:
		t.Elem = tensor.Int64
	case tensor.Int64:
		t.Elem = tensor.String
	}
	n.SetOut(0, t)
	return nil
}

func inferLabelEncoder(n *op.Node) error {
	values, err := list(n.ReadAttrs(), "values")
	if err != nil {
		return err
	}
	t := n.Arg(0).Type
	t.Kind, t.Elem = tensor.KindTensor, values.DType()
	n.SetOut(0, t)
	return nil
}
