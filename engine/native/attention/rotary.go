package attention

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// rotary is RotaryEmbedding (Su et al., "RoFormer", 2021): it turns pairs of
// elements of each head by an angle that grows with the position.
type rotary struct {
	heads       int // of inputs with three dimensions
	size        int // how much of each head is turned; 0 is all
	interleaved bool
}

func buildRotary(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &rotary{heads: a.Int("num_heads", 0), size: a.Int("rotary_embedding_dim", 0), interleaved: a.Bool("interleaved", false)}
	if k.size < 0 || k.size%2 != 0 {
		return nil, op.Errorf("attribute rotary_embedding_dim is %d, want an even number", k.size)
	}
	return k, a.Err()
}

// Run turns every head.
func (k *rotary) Run(c *op.Context) error {
	x := c.T(0)
	if x.Rank() != 3 && x.Rank() != 4 {
		return op.Errorf("the input is %v, want three or four dimensions", x)
	}
	n, length, size, err := split(x, k.heads)
	if err != nil {
		return err
	}
	turned := k.size
	if turned == 0 {
		turned = size
	}
	if turned > size || turned%2 != 0 {
		return op.Errorf("%d elements of a head of %d are to be turned, want an even number within it", turned, size)
	}
	rows, err := angleRows(c, x.Dim(0), length, turned/2)
	if err != nil {
		return err
	}
	out := c.OutLike(0, x.DType(), x)
	if out.Len() == 0 {
		return nil
	}
	src, dst := op.Float32s(c, 0, x), output[float32](c, 1, out)
	from, to := viewHeads(src, x.Rank() == 3, n, length, size), viewHeads(dst, x.Rank() == 3, n, length, size)
	for b := range x.Dim(0) {
		for h := range n {
			for s := range length {
				in, res := from.matrix(b, h, s)[:size], to.matrix(b, h, s)[:size]
				copy(res[turned:], in[turned:])
				cos, sin := rows.at(b*length + s)
				k.turn(res[:turned], in[:turned], cos, sin)
			}
		}
	}
	write(out, dst)
	return nil
}

// turn turns the pairs (i, i+half), or neighbours when interleaved.
func (k *rotary) turn(dst, src, cos, sin []float32) {
	half, second, step := len(src)/2, len(src)/2, 1
	if k.interleaved {
		second, step = 1, 2
	}
	for i := range half {
		x, y := src[i*step], src[i*step+second]
		dst[i*step] = float32(cos[i]*x) - float32(sin[i]*y)
		dst[i*step+second] = float32(sin[i]*x) + float32(cos[i]*y)
	}
}

// angles are the rows of the caches that belong to each token.
type angles struct {
	cos, sin  []float32
	width     int
	positions []int64 // row of each token; nil when the rows are in order
}

func (a *angles) at(token int) (cos, sin []float32) {
	if a.positions != nil {
		token = int(a.positions[token])
	}
	return a.cos[token*a.width:][:a.width], a.sin[token*a.width:][:a.width]
}

func angleRows(c *op.Context, batch, length, width int) (a angles, err error) {
	cos, sin, positions := c.T(1), c.T(2), c.T(3)
	rank := 3
	if positions != nil {
		rank = 2
	}
	for _, t := range []*tensor.Tensor{cos, sin} {
		if t.Rank() != rank || t.Dim(-1) != width || t.Len() != cos.Len() {
			return a, op.Errorf("the caches are %v and %v, want %d dimensions with %d last", cos, sin, rank, width)
		}
	}
	a = angles{cos: op.Float32s(c, 2, cos), sin: op.Float32s(c, 3, sin), width: width}
	if positions == nil {
		if cos.Dim(0) != batch || cos.Dim(1) != length {
			return a, op.Errorf("the caches are %v, want [%d,%d,%d]", cos, batch, length, width)
		}
		return a, nil
	}
	a.positions = tensor.Data[int64](positions)
	if len(a.positions) != batch*length {
		return a, op.Errorf("position_ids is %v, want [%d,%d]", positions, batch, length)
	}
	for i, p := range a.positions {
		if p < 0 || p >= int64(cos.Dim(0)) {
			return a, op.Errorf("position_ids element %d is %d, want 0 to %d", i, p, cos.Dim(0)-1)
		}
	}
	return a, nil
}
