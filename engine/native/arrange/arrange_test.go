package arrange

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

type dims []int

func f32(shape dims, v ...float32) *tensor.Tensor  { return tensor.From(v, shape...) }
func i64(shape dims, v ...int64) *tensor.Tensor    { return tensor.From(v, shape...) }
func text(shape dims, v ...string) *tensor.Tensor  { return tensor.FromStrings(v, shape...) }
func list(v ...int64) *tensor.Tensor               { return i64(dims{len(v)}, v...) }
func vec(v ...float32) *tensor.Tensor              { return f32(dims{len(v)}, v...) }
func tensorOf(v float32) *tensor.Tensor            { return tensor.Scalar(v) }
func scalar(v int64) *tensor.Tensor                { return tensor.Scalar(v) }
func bools(shape dims, v ...bool) *tensor.Tensor   { return tensor.From(v, shape...) }
func f16(shape dims, v ...float32) *tensor.Tensor  { return small(tensor.Float16, shape, v) }
func bf16(shape dims, v ...float32) *tensor.Tensor { return small(tensor.BFloat16, shape, v) }
func in(v ...tensor.Value) []tensor.Value          { return v }
func outs(v ...*tensor.Tensor) []*tensor.Tensor    { return v }

func small(d tensor.DType, shape dims, v []float32) *tensor.Tensor {
	t := tensor.New(d, shape...)
	for i, x := range v {
		if d == tensor.Float16 {
			tensor.Data[tensor.Float16Bits](t)[i] = tensor.ToFloat16(x)
		} else {
			tensor.Data[tensor.BFloat16Bits](t)[i] = tensor.ToBFloat16(x)
		}
	}
	return t
}

// count is 0, 1, 2, … in a shape.
func count(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i, d := 0, tensor.Data[float32](t); i < len(d); i++ {
		d[i] = float32(i)
	}
	return t
}

// example is one call with what it must give, exactly.
type example struct {
	name string
	call optest.Call
	in   []tensor.Value
	want []*tensor.Tensor
}

func same(t *testing.T, got, want *tensor.Tensor) {
	t.Helper()
	switch {
	case got == nil || got.String() != want.String():
		t.Fatalf("got %v, want %v", got, want)
	case !bytes.Equal(got.Bytes(), want.Bytes()):
		t.Fatalf("%v: got %v, want %v", got, optest.Float64s(got), optest.Float64s(want))
	case !slices.Equal(got.Strings(), want.Strings()):
		t.Fatalf("got %q, want %q", got.Strings(), want.Strings())
	}
}

// check runs the examples with dynamic and with constant inputs, and each
// twice, as the second run reuses the first one's memory.
func check(t *testing.T, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.call.Op+"/"+e.name, func(t *testing.T) {
			for _, constant := range []bool{false, true} {
				call := e.call
				call.Outputs, call.Const = len(e.want), constant
				n := optest.Run(t, Ops(), call, e.in...)
				for range 2 {
					for i, w := range e.want {
						same(t, n.Out(i), w)
					}
					if err := n.Run(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// failure is one call that must be refused with a message that contains text.
type failure struct {
	call optest.Call
	in   []tensor.Value
	text string
}

func refuse(t *testing.T, failures []failure) {
	t.Helper()
	for _, f := range failures {
		if got := optest.Error(t, Ops(), f.call, f.in...); !strings.Contains(got, f.text) {
			t.Errorf("%s: error %q does not say %q", f.call.Op, got, f.text)
		}
	}
}

type attrs = optest.Attrs

func call(name string, a attrs) optest.Call { return optest.Call{Op: name, Attrs: a} }

func at(opset int, name string, a attrs) optest.Call {
	return optest.Call{Op: name, Opset: opset, Attrs: a}
}
