package optest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Monkey calls every operator of defs many times with inputs of odd shapes
// and values, and with attributes drawn from the candidates given by name.
// Each call must give output 0 or an error; a panic fails the test.
func Monkey(t *testing.T, defs []op.Def, candidates map[string][]any) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 5))
	for _, d := range defs {
		served := 0
		for range 1500 {
			if ok := monkeyCall(t, r, d, candidates); ok {
				served++
			}
		}
		t.Logf("%s: %d of 1500 calls gave a result", d.Name, served)
	}
}

func monkeyCall(t *testing.T, r *rand.Rand, d op.Def, candidates map[string][]any) bool {
	call := Call{Domain: d.Domain, Op: d.Name, Attrs: Attrs{}, Outputs: 1 + r.IntN(3), Const: r.IntN(3) == 0}
	call.Opset = max(d.Since, 7) + r.IntN(28-max(d.Since, 7)+1)
	for name, values := range candidates {
		if r.IntN(3) > 0 {
			call.Attrs[name] = values[r.IntN(len(values))]
		}
	}
	shape := oddShape(r)
	var in []tensor.Value
	for i := range r.IntN(6) {
		if i > 0 && r.IntN(5) == 0 {
			in = append(in, nil)
			continue
		}
		if r.IntN(3) == 0 {
			shape = oddShape(r)
		}
		in = append(in, oddTensor(r, d, i, shape))
	}
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s at opset %d with %v on %s: panic: %v", d.Name, call.Opset, call.Attrs, describe(in), p)
		}
	}()
	n, err := Build([]op.Def{d}, call, in...)
	if err != nil {
		return false
	}
	n.Context.MaxBytes = 1 << 20
	if n.Run() != nil {
		return false
	}
	if n.Context.Out[0] == nil {
		t.Errorf("%s at opset %d with %v on %s: no output", d.Name, call.Opset, call.Attrs, describe(in))
	}
	return true
}

func describe(in []tensor.Value) string {
	s := ""
	for _, v := range in {
		if v == nil {
			s += " -"
			continue
		}
		s += fmt.Sprint(" ", v.Type())
		if x := v.(*tensor.Tensor); x.Len() < 10 && op.Numbers.Has(x.DType()) {
			s += fmt.Sprint(Float64s(x))
		}
	}
	return s
}

func oddShape(r *rand.Rand) []int {
	shape := make([]int, r.IntN(5))
	for i := range shape {
		shape[i] = []int{0, 1, 1, 2, 2, 3, 4}[r.IntN(7)]
	}
	return shape
}

// oddTensor has the element type that the operator takes for input i, most of
// the time, and values of which some are far from reasonable.
func oddTensor(r *rand.Rand, d op.Def, i int, shape []int) *tensor.Tensor {
	dtype := tensor.Float32
	if len(d.Types) > 0 {
		if set := d.Types[min(i, len(d.Types)-1)]; len(set) > 0 {
			dtype = set[r.IntN(len(set))]
		}
	}
	t := tensor.New(dtype, shape...)
	if !op.Numbers.Has(dtype) {
		return t
	}
	v := make([]float64, t.Len())
	for i := range v {
		v[i] = float64(r.IntN(9) - 3)
		switch r.IntN(40) {
		case 0:
			v[i] = math.NaN()
		case 1:
			v[i] = math.Inf(1)
		case 2:
			v[i] = -1e30
		case 3:
			v[i] = 1 << 40
		}
	}
	var c op.Context
	numeric.Write(&c, 0, t, v)
	return t
}
