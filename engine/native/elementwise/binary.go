package elementwise

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// binaryKernel runs an operator of two inputs of one type, broadcast against
// each other.
type binaryKernel struct {
	impl    table[binaryFn]
	out     tensor.DType // element type of the output; Undefined: that of the inputs
	nonzero bool         // integer divisors must not be zero
}

func (k *binaryKernel) Run(c *op.Context) error {
	a, b := c.T(0), c.T(1)
	if a.DType() != b.DType() {
		return op.Errorf("inputs have different element types, %v and %v", a.DType(), b.DType())
	}
	f, err := k.impl.find(a.DType())
	if err != nil {
		return err
	}
	if k.nonzero {
		if err := checkDivisor(b); err != nil {
			return err
		}
	}
	w := op.State[walk](c)
	if err := w.plan(a.Shape(), b.Shape()); err != nil {
		return err
	}
	d := k.out
	if d == tensor.Undefined {
		d = a.DType()
	}
	f(c, w, c.NewOut(0, d, w.shape...), a, b)
	return nil
}

func binaryDef(name string, k *binaryKernel) op.Def {
	types := k.impl.types()
	return op.Def{
		Name:  name,
		Since: 7, // earlier versions broadcast by an axis attribute
		Types: []op.TypeSet{types, types},
		Infer: inferBinary(k.out),
		Build: func(*op.Node) (op.Kernel, error) { return k, nil },
	}
}

func inferBinary(out tensor.DType) func(*op.Node) error {
	if out == tensor.Undefined {
		return op.InferBroadcast
	}
	return func(n *op.Node) error {
		n.SetOut(0, op.BroadcastType(n, out))
		return nil
	}
}

// binaryOps are the operators of two broadcast inputs.
func binaryOps() []op.Def {
	var defs []op.Def
	for _, name := range []string{"Add", "Sub", "Mul", "PRelu"} {
		defs = append(defs, binaryDef(name, &binaryKernel{impl: arithmetic(name)}))
	}
	defs = append(defs, binaryDef("Div", &binaryKernel{impl: arithmetic("Div"), nonzero: true}))
	for _, name := range []string{"BitwiseAnd", "BitwiseOr", "BitwiseXor"} {
		defs = append(defs, binaryDef(name, &binaryKernel{impl: bitwise(name)}))
	}
	for _, name := range []string{"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"} {
		defs = append(defs, binaryDef(name, &binaryKernel{impl: comparison(name), out: tensor.Bool}))
	}
	for _, name := range []string{"And", "Or", "Xor"} {
		defs = append(defs, binaryDef(name, &binaryKernel{impl: logical(name), out: tensor.Bool}))
	}
	return append(defs, modDef(), shiftDef(), powDef())
}

// modDef is Mod; its attribute chooses between the floor and the truncating
// remainder.
func modDef() op.Def {
	floor := &binaryKernel{impl: arithmetic("FloorMod"), nonzero: true}
	trunc := &binaryKernel{impl: arithmetic("Mod"), nonzero: true}
	def := binaryDef("Mod", floor)
	def.Build = func(n *op.Node) (op.Kernel, error) {
		attrs := n.ReadAttrs()
		if attrs.Bool("fmod", false) {
			return trunc, attrs.Err()
		}
		return floor, attrs.Err()
	}
	return def
}

func shiftDef() op.Def {
	left := &binaryKernel{impl: bitwise("ShiftLeft")}
	right := &binaryKernel{impl: bitwise("ShiftRight")}
	def := binaryDef("BitShift", left)
	def.Build = func(n *op.Node) (op.Kernel, error) {
		attrs := n.ReadAttrs()
		switch dir := attrs.String("direction", ""); dir {
		case "LEFT":
			return left, attrs.Err()
		case "RIGHT":
			return right, attrs.Err()
		default:
			return nil, op.Errorf("attribute \"direction\" is %q, want LEFT or RIGHT", dir)
		}
	}
	return def
}

// checkDivisor refuses an integer divisor with a zero in it. Floats divide by
// zero without harm.
func checkDivisor(t *tensor.Tensor) error {
	zero := false
	switch t.DType() {
	case tensor.Int8, tensor.Uint8:
		zero = hasZero(tensor.Data[uint8](t))
	case tensor.Int16, tensor.Uint16:
		zero = hasZero(tensor.Data[uint16](t))
	case tensor.Int32, tensor.Uint32:
		zero = hasZero(tensor.Data[uint32](t))
	case tensor.Int64, tensor.Uint64:
		zero = hasZero(tensor.Data[uint64](t))
	}
	if zero {
		return op.Errorf("integer division by zero: input 1 (%v) contains 0", t)
	}
	return nil
}

func hasZero[T integer](s []T) bool {
	for _, v := range s {
		if v == 0 {
			return true
		}
	}
	return false
}
