package arrange

import (
	"math"
	"math/rand/v2"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func randomOps() []op.Def {
	floats := []op.TypeSet{op.Floats}
	return []op.Def{
		{Name: "RandomNormal", Infer: inferRandom, Build: buildRandom(false, true), Impure: true},
		{Name: "RandomUniform", Infer: inferRandom, Build: buildRandom(false, false), Impure: true},
		{Name: "RandomNormalLike", Infer: inferRandom, Build: buildRandom(true, true), Impure: true},
		{Name: "RandomUniformLike", Infer: inferRandom, Build: buildRandom(true, false), Impure: true},
		{Name: "Bernoulli", Types: floats, Infer: inferEyeLike, Build: buildBernoulli, Impure: true},
		{Name: "Multinomial", Types: floats, Infer: inferMultinomial, Build: buildMultinomial, Impure: true},
		{Name: "Dropout", Infer: inferDropout, Build: buildDropout, Impure: true, Alias: true},
	}
}

// seeding starts a node's random numbers. With a seed every run gives the same
// ones; without, no two runs do.
type seeding struct {
	seed  uint32
	fixed bool
}

// seedOf reads the attribute "seed", a float or an integer by operator.
func seedOf(n *op.Node) seeding {
	a := n.Attr("seed")
	switch {
	case a == nil:
	case a.Type == onnx.AttrInt:
		return seeding{uint32(a.Int), true}
	case a.Type == onnx.AttrFloat && !math.IsNaN(float64(a.Float)):
		return seeding{uint32(int64(a.Float)), true}
	}
	return seeding{}
}

func (s seeding) start(t *twister) {
	if s.fixed {
		t.seed(s.seed)
		return
	}
	t.seed(rand.Uint32())
}

// random fills a shape, given or that of the input, with random numbers.
type random struct {
	seeding
	like, normal bool
	a, b         float64 // mean and scale, or low and high
	dtype        tensor.DType
	shape        []int
}

func randomType(n *op.Node) (tensor.DType, error) {
	if len(n.Inputs) == 0 {
		return dtypeAttr(n, tensor.Float32)
	}
	return dtypeAttr(n, n.Elem(0))
}

func inferRandom(n *op.Node) error {
	d, err := randomType(n)
	n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: d})
	return err
}

func buildRandom(like, normal bool) func(*op.Node) (op.Kernel, error) {
	return func(n *op.Node) (op.Kernel, error) {
		at := n.ReadAttrs()
		k := &random{seeding: seedOf(n), like: like, normal: normal, shape: at.Ints("shape")}
		if normal {
			k.a, k.b = float64(at.Float("mean", 0)), float64(at.Float("scale", 1))
		} else {
			k.a, k.b = float64(at.Float("low", 0)), float64(at.Float("high", 1))
			k.b -= k.a
		}
		d := tensor.Undefined // the input's
		if !like || at.Has("dtype") {
			var err error
			if d, err = dtypeAttr(n, tensor.Float32); err != nil {
				return nil, err
			}
			if !op.Floats.Has(d) {
				return nil, op.Errorf("%s cannot make %v", n.Op, d)
			}
		}
		k.dtype = d
		if err := checkShape(k.shape); err != nil {
			return nil, err
		}
		return k, at.Err()
	}
}

func (k *random) Run(c *op.Context) error {
	shape, d := k.shape, k.dtype
	if k.like {
		in, err := need(c, 0)
		if err != nil {
			return err
		}
		shape = in.Shape()
		if d == tensor.Undefined {
			d = in.DType()
		}
	}
	if !op.Floats.Has(d) {
		return op.Errorf("random numbers cannot be %v", d)
	}
	out := c.NewOut(0, d, shape...)
	t := op.State[twister](c)
	k.start(t)
	if d == tensor.Float64 {
		k.fill(t, tensor.Data[float64](out))
		return nil
	}
	dst := numeric.Target[float32](c, 0, out)
	for i := range dst {
		dst[i] = float32(k.draw(t))
	}
	numeric.Store(c, 0, out, dst)
	return nil
}

func (k *random) draw(t *twister) float64 {
	if k.normal {
		return k.a + k.b*t.normal()
	}
	return k.a + k.b*t.uniform()
}

func (k *random) fill(t *twister, dst []float64) {
	for i := range dst {
		dst[i] = k.draw(t)
	}
}

// bernoulli draws 1 with the probability that the input gives, else 0.
type bernoulli struct {
	seeding
	dtype tensor.DType // Undefined: the input's
}

func buildBernoulli(n *op.Node) (op.Kernel, error) {
	d, err := dtypeAttr(n, tensor.Undefined)
	if err == nil && d != tensor.Undefined && one(d) == nil {
		err = op.Errorf("Bernoulli cannot make %v", d)
	}
	return &bernoulli{seedOf(n), d}, err
}

// randomState is a generator with the work of a kernel.
type randomState struct {
	work
	twister
}

func (k *bernoulli) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	d := k.dtype
	if d == tensor.Undefined {
		d = in.DType()
	}
	s := op.State[randomState](c)
	k.start(&s.twister)
	s.at = s.at[:0]
	for i, p := range op.Float32s(c, 0, in) {
		if s.uniform() < float64(p) {
			s.at = append(s.at, i)
		}
	}
	out := c.OutLike(0, d, in)
	out.Zero()
	setAt(out, one(d), 0, s.at)
	return nil
}

// multinomial draws class numbers by unnormalized log-probabilities.
type multinomial struct {
	seeding
	samples int
	dtype   tensor.DType
}

func inferMultinomial(n *op.Node) error {
	d, err := dtypeAttr(n, tensor.Int32)
	n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: d})
	return err
}

func buildMultinomial(n *op.Node) (op.Kernel, error) {
	d, err := dtypeAttr(n, tensor.Int32)
	if err != nil {
		return nil, err
	}
	at := n.ReadAttrs()
	k := &multinomial{seedOf(n), at.Int("sample_size", 1), d}
	if k.samples < 0 || d != tensor.Int32 && d != tensor.Int64 {
		return nil, op.Errorf("Multinomial cannot make %d samples of %v", k.samples, d)
	}
	return k, at.Err()
}

func (k *multinomial) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	if in.Rank() != 2 || in.Dim(1) == 0 {
		return op.Errorf("input is %v, want [batch, classes]", in)
	}
	s := op.State[randomState](c)
	k.start(&s.twister)
	logits, classes := op.Float32s(c, 0, in), in.Dim(1)
	sums := op.Scratch[float64](c, 1, classes)
	s.list = s.list[:0]
	for row := range in.Dim(0) {
		cumulate(sums, logits[row*classes:(row+1)*classes])
		for range k.samples {
			s.list = append(s.list, drawClass(sums, s.uniform()))
		}
	}
	out := c.NewOut(0, k.dtype, in.Dim(0), k.samples)
	for i, v := range s.list {
		if k.dtype == tensor.Int32 {
			tensor.Data[int32](out)[i] = int32(v)
		} else {
			tensor.Data[int64](out)[i] = int64(v)
		}
	}
	return nil
}

// cumulate sets sums to the running sums of the classes' probabilities, up to
// a factor.
func cumulate(sums []float64, logits []float32) {
	top := logits[0]
	for _, v := range logits {
		top = max(top, v)
	}
	total := 0.0
	for i, v := range logits {
		total += math.Exp(float64(v - top))
		sums[i] = total
	}
}

// drawClass is the first class whose running sum passes the fraction u of all.
func drawClass(sums []float64, u float64) int {
	want := u * sums[len(sums)-1]
	for i, s := range sums {
		if want < s {
			return i
		}
	}
	return len(sums) - 1
}
