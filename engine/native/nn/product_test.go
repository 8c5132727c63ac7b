package nn_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestMatMulShapes(t *testing.T) {
	for _, c := range []struct {
		a, b, shape []int
	}{
		{[]int{2, 3}, []int{3, 4}, []int{2, 4}},
		{[]int{3}, []int{3}, []int{}},
		{[]int{3}, []int{3, 4}, []int{4}},
		{[]int{2, 3}, []int{3}, []int{2}},
		{[]int{3}, []int{5, 3, 4}, []int{5, 4}},
		{[]int{5, 2, 3}, []int{3}, []int{5, 2}},
		{[]int{5, 2, 3}, []int{3, 4}, []int{5, 2, 4}},
		{[]int{5, 1, 2, 3}, []int{7, 3, 4}, []int{5, 7, 2, 4}},
		{[]int{2, 0}, []int{0, 3}, []int{2, 3}},
		{[]int{0, 2, 3}, []int{3, 3}, []int{0, 2, 3}},
		{[]int{2, 3, 4}, []int{1, 4, 0}, []int{2, 3, 0}},
		{[]int{2, 3, 0}, []int{1, 0, 2}, []int{2, 3, 2}},
		{[]int{1 << 20, 0, 3}, []int{1, 3, 2}, []int{1 << 20, 0, 2}},
	} {
		a, b := ramp(c.a...), ramp(c.b...)
		expected := naiveMatMul(a, b, c.shape)
		for _, constant := range []bool{false, true} {
			want(t, call{op: "MatMul", in: tensors(a, b), constant: constant}.run(t)[0], expected, c.shape...)
		}
		wide := convertAll(tensor.Float64, tensors(a, b))
		want(t, call{op: "MatMul", in: wide}.run(t)[0], expected, c.shape...)
	}
}

// naiveMatMul follows the definition, one output element at a time.
func naiveMatMul(a, b *tensor.Tensor, shape []int) []float32 {
	as, bs := slices.Clone(a.Shape()), slices.Clone(b.Shape())
	full := slices.Clone(shape)
	if len(as) == 1 {
		as = []int{1, as[0]}
		full = slices.Insert(full, max(0, len(full)-min(1, len(bs)-1)), 1)
	}
	if len(bs) == 1 {
		bs = []int{bs[0], 1}
		full = append(full, 1)
	}
	x, y := tensor.Data[float32](a), tensor.Data[float32](b)
	out := make([]float32, op.Product(full))
	m, k, n := as[len(as)-2], as[len(as)-1], bs[len(bs)-1]
	batch := full[:len(full)-2]
	sa, sb := op.BroadcastStrides(nil, as[:len(as)-2], batch), op.BroadcastStrides(nil, bs[:len(bs)-2], batch)
	for o := range out {
		j, i, rest := o%n, o/n%m, o/n/m
		oa, ob := 0, 0
		for d := len(batch) - 1; d >= 0; d-- {
			oa, ob, rest = oa+rest%batch[d]*sa[d], ob+rest%batch[d]*sb[d], rest/batch[d]
		}
		var sum float64
		for p := range k {
			sum += float64(x[oa*m*k+i*k+p]) * float64(y[ob*k*n+p*n+j])
		}
		out[o] = float32(sum)
	}
	return out
}

func TestMatMulIntegers(t *testing.T) {
	a, b := tensor.From([]int64{1, -2, 3, 4}, 2, 2), tensor.From([]int64{5, 6, 7, 1 << 40}, 2, 2)
	got := tensor.Data[int64](call{op: "MatMul", in: tensors(a, b)}.run(t)[0])
	if !slices.Equal(got, []int64{-9, 6 - 1<<41, 43, 18 + 1<<42}) {
		t.Errorf("got %v", got)
	}
}

