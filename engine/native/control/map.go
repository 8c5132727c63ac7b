package control

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// sequenceMap runs its body for each item of a sequence. Further inputs that
// are sequences go item by item with it; tensors go in as they are.
type sequenceMap struct{ body op.Program }

func inferSequenceMap(n *op.Node) error {
	g, err := graphAttr(n, "body")
	if err != nil {
		return err
	}
	for i := range min(len(n.Out), len(g.Outputs)) {
		of := loose(g.Outputs[i].Type)
		n.SetOut(i, tensor.Type{Kind: tensor.KindSequence, Of: &of})
	}
	return nil
}

func buildSequenceMap(n *op.Node) (op.Kernel, error) {
	body, err := compile(n, "body", len(n.Inputs), len(n.Outputs))
	return &sequenceMap{body}, err
}

func (k *sequenceMap) Run(c *op.Context) error {
	first := c.Seq(0)
	if first == nil {
		return op.Errorf("input 0 is missing")
	}
	results := make([]*tensor.Sequence, len(k.body.Outputs()))
	for i, o := range k.body.Outputs() {
		results[i] = &tensor.Sequence{Elem: loose(o.Type)}
	}
	in := make([]tensor.Value, len(c.In))
	out := make([]tensor.Value, len(results))
	for item := range first.Items {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		if err := itemsAt(in, c.In, item, len(first.Items)); err != nil {
			return err
		}
		clear(out) // what the last item gave belongs to the results
		if err := k.body.Run(c, in, out); err != nil {
			return err
		}
		for i, v := range out {
			results[i].Items = append(results[i].Items, v)
		}
	}
	for i, s := range results {
		c.Set(i, s)
	}
	return nil
}

// itemsAt sets dst to the values that go into the body for one item of n.
func itemsAt(dst, in []tensor.Value, item, n int) error {
	for i, v := range in {
		s, ok := v.(*tensor.Sequence)
		if !ok {
			dst[i] = v
			continue
		}
		if len(s.Items) != n {
			return op.Errorf("input %d has %d items, the first one %d", i, len(s.Items), n)
		}
		dst[i] = s.Items[item]
	}
	return nil
}
