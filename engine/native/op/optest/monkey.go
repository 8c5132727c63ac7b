package optest

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Seed is a call that works, for Monkey to spoil.
type Seed struct {
	Call Call
	In   []tensor.Value
}

// Monkey calls every operator of defs many times with inputs of odd shapes
// and values, and with attributes drawn from the candidates given by name; and
// it calls each seed many times with something in it spoiled. Each call must
// give output 0 or an error; a panic fails the test.
func Monkey(t *testing.T, defs []op.Def, candidates map[string][]any, seeds ...Seed) {
	t.Helper()
	m := monkey{t, rand.New(rand.NewPCG(3, 5)), candidates}
	for _, d := range defs {
		for range 500 {
			m.call([]op.Def{d}, m.invent(d))
		}
	}
	for _, s := range seeds {
		for range 500 {
			m.call(defs, m.spoil(s))
		}
	}
}

type monkey struct {
	t          *testing.T
	r          *rand.Rand
	candidates map[string][]any
}

// invent makes up a call of d.
func (m monkey) invent(d op.Def) Seed {
	s := Seed{Call: Call{Domain: d.Domain, Op: d.Name, Attrs: Attrs{}, Outputs: 1 + m.r.IntN(3)}}
	s.Call.Opset = max(d.Since, 7) + m.r.IntN(28-max(d.Since, 7)+1)
	for _, name := range slices.Sorted(maps.Keys(m.candidates)) {
		m.setAttr(&s.Call, name, 3)
	}
	shape := oddShape(m.r)
	for i := range m.r.IntN(6) {
		if m.r.IntN(3) == 0 {
			shape = oddShape(m.r)
		}
		dtype := tensor.Float32
		if len(d.Types) > 0 {
			if set := d.Types[min(i, len(d.Types)-1)]; len(set) > 0 {
				dtype = set[m.r.IntN(len(set))]
			}
		}
		s.In = append(s.In, oddTensor(m.r, dtype, shape))
	}
	return s
}

// setAttr gives the call a candidate for the attribute, but once in n times.
func (m monkey) setAttr(c *Call, name string, n int) {
	if values := m.candidates[name]; m.r.IntN(n) > 0 {
		c.Attrs[name] = values[m.r.IntN(len(values))]
	}
}

// spoil changes one or two things about a call.
func (m monkey) spoil(s Seed) Seed {
	attrs := Attrs{}
	maps.Copy(attrs, s.Call.Attrs)
	s.Call.Attrs, s.In = attrs, slices.Clone(s.In)
	for range 1 + m.r.IntN(2) {
		i := m.r.IntN(len(s.In))
		x, ok := s.In[i].(*tensor.Tensor)
		switch pick := m.r.IntN(6); {
		case pick == 0 || !ok:
			s.In[i] = nil
		case pick == 1:
			s.In[i] = oddTensor(m.r, x.DType(), oddShape(m.r))
		case pick == 2 && len(m.candidates) > 0:
			names := slices.Sorted(maps.Keys(m.candidates))
			m.setAttr(&s.Call, names[m.r.IntN(len(names))], 100)
		case op.Numbers.Has(x.DType()):
			s.In[i] = sprinkle(m.r, x)
		}
	}
	return s
}

func (m monkey) call(defs []op.Def, s Seed) {
	m.t.Helper()
	s.Call.Const = m.r.IntN(3) == 0
	defer func() {
		if p := recover(); p != nil {
			m.t.Errorf("%s at opset %d with %v on %s: panic: %v", s.Call.Op, s.Call.Opset, s.Call.Attrs, describe(s.In), p)
		}
	}()
	n, err := Build(defs, s.Call, s.In...)
	if err != nil {
		return
	}
	n.Context.MaxBytes = 1 << 20
	if n.Run() == nil && n.Context.Out[0] == nil {
		m.t.Errorf("%s at opset %d with %v on %s: no output", s.Call.Op, s.Call.Opset, s.Call.Attrs, describe(s.In))
	}
}

// sprinkle puts odd values into a copy of x.
func sprinkle(r *rand.Rand, x *tensor.Tensor) *tensor.Tensor {
	odd, v := oddTensor(r, x.DType(), x.Shape()), x.Clone()
	size := x.DType().Size()
	for i := range x.Len() {
		if r.IntN(4) == 0 {
			copy(v.Bytes()[i*size:(i+1)*size], odd.Bytes()[i*size:])
		}
	}
	return v
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

// oddTensor has values of which some are far from reasonable.
func oddTensor(r *rand.Rand, dtype tensor.DType, shape []int) *tensor.Tensor {
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