func TestGemm(t *testing.T) {
	a, at := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6), f32([]int{3, 2}, 1, 4, 2, 5, 3, 6)
	b, bt := f32([]int{3, 2}, 1, 0, 0, 1, 2, -1), f32([]int{2, 3}, 1, 0, 2, 0, 1, -1)
	// a·b is [[7 -1] [16 -1]].
	for _, c := range []struct {
		name  string
		in    []*tensor.Tensor
		attrs []*onnx.Attribute
		want  []float32
	}{
		{"plain", tensors(a, b), nil, []float32{7, -1, 16, -1}},
		{"transA", tensors(at, b), attrs(num("transA", 1)), []float32{7, -1, 16, -1}},
		{"transB", tensors(a, bt), attrs(num("transB", 1)), []float32{7, -1, 16, -1}},
		{"both", tensors(at, bt), attrs(num("transA", 1), num("transB", 1)), []float32{7, -1, 16, -1}},
		{"row", tensors(a, b, f32([]int{2}, 10, 20)), attrs(flt("alpha", 2), flt("beta", 0.5)), []float32{19, 8, 37, 8}},
		{"column", tensors(a, b, f32([]int{2, 1}, 10, 20)), attrs(flt("beta", 2)), []float32{27, 19, 56, 39}},
		{"full", tensors(a, b, f32([]int{2, 2}, 1, 2, 3, 4)), nil, []float32{8, 1, 19, 3}},
		{"scalar", tensors(a, b, f32([]int{}, 1)), nil, []float32{8, 0, 17, 0}},
		{"one element", tensors(a, b, f32([]int{1}, 1)), nil, []float32{8, 0, 17, 0}},
		{"no beta", tensors(a, b, f32([]int{1}, 1)), attrs(flt("beta", 0)), []float32{7, -1, 16, -1}},
		{"no alpha", tensors(a, b, f32([]int{1}, 1)), attrs(flt("alpha", 0)), []float32{1, 1, 1, 1}},
	} {
		for _, d := range []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float16} {
			for _, constant := range []bool{false, true} {
				t.Run(c.name, func(t *testing.T) {
					want(t, call{op: "Gemm", in: convertAll(d, c.in), attrs: c.attrs, constant: constant}.run(t)[0], c.want, 2, 2)
				})
			}
		}
	}
}

func TestFusedMatMul(t *testing.T) {
	fused := call{domain: op.Internal, op: "FusedMatMul", attrs: attrs(str("activation", "Relu")),
		in: tensors(f32([]int{1, 2, 2}, 1, 2, 3, 4), f32([]int{2, 2}, 1, -1, 1, -1), f32([]int{2}, -4, 4))}
	for _, constant := range []bool{false, true} {
		fused.constant = constant
		want(t, fused.run(t)[0], []float32{0, 1, 3, 0}, 1, 2, 2)
	}
}

// TestProductRows computes rows alone and together.
func TestProductRows(t *testing.T) {
	for _, n := range []int{1, 10, 33, 200} {
		x, w, b := ramp(19, 70), ramp(70, n), ramp(n)
		all := tensor.Data[float32](call{op: "Gemm", in: tensors(x, w, b), constant: true}.run(t)[0])
		for i := range 19 {
			row := tensor.From(tensor.Data[float32](x)[i*70:][:70], 1, 70)
			one := tensor.Data[float32](call{op: "Gemm", in: tensors(row, w, b), constant: true}.run(t)[0])
			if !slices.Equal(one, all[i*n:][:n]) {
				t.Fatalf("%d columns: row %d differs when alone", n, i)
			}
		}
	}
}

