package reduce

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// moments are the mean and the population variance of x, in two passes so
// that a mean far from zero costs no accuracy.
func moments[T float](x []T) (mean, variance float64) {
	n := float64(len(x))
	mean = rowSum[float64](x) / n
	var a, b float64
	i := 0
	for ; i+1 < len(x); i += 2 {
		p, q := float64(x[i])-mean, float64(x[i+1])-mean
		a += p * p
		b += q * q
	}
	if i < len(x) {
		p := float64(x[i]) - mean
		a += p * p
	}
	return mean, (a + b) / n
}

// scaleShift writes x·a + b.
func scaleShift[A, T float](dst, x []T, a, b A) {
	for i, v := range x {
		dst[i] = T(A(v)*a + b)
	}
}

// groupNorm is GroupNormalization and InstanceNormalization, where each
// channel is a group of its own: every group of an instance is brought to
// mean 0 and variance 1, then scaled and shifted by channel.
type groupNorm struct {
	groups   int // 0 for one a channel
	epsilon  float64
	perGroup bool // scale and bias are given by group, as in opset 18
}

func buildGroupNorm(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &groupNorm{epsilon: float64(a.Float("epsilon", 1e-5))}
	if n.Op == "GroupNormalization" {
		k.groups, k.perGroup = a.Int("num_groups", 0), n.Opset < 21
		if k.groups <= 0 {
			return nil, op.Errorf("num_groups must be positive, got %d", k.groups)
		}
	}
	return k, a.Err()
}

// Run normalises input 0, shaped [N, C, ...].
func (k *groupNorm) Run(c *op.Context) error {
	x := c.T(0)
	if x.Rank() < 2 {
		return op.Errorf("the input must have a batch and a channel dimension, got %v", x)
	}
	channels := x.Dim(1)
	groups := k.groups
	if groups == 0 {
		groups = channels
	}
	if groups > 0 && channels%groups != 0 {
		return op.Errorf("%d channels do not divide into %d groups", channels, groups)
	}
	params := channels
	if k.perGroup {
		params = groups
	}
	for i := 1; i <= 2; i++ {
		if c.T(i).Len() != params {
			return op.Errorf("input %d has %d elements, want %d", i, c.T(i).Len(), params)
		}
	}
	out := c.OutLike(0, x.DType(), x)
	switch {
	case x.Len() == 0:
	case x.DType() == tensor.Float64:
		normalizeGroups(k, c, out, tensor.Data[float64](x), x.Shape(), groups)
	default:
		normalizeGroups(k, c, out, op.Float32s(c, 0, x), x.Shape(), groups)
	}
	return nil
}

func normalizeGroups[T float](k *groupNorm, c *op.Context, out *tensor.Tensor, src []T, shape []int, groups int) {
	scale, bias := numeric.Read[T](c, 1, c.T(1)), numeric.Read[T](c, 2, c.T(2))
	dst := numeric.Target[T](c, 3, out)
	inner, perGroup := op.Product(shape[2:]), shape[1]/groups
	for row := range shape[0] * groups {
		size := perGroup * inner
		x, d := src[row*size:(row+1)*size], dst[row*size:(row+1)*size]
		mean, variance := moments(x)
		inverse := 1 / math.Sqrt(variance+k.epsilon)
		for i := range perGroup {
			at := row%groups*perGroup + i
			if k.perGroup {
				at = row % groups
			}
			a := float64(scale[at]) * inverse
			b := float64(bias[at]) - mean*a
			scaleShift(d[i*inner:(i+1)*inner], x[i*inner:(i+1)*inner], a, b)
		}
	}
	numeric.Store(c, 3, out, dst)
}

// lpNorm is LpNormalization: vectors along one axis are divided by their norm
// of order 1 or 2. A vector of zeros stays as it is.
type lpNorm struct{ axis, p int }

func buildLpNorm(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &lpNorm{axis: a.Int("axis", -1), p: a.Int("p", 2)}
	if k.p != 1 && k.p != 2 {
		return nil, op.Errorf("p is %d: only norms of order 1 and 2 are defined", k.p)
	}
	return k, a.Err()
}

// Run normalises input 0.
func (k *lpNorm) Run(c *op.Context) error {
	x := c.T(0)
	axis, err := op.Axis(k.axis, x.Rank())
	if err != nil {
		return err
	}
	out := c.OutLike(0, x.DType(), x)
	if x.DType() == tensor.Float64 {
		divideByNorm(k, c, out, tensor.Data[float64](x), x.Shape(), axis)
	} else {
		divideByNorm(k, c, out, op.Float32s(c, 0, x), x.Shape(), axis)
	}
	return nil
}

func divideByNorm[T float](k *lpNorm, c *op.Context, out *tensor.Tensor, src []T, shape []int, axis int) {
	outer, n, inner := along(shape, axis)
	dst, norm := numeric.Target[T](c, 1, out), op.Scratch[float64](c, 2, inner)
	for o := range outer {
		x, d := src[o*n*inner:(o+1)*n*inner], dst[o*n*inner:(o+1)*n*inner]
		clear(norm)
		if k.p == 1 {
			foldColumns(sumAbs, norm, x)
		} else {
			foldColumns(sumSquare, norm, x)
		}
		for j, v := range norm {
			if k.p == 2 {
				v = math.Sqrt(v)
			}
			norm[j] = v
			if v == 0 {
				norm[j] = 1
			}
		}
		for i, v := range x {
			d[i] = T(float64(v) / norm[i%inner])
		}
	}
	numeric.Store(c, 1, out, dst)
}

// meanVariance is MeanVarianceNormalization: mean 0 and variance 1 over axes.
type meanVariance struct{ axes []int }

func buildMeanVariance(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &meanVariance{axes: a.Ints("axes")}
	if !a.Has("axes") {
		k.axes = []int{0, 2, 3}
	}
	return k, a.Err()
}

// Run normalises input 0.
func (k *meanVariance) Run(c *op.Context) error {
	x, l := c.T(0), op.State[layout](c)
	if err := l.set(x.Shape(), k.axes, true, false); err != nil {
		return err
	}
	out := c.OutLike(0, x.DType(), x)
	switch {
	case x.Len() == 0:
	case x.DType() == tensor.Float64:
		normalizeAxes(c, l, out, tensor.Data[float64](x))
	default:
		normalizeAxes(c, l, out, op.Float32s(c, 0, x))
	}
	return nil
}

func normalizeAxes[T float](c *op.Context, l *layout, out *tensor.Tensor, src []T) {
	// The specification adds this to the deviation, so that constants give 0.
	const epsilon = 1e-9
	mean, deviation := op.Scratch[float64](c, 1, l.size), op.Scratch[float64](c, 2, l.size)
	dst := numeric.Target[T](c, 3, out)
	clear(mean)
	clear(deviation)
	fold(sum, l, mean, src)
	for i := range mean {
		mean[i] /= float64(l.count)
	}
	block := l.kept * l.reduced
	at := 0
	for i, v := range src {
		k := at + l.place(i%block)
		d := float64(v) - mean[k]
		deviation[k] += d * d
		if (i+1)%block == 0 {
			at = l.next(at)
		}
	}
	for i, v := range deviation {
		deviation[i] = math.Sqrt(v/float64(l.count)) + epsilon
	}
	for i, v := range src {
		k := at + l.place(i%block)
		dst[i] = T((float64(v) - mean[k]) / deviation[k])
		if (i+1)%block == 0 {
			at = l.next(at)
		}
	}
	numeric.Store(c, 3, out, dst)
}
