package arrange

import (
	"cmp"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/arrange/strided"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func selectOps() []op.Def {
	return []op.Def{
		{Name: "TopK", Types: []op.TypeSet{op.Numbers, op.Index}, Infer: inferTopK, Build: buildTopK},
		{Name: "Unique", Infer: inferUnique, Build: buildUnique},
		{Name: "NonZero", Infer: op.InferElem(tensor.Int64), Build: op.Simple(nonZero)},
	}
}

// topK finds the largest or smallest elements along an axis, best first; of
// equal ones, the lower index first. NaN counts as larger than any number.
type topK struct {
	axis    int
	k       intList
	largest bool
}

func inferTopK(n *op.Node) error {
	n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)})
	n.SetOut(1, tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Int64})
	return nil
}

func buildTopK(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	k := &topK{axis: at.Int("axis", -1), largest: at.Bool("largest", true)}
	if at.Has("k") { // before opset 10
		k.k = intList{fixed: true, values: []int{at.Int("k", 0)}}
		return k, at.Err()
	}
	var err error
	if k.k, err = listFrom(n, "", 1); err != nil {
		return nil, err
	}
	return k, at.Err()
}

// topState is what a TopK keeps between runs.
type topState struct {
	work
	keys []uint64
	best ranking
}

func (k *topK) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	axis, err := op.Axis(k.axis, in.Rank())
	if err != nil {
		return err
	}
	s := op.State[topState](c)
	list, err := k.k.read(c, &s.list)
	if err != nil {
		return err
	}
	outer, size, inner := splitAt(in.Shape(), axis)
	if len(list) != 1 || list[0] < 0 || list[0] > size {
		return op.Errorf("K is %v for an axis of %d elements", cloneInts(list), size)
	}
	n := list[0]
	if s.keys, _, err = appendKeys(s.keys[:0], in); err != nil {
		return err
	}
	if !k.largest {
		for i, v := range s.keys {
			s.keys[i] = ^v
		}
	}
	s.shape = append(s.shape[:0], in.Shape()...)
	s.shape[axis] = n
	values := c.NewOut(0, in.DType(), s.shape...)
	indices := tensor.Data[int64](c.NewOut(1, tensor.Int64, s.shape...))
	s.at = slices.Grow(s.at[:0], len(indices))[:len(indices)]
	for lane := range outer * inner {
		o, i := lane/inner, lane%inner
		s.best.find(s.keys, o*size*inner+i, inner, size, n)
		for r, v := range s.best.index {
			at := (o*n+r)*inner + i
			indices[at] = int64(v)
			s.at[at] = (o*size+v)*inner + i
		}
	}
	take(values, in, 1, 0, 1, s.at)
	return nil
}

// ranking finds the greatest keys of a lane: a heap with the worst on top
// while it collects, then sorted.
type ranking struct {
	keys        []uint64
	first, step int
	index       []int
}

// find sets index to the n best of size keys, best first.
func (r *ranking) find(keys []uint64, first, step, size, n int) {
	r.keys, r.first, r.step, r.index = keys, first, step, r.index[:0]
	if n == 0 {
		return
	}
	for i := range n {
		r.index = append(r.index, i)
	}
	for i := n/2 - 1; i >= 0; i-- {
		r.sink(i, n)
	}
	for i := n; i < size; i++ {
		// Later indices lose ties, so only a greater key gets in.
		if r.key(i) > r.key(r.index[0]) {
			r.index[0] = i
			r.sink(0, n)
		}
	}
	for last := n - 1; last > 0; last-- {
		r.index[0], r.index[last] = r.index[last], r.index[0]
		r.sink(0, last)
	}
}

func (r *ranking) key(i int) uint64 { return r.keys[r.first+i*r.step] }

func (r *ranking) worse(a, b int) bool {
	x, y := r.key(a), r.key(b)
	return x < y || x == y && a > b
}

// sink restores the heap of the first n entries below position i.
func (r *ranking) sink(i, n int) {
	for {
		child := 2*i + 1
		if child >= n {
			return
		}
		if child+1 < n && r.worse(r.index[child+1], r.index[child]) {
			child++
		}
		if !r.worse(r.index[child], r.index[i]) {
			return
		}
		r.index[i], r.index[child] = r.index[child], r.index[i]
		i = child
	}
}

// unique lists the distinct elements, or slices along an axis.
type unique struct {
	axis         int
	flat, sorted bool
}

func inferUnique(n *op.Node) error {
	n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)})
	for i := 1; i < 4; i++ {
		n.SetOut(i, tensor.TensorType(tensor.Int64, -1))
	}
	return nil
}

func buildUnique(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	return &unique{at.Int("axis", 0), !at.Has("axis"), at.Bool("sorted", true)}, at.Err()
}