func TestEinsum(t *testing.T) {
	a := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	square := f32([]int{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8)
	for _, c := range []struct {
		equation string
		in       []*tensor.Tensor
		want     []float32
		shape    []int
	}{
		{"ij->ji", tensors(a), []float32{1, 4, 2, 5, 3, 6}, []int{3, 2}},
		{"ij->", tensors(a), []float32{21}, []int{}},
		{"ij->i", tensors(a), []float32{6, 15}, []int{2}},
		{"...ii ->...i", tensors(square), []float32{1, 4, 5, 8}, []int{2, 2}},
		{"bii", tensors(square), []float32{5, 13}, []int{2}},
		{"ij,jk", tensors(a, f32([]int{3, 1}, 1, 0, -1)), []float32{-2, -2}, []int{2, 1}},
		{"ij, ij -> i", tensors(a, a), []float32{14, 77}, []int{2}},
		{"i,j->ij", tensors(f32([]int{2}, 1, 2), f32([]int{3}, 1, 10, 100)), []float32{1, 10, 100, 2, 20, 200}, []int{2, 3}},
		{"...ij,...jk->...ik", tensors(square, f32([]int{1, 2, 1}, 1, -1)), []float32{-1, -1, -1, -1}, []int{2, 2, 1}},
		{"bij,bjk,k->bi", tensors(square, square, f32([]int{2}, 1, -1)), []float32{-3, -7, -11, -15}, []int{2, 2}},
		{"ba", tensors(a), []float32{1, 4, 2, 5, 3, 6}, []int{3, 2}},
		{"ij,kj->k", tensors(a, f32([]int{1, 3}, 1, 1, 1)), []float32{21}, []int{1}},
		{"ij,k->i", tensors(a, f32([]int{2}, 1, 1)), []float32{12, 30}, []int{2}},
	} {
		k := call{op: "Einsum", in: c.in, attrs: attrs(str("equation", c.equation))}
		t.Run(c.equation, func(t *testing.T) {
			want(t, k.run(t)[0], c.want, c.shape...)
			k.in = convertAll(tensor.Float16, c.in)
			want(t, k.run(t)[0], c.want, c.shape...)
			k.in = convertAll(tensor.Float64, c.in)
			want(t, k.run(t)[0], c.want, c.shape...)
		})
	}
}

func TestProductErrors(t *testing.T) {
	a := ramp(2, 3)
	for _, c := range []struct {
		want string
		call call
	}{
		{"inner dimensions differ (3 and 2)", call{op: "MatMul", in: tensors(a, a)}},
		{"neither may be a scalar", call{op: "MatMul", in: tensors(a, ramp())}},
		{"do not broadcast", call{op: "MatMul", in: tensors(ramp(2, 3, 4), ramp(3, 4, 5))}},
		{"want one type", call{op: "MatMul", in: tensors(a, tensor.New(tensor.Float64, 3, 2))}},
		{"inner dimensions differ", call{op: "Gemm", in: tensors(a, a)}},
		{"want two matrices", call{op: "Gemm", in: tensors(a, ramp(3))}},
		{"does not broadcast to [2 4]", call{op: "Gemm", in: tensors(a, ramp(3, 4), ramp(3))}},
		{"cannot be fused", call{domain: op.Internal, op: "FusedGemm", in: tensors(a, ramp(3, 4)), attrs: attrs(str("activation", "Sort"))}},
		{"the bias has 3 elements", call{domain: op.Internal, op: "FusedMatMul", in: tensors(a, ramp(3, 4), ramp(3))}},
		{"3 terms for 1 inputs", einsum("a,b,c", a)},
		{"cannot be read from", einsum("a1->a", a)},
		{"cannot be read from", einsum("......->", a)},
		{"in the output only", einsum("ab->c", a)},
		{"twice", einsum("ab->aa", a)},
		{"does not fit its term", einsum("abc->a", a)},
		{"is 3 in another place", einsum("ab,cb->ac", a, ramp(2, 4))},
		{"limit", einsum("a,b,c->abc", ramp(1<<10), ramp(1<<10), ramp(1<<20))},
	} {
		_, _, err := guarded(t, c.call)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.call.op, err, c.want)
		}
	}
}

func einsum(equation string, in ...*tensor.Tensor) call {
	return call{op: "Einsum", in: in, attrs: attrs(str("equation", equation))}
}

// TestEinsumIntegers has sums that wrap around in 8 bits.
func TestEinsumIntegers(t *testing.T) {
	a := tensor.From([]int8{100, 27, -128, 2}, 2, 2)
	got := tensor.Data[int8](einsum("ij,jk->ik", a, a).run(t)[0])
	if !slices.Equal(got, []int8{-112, -62, 0, -124}) {
		t.Errorf("int8: got %v", got)
	}
	wide := tensor.From([]uint64{1 << 40, 3, 5, 7}, 2, 2)
	if got := tensor.Data[uint64](einsum("ij->j", wide).run(t)[0]); !slices.Equal(got, []uint64{1<<40 + 5, 10}) {
		t.Errorf("uint64: got %v", got)
	}
}
