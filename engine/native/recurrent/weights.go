package recurrent

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// weights are one direction's, packed. n is the number of gates times the
// hidden size.
type weights struct {
	input  *gemm.PackedB // [input size × n]
	state  *gemm.PackedB // [hidden × n]; of a GRU without its last gate
	reset  *gemm.PackedB // GRU: the last gate's part of state
	bias   []float32     // [n], both biases together; nil when there is none
	inner  []float32     // GRU: the bias that the reset gate scales, [hidden]
	peep   []float32     // LSTM: peepholes of the gates i, o, f
	inSize int
}

// pack checks the weights' shapes and prepares each direction's.
func (l *layer) pack(w, r, b, p *tensor.Tensor, directions []direction) error {
	if r.Rank() != 3 || w.Rank() != 3 {
		return op.Errorf("the weights have shapes %v and %v, want three dimensions", slices.Clone(w.Shape()), slices.Clone(r.Shape()))
	}
	hidden, dirs := r.Dim(2), len(directions)
	if l.hidden != 0 && hidden != l.hidden {
		return op.Errorf("the recurrence weights have shape %v, want the last dimension to be hidden_size, %d", slices.Clone(r.Shape()), l.hidden)
	}
	if hidden == 0 {
		return op.Errorf("the recurrence weights have shape %v, want a hidden size of at least 1", slices.Clone(r.Shape()))
	}
	n := l.gates * hidden
	for _, c := range []struct {
		what string
		t    *tensor.Tensor
		want []int
	}{
		{"weights W", w, []int{dirs, n, w.Dim(2)}},
		{"recurrence weights R", r, []int{dirs, n, hidden}},
		{"biases B", b, []int{dirs, 2 * n}},
		{"peepholes P", p, []int{dirs, 3 * hidden}},
	} {
		if c.t != nil && !slices.Equal(c.t.Shape(), c.want) {
			return op.Errorf("the %s have shape %v, want %v", c.what, slices.Clone(c.t.Shape()), c.want)
		}
	}
	fw, fr, fb, fp := floats(w), floats(r), floats(b), floats(p)
	for i := range directions {
		d := &directions[i].weights
		*d = weights{inSize: w.Dim(2)}
		d.input = gemm.PackB(d.inSize, n, fw[i*n*d.inSize:], d.inSize, true)
		l.packState(d, fr[i*n*hidden:][:n*hidden], hidden)
		if b != nil {
			l.addBiases(d, fb[i*2*n:][:n], fb[i*2*n+n:][:n], hidden)
		}
		if p != nil {
			d.peep = fp[i*3*hidden:][:3*hidden]
		}
	}
	return nil
}

func floats(t *tensor.Tensor) []float32 {
	if t == nil {
		return nil
	}
	dst := make([]float32, t.Len())
	op.ReadFloat32s(dst, t)
	return dst
}

func (l *layer) packState(d *weights, r []float32, hidden int) {
	gates := l.gates
	if l.name == "GRU" {
		gates--
		d.reset = gemm.PackB(hidden, hidden, r[gates*hidden*hidden:], hidden, true)
	}
	d.state = gemm.PackB(hidden, gates*hidden, r, hidden, true)
}

// addBiases adds the two biases, except where a GRU's reset gate comes between.
func (l *layer) addBiases(d *weights, w, r []float32, hidden int) {
	d.bias = slices.Clone(w)
	together := len(r)
	if l.name == "GRU" && l.afterReset {
		together -= hidden
		d.inner = r[together:]
	}
	for i, v := range r[:together] {
		d.bias[i] += v
	}
}