func (k *unique) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	outer, size, inner, axis := 1, in.Len(), 1, 0
	shape := []int{0}
	if !k.flat {
		if axis, err = op.Axis(k.axis, in.Rank()); err != nil {
			return err
		}
		outer, size, inner = splitAt(in.Shape(), axis)
		shape = slices.Clone(in.Shape())
	}
	items, err := itemsOf(in, outer, size, inner)
	if err != nil {
		return err
	}
	g := group(size, items)
	if !k.sorted {
		g.inFirstOrder()
	}
	shape[axis] = len(g.first)
	at := make([]int, len(g.first))
	for i, f := range g.first {
		at[i] = f * inner
	}
	take(c.NewOut(0, in.DType(), shape...), in, outer, size*inner, inner, at)
	for i, list := range [][]int{g.first, g.inverse, g.counts} {
		out := tensor.Data[int64](c.NewOut(i+1, tensor.Int64, len(list)))
		for j, v := range list {
			out[j] = int64(v)
		}
	}
	return nil
}

// itemsOf gives a comparison of the slices of in along the axis between outer
// and inner.
func itemsOf(in *tensor.Tensor, outer, size, inner int) (func(a, b int) int, error) {
	items := in
	if outer > 1 { // make every slice contiguous
		items = tensor.New(in.DType(), in.Len())
		var g strided.Grid
		g.Reset(0, 0)
		g.Add(size, outer*inner, inner)
		g.Add(outer, inner, size*inner)
		g.Add(inner, 1, 1)
		g.Copy(items, in)
	}
	if in.DType() == tensor.String {
		return compareBlocks(items.Strings(), outer*inner), nil
	}
	keys, per, err := appendKeys(nil, items)
	return compareBlocks(keys, outer*inner*per), err
}

func compareBlocks[T cmp.Ordered](data []T, block int) func(a, b int) int {
	return func(a, b int) int {
		return slices.Compare(data[a*block:(a+1)*block], data[b*block:(b+1)*block])
	}
}

// groups are the distinct items of a list.
type groups struct {
	first   []int // index of each group's first item
	counts  []int
	inverse []int // group of each item
}

// group finds the distinct ones of n items, in ascending order.
func group(n int, compare func(a, b int) int) *groups {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, compare)
	g := &groups{inverse: make([]int, n)}
	for i, item := range order {
		if i == 0 || compare(order[i-1], item) != 0 {
			g.first = append(g.first, item)
			g.counts = append(g.counts, 0)
		}
		last := len(g.first) - 1
		g.counts[last]++
		g.inverse[item] = last
	}
	return g
}

// inFirstOrder sorts the groups by their first item.
func (g *groups) inFirstOrder() {
	order := make([]int, len(g.first))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(g.first[a], g.first[b]) })
	first, counts, rank := make([]int, len(order)), make([]int, len(order)), make([]int, len(order))
	for i, old := range order {
		first[i], counts[i], rank[old] = g.first[old], g.counts[old], i
	}
	g.first, g.counts = first, counts
	for i, old := range g.inverse {
		g.inverse[i] = rank[old]
	}
}

// nonZero lists the coordinates of the elements that are not zero, false or
// empty, as [rank, count]; a scalar counts as a vector of one.
func nonZero(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	w := workOf(c)
	if w.at, err = nonZeroOffsets(w.at[:0], in); err != nil {
		return err
	}
	w.shape = append(w.shape[:0], in.Shape()...)
	if in.Rank() == 0 {
		w.shape = append(w.shape, 1)
	}
	n := len(w.at)
	out := tensor.Data[int64](c.NewOut(0, tensor.Int64, len(w.shape), n))
	for i, at := range w.at {
		for d := len(w.shape) - 1; d >= 0; d-- {
			out[d*n+i] = int64(at % w.shape[d])
			at /= w.shape[d]
		}
	}
	return nil
}

func nonZeroOffsets(dst []int, t *tensor.Tensor) ([]int, error) {
	switch d := t.DType(); {
	case d == tensor.String:
		return appendNonZero(dst, t.Strings()), nil
	case d == tensor.Float32:
		return appendNonZero(dst, tensor.Data[float32](t)), nil
	case d == tensor.Float64:
		return appendNonZero(dst, tensor.Data[float64](t)), nil
	case d == tensor.Complex64:
		return appendNonZero(dst, tensor.Data[complex64](t)), nil
	case d == tensor.Complex128:
		return appendNonZero(dst, tensor.Data[complex128](t)), nil
	case d == tensor.Float16 || d == tensor.BFloat16:
		for i, v := range tensor.Data[uint16](t) {
			if v&0x7fff != 0 { // both zeros
				dst = append(dst, i)
			}
		}
		return dst, nil
	case d == tensor.Bool || d.Size() == 1 && d.IsInteger():
		return appendNonZero(dst, tensor.Data[uint8](t)), nil
	case d.Size() == 2:
		return appendNonZero(dst, tensor.Data[uint16](t)), nil
	case d.Size() == 4:
		return appendNonZero(dst, tensor.Data[uint32](t)), nil
	case d.Size() == 8:
		return appendNonZero(dst, tensor.Data[uint64](t)), nil
	}
	return nil, op.Errorf("NonZero does not work on %v", t.DType())
}

func appendNonZero[T comparable](dst []int, src []T) []int {
	var zero T
	for i, v := range src {
		if v != zero {
			dst = append(dst, i)
		}
	}
	return dst
}
