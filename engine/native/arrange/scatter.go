package arrange

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func scatterOps() []op.Def {
	ind := []op.TypeSet{op.Any, op.Index, op.Any}
	return []op.Def{
		{Name: "Scatter", Types: ind, Infer: op.InferSame, Build: buildScatterElements},
		{Name: "ScatterElements", Types: ind, Infer: op.InferSame, Build: buildScatterElements},
		{Name: "ScatterND", Types: ind, Infer: op.InferSame, Build: buildScatterND},
		{Name: "TensorScatter", Types: []op.TypeSet{op.Any, op.Any, op.Index}, Infer: op.InferSame, Build: buildTensorScatter},
	}
}

// scatter writes updates into a copy of the data: single elements along an
// axis, or slices by tuples of indices.
type scatter struct {
	tuples    bool // ScatterND
	axis      int
	indices   intList
	reduction reduction
}

func buildScatterElements(n *op.Node) (op.Kernel, error) { return readScatter(n, false) }
func buildScatterND(n *op.Node) (op.Kernel, error)       { return readScatter(n, true) }

func readScatter(n *op.Node, tuples bool) (op.Kernel, error) {
	at := n.ReadAttrs()
	name := at.String("reduction", "none")
	r, ok := reductions[name]
	if !ok {
		return nil, op.Errorf("%s has no reduction %q", n.Op, name)
	}
	indices, err := listFrom(n, "", 1)
	if err != nil {
		return nil, err
	}
	return &scatter{tuples, at.Int("axis", 0), indices, r}, at.Err()
}

func (k *scatter) Run(c *op.Context) error {
	var in [3]*tensor.Tensor
	for i := range in {
		var err error
		if in[i], err = need(c, i); err != nil {
			return err
		}
	}
	data, ind, updates := in[0], in[1], in[2]
	if err := sameElem(data, updates); err != nil {
		return err
	}
	w := workOf(c)
	indices, err := k.indices.read(c, &w.list)
	if err != nil {
		return err
	}
	block := 1
	if k.tuples {
		block, err = tupleOffsets(w, data, ind, indices, 0)
	} else {
		err = elementOffsets(w, data, ind, indices, k.axis)
	}
	if err != nil {
		return err
	}
	if updates.Len() != len(w.at)*block {
		return op.Errorf("updates are %v, which does not match indices %v of %v", updates, ind, data)
	}
	out := c.OutLike(0, data.DType(), data)
	copyAll(out, data)
	if k.reduction == replace {
		put(out, updates, block, w.at)
		return nil
	}
	return combine(out, updates, block, w.at, k.reduction)
}

// reduction says how an update meets the element it falls on.
type reduction uint8

const (
	replace reduction = iota
	reduceAdd
	reduceMul
	reduceMax
	reduceMin
)

var reductions = map[string]reduction{
	"none": replace, "add": reduceAdd, "mul": reduceMul, "max": reduceMax, "min": reduceMin,
}

type number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func (r reduction) String() string {
	return [...]string{"none", "add", "mul", "max", "min"}[r]
}

// combine reduces consecutive blocks of src into the blocks of dst at these
// offsets.
func combine(dst, src *tensor.Tensor, block int, at []int, r reduction) error {
	switch dst.DType() {
	case tensor.Float32:
		combineUnits(tensor.Data[float32](dst), tensor.Data[float32](src), block, at, r)
	case tensor.Float64:
		combineUnits(tensor.Data[float64](dst), tensor.Data[float64](src), block, at, r)
	case tensor.Int8:
		combineUnits(tensor.Data[int8](dst), tensor.Data[int8](src), block, at, r)
	case tensor.Int16:
		combineUnits(tensor.Data[int16](dst), tensor.Data[int16](src), block, at, r)
	case tensor.Int32:
		combineUnits(tensor.Data[int32](dst), tensor.Data[int32](src), block, at, r)
	case tensor.Int64:
		combineUnits(tensor.Data[int64](dst), tensor.Data[int64](src), block, at, r)
	case tensor.Uint8:
		combineUnits(tensor.Data[uint8](dst), tensor.Data[uint8](src), block, at, r)
	case tensor.Uint16:
		combineUnits(tensor.Data[uint16](dst), tensor.Data[uint16](src), block, at, r)
	case tensor.Uint32:
		combineUnits(tensor.Data[uint32](dst), tensor.Data[uint32](src), block, at, r)
	case tensor.Uint64:
		combineUnits(tensor.Data[uint64](dst), tensor.Data[uint64](src), block, at, r)
	case tensor.Float16:
		combineSmall(tensor.Data[tensor.Float16Bits](dst), tensor.Data[tensor.Float16Bits](src), tensor.ToFloat16, block, at, r)
	case tensor.BFloat16:
		combineSmall(tensor.Data[tensor.BFloat16Bits](dst), tensor.Data[tensor.BFloat16Bits](src), tensor.ToBFloat16, block, at, r)
	default:
		return op.Errorf("reduction %q does not work on %v", r, dst.DType())
	}
	return nil
}

