package reduce

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// batchNorm is BatchNormalization. At inference it is one multiplication and
// one addition for each element; in training mode the batch's own mean and
// variance are used, and running ones are put out.
type batchNorm struct {
	epsilon  float64
	momentum float64
	training bool
	// perActivation is the old spatial=0: every feature has statistics of
	// its own, not every channel.
	perActivation bool

	// scale and shift are set when all parameters are constant.
	scale, shift []float64
}

func buildBatchNorm(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &batchNorm{
		epsilon:       float64(a.Float("epsilon", 1e-5)),
		momentum:      float64(a.Float("momentum", 0.9)),
		perActivation: n.Opset < 9 && !a.Bool("spatial", true),
		training:      a.Bool("training_mode", false),
	}
	if n.Opset < 14 { // training was meant by asking for its outputs
		k.training = n.Wants(1) || n.Wants(2) || n.Wants(3) || n.Wants(4)
	}
	if k.training || a.Err() != nil {
		return k, a.Err()
	}
	return k, k.pack(n)
}

// pack prepares constant parameters; with any of them missing it does nothing.
func (k *batchNorm) pack(n *op.Node) error {
	var c op.Context
	c.Init(5, 0, nil)
	for i := 1; i < 5; i++ {
		t := n.Arg(i).Tensor()
		if t == nil {
			return nil
		}
		c.In[i] = t
	}
	if err := k.checkParams(&c, c.T(1).Len()); err != nil {
		return err
	}
	k.scale, k.shift = k.affine(&c, numeric.Read[float64](&c, 3, c.T(3)), numeric.Read[float64](&c, 4, c.T(4)))
	return nil
}

func (k *batchNorm) checkParams(c *op.Context, channels int) error {
	for i := 1; i < 5; i++ {
		if c.T(i).Len() != channels {
			return op.Errorf("input %d has %d elements, want %d, one for each channel", i, c.T(i).Len(), channels)
		}
	}
	return nil
}

// affine gives a and b so that the result is x·a + b, in scratch slices 5 and 6.
func (k *batchNorm) affine(c *op.Context, mean, variance []float64) (a, b []float64) {
	scale, bias := numeric.Read[float64](c, 1, c.T(1)), numeric.Read[float64](c, 2, c.T(2))
	a, b = op.Scratch[float64](c, 5, len(mean)), op.Scratch[float64](c, 6, len(mean))
	for i := range a {
		a[i] = scale[i] / math.Sqrt(variance[i]+k.epsilon)
		b[i] = bias[i] - mean[i]*a[i]
	}
	return a, b
}

// split views the input as batch×channels×inner.
func (k *batchNorm) split(shape []int) (batch, channels, inner int) {
	switch {
	case len(shape) == 0:
		return 1, 1, 1
	case len(shape) == 1: // one channel, says the specification
		return shape[0], 1, 1
	case k.perActivation:
		return shape[0], op.Product(shape[1:]), 1
	}
	return along(shape, 1)
}

// Run normalises input 0.
func (k *batchNorm) Run(c *op.Context) error {
	x := c.T(0)
	batch, channels, inner := k.split(x.Shape())
	if err := k.checkParams(c, channels); err != nil {
		return err
	}
	out := c.OutLike(0, x.DType(), x)
	if x.DType() == tensor.Float64 {
		normalizeBatch(k, c, out, tensor.Data[float64](x), batch, channels, inner)
	} else {
		normalizeBatch(k, c, out, op.Float32s(c, 0, x), batch, channels, inner)
	}
	return nil
}

func normalizeBatch[T float](k *batchNorm, c *op.Context, out *tensor.Tensor, src []T, batch, channels, inner int) {
	a, b := k.scale, k.shift
	switch {
	case k.training:
		a, b = trainBatch(k, c, src, batch, channels, inner)
	case a == nil:
		a, b = k.affine(c, numeric.Read[float64](c, 3, c.T(3)), numeric.Read[float64](c, 4, c.T(4)))
	}
	dst := numeric.Target[T](c, 7, out)
	for n := range batch {
		if inner == 1 {
			scaleShiftEach(dst[n*channels:(n+1)*channels], src[n*channels:(n+1)*channels], a, b)
			continue
		}
		for i := range channels {
			at := (n*channels + i) * inner
			scaleShift(dst[at:at+inner], src[at:at+inner], T(a[i]), T(b[i]))
		}
	}
	numeric.Store(c, 7, out, dst)
}

// scaleShiftEach writes x·a + b, every element with its own a and b.
func scaleShiftEach[T float](dst, x []T, a, b []float64) {
	for i, v := range x {
		dst[i] = v*T(a[i]) + T(b[i])
	}
}

// trainBatch takes the statistics of the batch and writes the outputs 1 to 4:
// the running mean and variance, and, before opset 14, the batch's own.
func trainBatch[T float](k *batchNorm, c *op.Context, src []T, batch, channels, inner int) (a, b []float64) {
	stats := op.Scratch[float64](c, 8, 4*channels)
	mean, variance := stats[:channels], stats[channels:2*channels]
	runMean, runVariance := stats[2*channels:3*channels], stats[3*channels:]
	channelMoments(mean, variance, src, batch, inner)
	oldMean, oldVariance := numeric.Read[float64](c, 3, c.T(3)), numeric.Read[float64](c, 4, c.T(4))
	for i := range channels {
		runMean[i] = oldMean[i]*k.momentum + mean[i]*(1-k.momentum)
		runVariance[i] = oldVariance[i]*k.momentum + variance[i]*(1-k.momentum)
	}
	results := [4][]float64{runMean, runVariance, mean, variance}
	for i, v := range results {
		if c.Wants(i + 1) {
			numeric.Write(c, 9, c.OutLike(i+1, c.T(3).DType(), c.T(3)), v)
		}
	}
	return k.affine(c, mean, variance)
}

// channelMoments takes each channel's mean and variance over batch and inner.
func channelMoments[T float](mean, variance []float64, src []T, batch, inner int) {
	clear(mean)
	clear(variance)
	channels, n := len(mean), float64(batch*inner)
	for i, v := range src {
		mean[i/inner%channels] += float64(v)
	}
	for i := range mean {
		mean[i] /= n
	}
	for i, v := range src {
		k := i / inner % channels
		d := float64(v) - mean[k]
		variance[k] += d * d
	}
	for i := range variance {
		variance[i] /= n
	}
}

func inferBatchNorm(n *op.Node) error {
	n.SetOut(0, n.Arg(0).Type)
	for i := 1; i < 5; i++ {
		n.SetOut(i, n.Arg(3).Type)
	}
	return nil
}
