package reduce

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// lrn is LRN, local response normalization: x / (bias + alpha/size·s)^beta, s
// being the sum of squares over a window of size channels.
type lrn struct {
	size              int
	alpha, beta, bias float64
}

func buildLRN(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &lrn{
		size:  a.Int("size", 0),
		alpha: float64(a.Float("alpha", 1e-4)),
		beta:  float64(a.Float("beta", 0.75)),
		bias:  float64(a.Float("bias", 1)),
	}
	if k.size <= 0 {
		return nil, op.Errorf("size must be positive, got %d", k.size)
	}
	return k, a.Err()
}

// Run normalises input 0, shaped [N, C, ...].
func (k *lrn) Run(c *op.Context) error {
	x := c.T(0)
	if x.Rank() < 2 {
		return op.Errorf("the input must have a batch and a channel dimension, got %v", x)
	}
	out := c.OutLike(0, x.DType(), x)
	if x.DType() == tensor.Float64 {
		normalizeLocally(k, c, out, tensor.Data[float64](x), x.Shape())
	} else {
		normalizeLocally(k, c, out, op.Float32s(c, 0, x), x.Shape())
	}
	return nil
}

func normalizeLocally[T float](k *lrn, c *op.Context, out *tensor.Tensor, src []T, shape []int) {
	batch, channels, inner := along(shape, 1)
	dst, squares := numeric.Target[T](c, 1, out), op.Scratch[float64](c, 2, inner)
	scale := k.alpha / float64(k.size)
	below, above := (k.size-1)/2, k.size/2
	for n := range batch {
		image := src[n*channels*inner : (n+1)*channels*inner]
		for i := range channels {
			first, last := max(0, i-below), min(channels-1, i+above)
			clear(squares)
			foldColumns(sumSquare, squares, image[first*inner:(last+1)*inner])
			d := dst[(n*channels+i)*inner:][:inner]
			for j, v := range image[i*inner : (i+1)*inner] {
				d[j] = T(float64(v) / math.Pow(k.bias+scale*squares[j], k.beta))
			}
		}
	}
	numeric.Store(c, 1, out, dst)
}