func combineUnits[T number](dst, src []T, block int, at []int, r reduction) {
	for i, a := range at {
		to, from := dst[a:a+block], src[i*block:(i+1)*block]
		for j, v := range from {
			to[j] = reduce(r, to[j], v)
		}
	}
}

// combineSmall rounds to 16 bits after every update, as the operators' own
// type would.
func combineSmall[T interface{ Float32() float32 }](dst, src []T, round func(float32) T, block int, at []int, r reduction) {
	for i, a := range at {
		to, from := dst[a:a+block], src[i*block:(i+1)*block]
		for j, v := range from {
			to[j] = round(reduce(r, to[j].Float32(), v.Float32()))
		}
	}
}

func reduce[T number](r reduction, a, b T) T {
	switch r {
	case reduceAdd:
		return a + b
	case reduceMul:
		return a * b
	case reduceMax:
		return max(a, b)
	case reduceMin:
		return min(a, b)
	}
	return b
}

// tensorScatter writes an update into a cache at an offset along the sequence
// axis, for each batch item its own.
type tensorScatter struct {
	axis     int
	circular bool
}

func buildTensorScatter(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	mode := at.String("mode", "linear")
	if mode != "linear" && mode != "circular" {
		return nil, op.Errorf("mode %q is neither linear nor circular", mode)
	}
	return &tensorScatter{at.Int("axis", -2), mode == "circular"}, at.Err()
}

func (k *tensorScatter) Run(c *op.Context) error {
	past, err := need(c, 0)
	if err != nil {
		return err
	}
	update, err := need(c, 1)
	if err != nil {
		return err
	}
	axis, err := op.Axis(k.axis, past.Rank())
	if err != nil {
		return err
	}
	if axis == 0 {
		return op.Errorf("axis 0 is the batch, not a sequence")
	}
	if err := joinable(past, update, axis); err != nil {
		return err
	}
	w := workOf(c)
	starts := w.list[:0]
	if t := c.T(2); t != nil {
		starts, err = appendInts(starts, t)
		w.list = starts
	}
	if err != nil || len(starts) != 0 && len(starts) != past.Dim(0) {
		return op.Errorf("write_indices has %d elements for a batch of %d", len(starts), past.Dim(0))
	}
	if w.at, err = k.offsets(w.at[:0], past, update, axis, starts); err != nil {
		return err
	}
	out := c.OutLike(0, past.DType(), past)
	copyAll(out, past)
	put(out, update, op.Product(past.Shape()[axis+1:]), w.at)
	return nil
}

// offsets appends where each step of the update goes.
func (k *tensorScatter) offsets(dst []int, past, update *tensor.Tensor, axis int, starts []int) ([]int, error) {
	outer, size, inner := splitAt(past.Shape(), axis)
	steps := update.Dim(axis)
	for o := range outer {
		start := 0
		if len(starts) > 0 {
			start = starts[o/(outer/past.Dim(0))]
		}
		if start < 0 || start > size || steps > size || !k.circular && start+steps > size {
			return nil, op.Errorf("%d steps at %d do not fit a cache of %d", steps, start, size)
		}
		for s := range steps {
			dst = append(dst, (o*size+(start+s)%size)*inner)
		}
	}
	return dst, nil
}
