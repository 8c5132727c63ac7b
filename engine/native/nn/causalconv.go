package nn

import (
	"github.com/greenlight-dev/greenlight/engine/native/elementwise"
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// causalConv is CausalConvWithState: each channel is convolved along time with
// its own kernel, which sees the present and the past only. The end of the
// sequence is handed on as the past of the next call.
type causalConv struct {
	activate func([]float32) // nil for none
}

func buildCausalConv(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	name := a.String("activation", "none")
	if err := a.Err(); err != nil {
		return nil, err
	}
	k := &causalConv{}
	switch name {
	case "none":
	case "silu", "swish":
		k.activate, _ = elementwise.Activation("Swish", 1, 0)
	default:
		return nil, op.Errorf("attribute activation is %q, want silu, swish or none", name)
	}
	return k, nil
}

func inferCausalConv(n *op.Node) error {
	n.SetOut(0, n.Arg(0).Type)
	n.SetOut(1, tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)})
	return nil
}

// Run convolves.
func (k *causalConv) Run(c *op.Context) error {
	x, w, b, past := c.T(0), c.T(1), c.T(2), c.T(3)
	if x.Rank() != 3 || w.Rank() != 3 || w.Dim(0) != x.Dim(1) || w.Dim(1) != 1 || w.Dim(2) < 1 {
		return op.Errorf("the input is %v and the weights are %v, want [N,C,L] and [C,1,K]", x, w)
	}
	batch, channels, length, taps := x.Dim(0), x.Dim(1), x.Dim(2), w.Dim(2)
	if b != nil && b.Len() != channels {
		return op.Errorf("the bias is %v, want one value for each of %d channels", b, channels)
	}
	if past != nil && (past.Rank() != 3 || past.Dim(0) != batch || past.Dim(1) != channels || past.Dim(2) != taps-1) {
		return op.Errorf("past_state is %v, want [%d,%d,%d]", past, batch, channels, taps-1)
	}
	out := c.NewOut(0, x.DType(), batch, channels, length)
	present := c.NewOut(1, x.DType(), batch, channels, taps-1)
	src, weights := op.Float32s(c, 0, x), op.Float32s(c, 1, w)
	dst, state := numeric.Target[float32](c, 4, out), numeric.Target[float32](c, 5, present)
	line := op.Scratch[float32](c, 6, taps-1+length)
	var bias, before []float32
	if b != nil {
		bias = op.Float32s(c, 2, b)
	}
	if past != nil {
		before = op.Float32s(c, 3, past)
	}
	if out.Len()+present.Len() == 0 {
		return nil
	}
	for i := range batch * channels {
		clear(line[:taps-1])
		if before != nil {
			copy(line, before[i*(taps-1):][:taps-1])
		}
		copy(line[taps-1:], src[i*length:][:length])
		k.channel(dst[i*length:][:length], line, weights[i%channels*taps:][:taps], bias, i%channels)
		copy(state[i*(taps-1):][:taps-1], line[length:])
	}
	numeric.Store(c, 4, out, dst)
	numeric.Store(c, 5, present, state)
	return nil
}

// channel convolves one line, which begins with the past.
func (k *causalConv) channel(dst, line, weights, bias []float32, channel int) {
	clear(dst)
	for tap, v := range weights {
		gemm.Axpy(dst, v, line[tap:][:len(dst)])
	}
	if bias != nil {
		for i := range dst {
			dst[i] += bias[channel]
		}
	}
	if k.activate != nil {
		k.activate(dst)
	}
}
