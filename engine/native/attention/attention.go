// Package attention holds the native engine's operators of transformers:
// Attention, FlexAttention, LinearAttention and RotaryEmbedding.
//
// The 16-bit floats are computed in float32 and rounded at the end, float64 in
// float64. Scores are kept for some rows of one head at a time, so memory
// does not grow with the square of the sequence unless an output asks for it.
package attention

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops lists the package's operators.
func Ops() []op.Def {
	floats := op.Floats
	return []op.Def{
		{Name: "Attention", Since: 23, Types: []op.TypeSet{floats, floats, floats, op.Any, floats, floats, {tensor.Int64}},
			Infer: inferAttention, Build: buildAttention},
		{Domain: preview, Name: "FlexAttention", Types: []op.TypeSet{floats}, Infer: op.InferElemOf(0), Build: buildFlex},
		{Name: "LinearAttention", Since: 27, Types: []op.TypeSet{small}, Infer: inferLinear, Build: buildLinear},
		{Name: "RotaryEmbedding", Since: 23, Types: []op.TypeSet{small, small, small, {tensor.Int64}},
			Infer: op.InferSame, Build: buildRotary},
	}
}

// preview is the domain of operators that may still change.
const preview = "ai.onnx.preview"

// small are the types computed in float32.
var small = op.TypeSet{tensor.Float32, tensor.Float16, tensor.BFloat16}

// attention is the Attention operator.
type attention struct {
	askedQueryHeads, askedKeyHeads int // for inputs with three dimensions
	scale                          float64
	softcap                        float64
	causal                         bool
	left, right                    int // window; -1 is unbounded
	capture                        int // qk_matmul_output_mode
}

// What the fourth output of Attention holds.
const (
	captureProducts = iota
	captureCapped
	captureBiased
	captureSoftmax
)

func buildAttention(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &attention{
		askedQueryHeads: a.Int("q_num_heads", 0), askedKeyHeads: a.Int("kv_num_heads", 0),
		scale: float64(a.Float("scale", 0)), softcap: float64(a.Float("softcap", 0)),
		causal: a.Bool("is_causal", false), capture: a.Int("qk_matmul_output_mode", 0),
		left: a.Int("left_window_size", -1), right: a.Int("right_window_size", -1),
	}
	precision := a.Int("softmax_precision", int(tensor.Float32))
	if err := a.Err(); err != nil {
		return nil, err
	}
	switch {
	case !op.Floats.Has(tensor.DType(precision)):
		return nil, op.Errorf("attribute softmax_precision is %d, want 1, 10, 11 or 16", precision)
	case k.capture < captureProducts || k.capture > captureSoftmax:
		return nil, op.Errorf("attribute qk_matmul_output_mode is %d, want 0 to 3", k.capture)
	case k.left < -1 || k.right < -1:
		return nil, op.Errorf("attributes left_window_size and right_window_size are %d and %d, want -1 or more", k.left, k.right)
	case n.Has(4) != n.Has(5):
		return nil, op.Errorf("past_key and past_value must be given together")
	case n.Has(4) && n.Has(6):
		return nil, op.Errorf("nonpad_kv_seqlen cannot be combined with past_key")
	}
	return k, nil
}

func inferAttention(n *op.Node) error {
	t := tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)}
	for i := range n.Out {
		n.SetOut(i, t)
	}
	t.Elem = n.Elem(2)
	n.SetOut(2, t)
	return nil
}

// extent is the shape of one call.
type extent struct {
	batch                int
	queryHeads, keyHeads int
	queries, keys, past  int // keys without the past ones
	size, valueSize      int
	packed               bool // three dimensions: heads side by side

}

func (e *extent) total() int { return e.past + e.keys }

// extent checks the shapes of the inputs against each other.
func (k *attention) extent(c *op.Context) (e extent, err error) {
	q, key, value := c.T(0), c.T(1), c.T(2)
	if q.Rank() != key.Rank() || q.Rank() != value.Rank() || (q.Rank() != 3 && q.Rank() != 4) {
		return e, op.Errorf("queries are %v, keys %v and values %v, want three or four dimensions for all", q, key, value)
	}
	e.batch, e.packed = q.Dim(0), q.Rank() == 3
	var keyLen, valueHeads, valueLen, keySize int
	if e.queryHeads, e.queries, e.size, err = split(q, k.askedQueryHeads); err != nil {
		return e, err
	}
	if e.keyHeads, keyLen, keySize, err = split(key, k.askedKeyHeads); err != nil {
		return e, err
	}
	if valueHeads, valueLen, e.valueSize, err = split(value, k.askedKeyHeads); err != nil {
		return e, err
	}
	e.keys = keyLen
	if keyLen != valueLen || e.keyHeads != valueHeads || keySize != e.size || key.Dim(0) != e.batch || value.Dim(0) != e.batch {
		return e, op.Errorf("queries are %v, keys %v and values %v: batches, heads or lengths do not match", q, key, value)
	}
	if e.keyHeads == 0 || e.queryHeads%e.keyHeads != 0 {
		return e, op.Errorf("%d query heads cannot share %d key heads", e.queryHeads, e.keyHeads)
	}
	return e, e.addPast(c.T(4), c.T(5))
}

// split gives a tensor's heads, length and head size.
func split(t *tensor.Tensor, heads int) (n, length, size int, err error) {
	if t.Rank() == 4 {
		return t.Dim(1), t.Dim(2), t.Dim(3), nil
	}
	if heads < 1 || t.Dim(2)%heads != 0 {
		return 0, 0, 0, op.Errorf("%v cannot be split into %d heads: want attributes q_num_heads and kv_num_heads that divide the last dimension", t, heads)
	}
	return heads, t.Dim(1), t.Dim(2) / heads, nil
}

func (e *extent) addPast(key, value *tensor.Tensor) error {
	if key == nil {
		return nil
	}
	if key.Rank() != 4 || value == nil || value.Rank() != 4 {
		return op.Errorf("past_key and past_value must have four dimensions")
	}
	e.past = key.Dim(2)
	for _, p := range []struct {
		t    *tensor.Tensor
		size int
	}{{key, e.size}, {value, e.valueSize}} {
		if p.t.Dim(0) != e.batch || p.t.Dim(1) != e.keyHeads || p.t.Dim(2) != e.past || p.t.Dim(3) != p.size {
			return op.Errorf("a past state is %v, want [%d,%d,%d,%d]", p.t, e.batch, e.keyHeads, e.past, p.size)
		}
	}
	return nil
}

// factor is what the products of queries and keys are scaled by.
func factor(scale float64, size int) float64 {
	if scale == 0 {
		return 1 / math.Sqrt(float64(max(size, 1)))
	}
	return scale
}

// Run attends.
func (k *attention) Run(c *op.Context) error {
	e, err := k.extent(c)
	if err != nil {
		return err
	}
	if c.T(0).DType() == tensor.Float64 {
		for i := range c.In {
			if t := c.T(i); t != nil && i != 3 && i != 6 && t.DType() != tensor.Float64 {
				return op.Errorf("input %d is %v, want float64 like the queries", i, t)
			}
		}
		return attend[float64](k, c, &e)
	}
	return attend[float32](k, c, &e)
}
