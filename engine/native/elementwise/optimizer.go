package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// training is the domain of the optimizers.
const training = "ai.onnx.preview.training"

// update moves one parameter x along its gradient g. v and h are what the
// optimizer remembers of it; those with one memory use v.
type update func(x, g, v, h float64) (newX, newV, newH float64)

// optimizer is one training step for any number of tensors. Inputs are the
// learning rate, the count of past updates, then all parameters, all
// gradients, and all memories; outputs are the parameters and memories.
type optimizer struct {
	memories int
	// at gives the update for a learning rate and a count of past updates.
	at func(rate float64, count int64) update
}

func optimizerOps() []op.Def {
	return []op.Def{
		optimizerDef("Momentum", buildMomentum),
		optimizerDef("Adagrad", buildAdagrad),
		optimizerDef("Adam", buildAdam),
	}
}

func optimizerDef(name string, build func(*op.Node) (op.Kernel, error)) op.Def {
	floats := op.TypeSet{tensor.Float32, tensor.Float64}
	return op.Def{
		Domain: training,
		Name:   name,
		Types:  []op.TypeSet{floats, {tensor.Int64}, floats},
		Build:  build,
	}
}

func (k *optimizer) Run(c *op.Context) error {
	given := len(c.In) - 2
	if given%(2+k.memories) != 0 {
		return op.Errorf("got %d inputs, want 2 and %d for each tensor", len(c.In), 2+k.memories)
	}
	rate, count := c.T(0), c.T(1)
	if rate.Len() != 1 || count.Len() != 1 {
		return op.Errorf("the learning rate and the update count must be scalars")
	}
	var r [1]float64
	read(r[:], source{Tensor: rate})
	step := k.at(r[0], tensor.Data[int64](count)[0])
	n := given / (2 + k.memories)
	for i := range n {
		if err := k.step(c, step, i, n); err != nil {
			return err
		}
	}
	return nil
}

// step updates the i-th of n tensors.
func (k *optimizer) step(c *op.Context, step update, i, n int) error {
	x := c.T(2 + i)
	if x == nil {
		return op.Errorf("tensor %d is missing", i)
	}
	for j := 1; j < 2+k.memories; j++ {
		t := c.T(2 + i + j*n)
		if t == nil || t.DType() != x.DType() || !sameShape(t.Shape(), x.Shape()) {
			return op.Errorf("input %d does not have the type and shape of input %d, %v", 2+i+j*n, 2+i, x)
		}
	}
	if x.DType() == tensor.Float64 {
		optimize[float64](c, k, step, i, n)
	} else {
		optimize[float32](c, k, step, i, n)
	}
	return nil
}

func optimize[T float32 | float64](c *op.Context, k *optimizer, step update, i, n int) {
	in := func(j int) []T { return tensor.Data[T](c.T(2 + i + j*n)) }
	x, g, v := in(0), in(1), in(2)
	like := c.T(2 + i)
	newX := tensor.Data[T](c.OutLike(i, like.DType(), like))
	newV := tensor.Data[T](c.OutLike(i+n, like.DType(), like))
	h, newH := v, newV
	if k.memories == 2 {
		h, newH = in(3), tensor.Data[T](c.OutLike(i+2*n, like.DType(), like))
	}
	for e := range x {
		nx, nv, nh := step(float64(x[e]), float64(g[e]), float64(v[e]), float64(h[e]))
		newH[e] = T(nh)
		newX[e], newV[e] = T(nx), T(nv)
	}
}

func buildMomentum(n *op.Node) (op.Kernel, error) {
	attrs := n.ReadAttrs()
	alpha, beta := float64(attrs.Float("alpha", 0)), float64(attrs.Float("beta", 0))
	norm := float64(attrs.Float("norm_coefficient", 0))
	mode := attrs.String("mode", "standard")
	if mode != "standard" && mode != "nesterov" {
		return nil, op.Errorf("attribute \"mode\" is %q, want standard or nesterov", mode)
	}
	at := func(rate float64, count int64) update {
		beta := beta
		if count <= 0 {
			beta = 1
		}
		return func(x, g, v, _ float64) (float64, float64, float64) {
			g += norm * x
			v = alpha*v + beta*g
			if mode == "nesterov" {
				return x - rate*(g+alpha*v), v, v
			}
			return x - rate*v, v, v
		}
	}
	return &optimizer{memories: 1, at: at}, attrs.Err()
}

func buildAdagrad(n *op.Node) (op.Kernel, error) {
	attrs := n.ReadAttrs()
	decay, epsilon := float64(attrs.Float("decay_factor", 0)), float64(attrs.Float("epsilon", 1e-6))
	norm := float64(attrs.Float("norm_coefficient", 0))
	at := func(rate float64, count int64) update {
		rate /= 1 + float64(count)*decay
		return func(x, g, h, _ float64) (float64, float64, float64) {
			g += norm * x
			h += g * g
			return x - rate*g/(math.Sqrt(h)+epsilon), h, h
		}
	}
	return &optimizer{memories: 1, at: at}, attrs.Err()
}

func buildAdam(n *op.Node) (op.Kernel, error) {
	attrs := n.ReadAttrs()
	alpha, beta := float64(attrs.Float("alpha", 0.9)), float64(attrs.Float("beta", 0.999))
	epsilon := float64(attrs.Float("epsilon", 1e-6))
	norm, post := float64(attrs.Float("norm_coefficient", 0)), float64(attrs.Float("norm_coefficient_post", 0))
	at := func(rate float64, count int64) update {
		if count > 0 {
			t := float64(count)
			rate *= math.Sqrt(1-math.Pow(beta, t)) / (1 - math.Pow(alpha, t))
		}
		return func(x, g, v, h float64) (float64, float64, float64) {
			g += norm * x
			v = alpha*v + (1-alpha)*g
			h = beta*h + (1-beta)*g*g
			x -= rate * v / (math.Sqrt(h) + epsilon)
			return (1 - post) * x, v, h
		}
	}
	return &optimizer{memories: 2, at: at}, attrs.Err()
}
