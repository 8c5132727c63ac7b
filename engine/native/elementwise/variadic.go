package elementwise

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// variadicKernel folds any number of broadcast inputs with one operator.
type variadicKernel struct {
	impl table[variadicFn]
}

// variadicFn folds all inputs of c into out. w is free to use.
type variadicFn func(c *op.Context, w *walk, out *tensor.Tensor) error

// variadicState keeps a walk over each pair of inputs, and the shape of the
// output.
type variadicState struct {
	walk
	out, next []int
}

func (k *variadicKernel) Run(c *op.Context) error {
	first := c.T(0)
	f, err := k.impl.find(first.DType())
	if err != nil {
		return err
	}
	s := op.State[variadicState](c)
	s.out = append(s.out[:0], first.Shape()...)
	for i := 1; i < len(c.In); i++ {
		t := c.T(i)
		if t == nil || t.DType() != first.DType() {
			return op.Errorf("input %d is not a %v tensor like input 0", i, first.DType())
		}
		wider, err := op.Broadcast(s.next[:0], s.out, t.Shape())
		if err != nil {
			return err
		}
		s.out, s.next = wider, s.out
	}
	return f(c, &s.walk, c.NewOut(0, first.DType(), s.out...))
}

func variadicOps() []op.Def {
	return []op.Def{
		variadicDef("Max", variadicNumbers("Max")),
		variadicDef("Min", variadicNumbers("Min")),
		variadicDef("Sum", variadicFloats("Sum")),
		variadicDef("Mean", variadicFloats("Mean")),
	}
}

func variadicDef(name string, impl table[variadicFn]) op.Def {
	k := &variadicKernel{impl: impl}
	return op.Def{
		Name:  name,
		Types: []op.TypeSet{impl.types()},
		Infer: op.InferBroadcast,
		Build: func(*op.Node) (op.Kernel, error) { return k, nil },
	}
}

func variadicFloats(name string) table[variadicFn] {
	mean := name == "Mean"
	small := variadicSmall(numberRow[float32](name), mean)
	return table[variadicFn]{
		tensor.Float32:  variadic(numberRow[float32](name), mean),
		tensor.Float64:  variadic(numberRow[float64](name), mean),
		tensor.Float16:  small,
		tensor.BFloat16: small,
	}
}

func variadicNumbers(name string) table[variadicFn] {
	t := variadicFloats(name)
	t[tensor.Int8] = variadic(numberRow[int8](name), false)
	t[tensor.Int16] = variadic(numberRow[int16](name), false)
	t[tensor.Int32] = variadic(numberRow[int32](name), false)
	t[tensor.Int64] = variadic(numberRow[int64](name), false)
	t[tensor.Uint8] = variadic(numberRow[uint8](name), false)
	t[tensor.Uint16] = variadic(numberRow[uint16](name), false)
	t[tensor.Uint32] = variadic(numberRow[uint32](name), false)
	t[tensor.Uint64] = variadic(numberRow[uint64](name), false)
	return t
}

// variadic folds inputs of a type that f computes directly.
func variadic[T interface {
	number
	tensor.Element
}](f binaryRow[T, T], mean bool) variadicFn {
	return func(c *op.Context, w *walk, out *tensor.Tensor) error {
		dst := tensor.Data[T](out)
		if len(c.In) == 1 {
			copy(dst, tensor.Data[T](c.T(0)))
			return nil
		}
		if err := w.plan(c.T(0).Shape(), c.T(1).Shape(), out.Shape()); err != nil {
			return err
		}
		eachRow(w, dst, tensor.Data[T](c.T(0)), tensor.Data[T](c.T(1)), f)
		for i := 2; i < len(c.In); i++ {
			if err := accumulate(w, out.Shape(), dst, c.T(i), tensor.Data[T](c.T(i)), f); err != nil {
				return err
			}
		}
		if mean {
			div(dst, dst, []T{T(len(c.In))})
		}
		return nil
	}
}

// variadicSmall folds 16-bit floats in float32, rounding once at the end.
func variadicSmall(f binaryRow[float32, float32], mean bool) variadicFn {
	return func(c *op.Context, w *walk, out *tensor.Tensor) error {
		dst := op.Scratch[float32](c, 0, out.Len())
		if err := w.planOnto(out.Shape(), c.T(0).Shape()); err != nil {
			return err
		}
		eachRow(w, dst, op.Float32s(c, 1, c.T(0)), dst, func(dst, a, _ []float32) {
			ma := mask(a)
			for i := range dst {
				dst[i] = a[i&ma]
			}
		})
		for i := 1; i < len(c.In); i++ {
			t := c.T(i)
			if err := accumulate(w, out.Shape(), dst, t, op.Float32s(c, 1, t), f); err != nil {
				return err
			}
		}
		if mean {
			div(dst, dst, []float32{float32(len(c.In))})
		}
		op.WriteFloat32s(out, dst)
		return nil
	}
}

// accumulate folds input t, whose elements are src, into dst of shape out.
func accumulate[T any](w *walk, out []int, dst []T, t *tensor.Tensor, src []T, f binaryRow[T, T]) error {
	if err := w.planOnto(out, t.Shape()); err != nil {
		return err
	}
	n := w.dims[0]
	for o := 0; o < len(dst); o += n {
		f(dst[o:o+n], dst[o:o+n], row(w, 0, src))
		w.next()
	}
	return nil
}
