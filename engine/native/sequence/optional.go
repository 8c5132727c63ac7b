package sequence

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func optionalOps() []op.Def {
	return []op.Def{
		{Name: "Optional", Infer: inferOptional, Build: buildOptional},
		{Name: "OptionalHasElement", Infer: inferHas, Build: op.Simple(hasElement)},
		{Name: "OptionalGetElement", Infer: inferGet, Build: op.Simple(getElement)},
	}
}

// contentType is the type of what an Optional node may hold.
func contentType(n *op.Node) (tensor.Type, error) {
	if n.Has(0) {
		return n.Arg(0).Type, nil
	}
	a := n.Attr("type")
	if a == nil || a.Type != onnx.AttrTypeProto {
		return tensor.Type{}, op.Errorf("Optional has neither an input nor the attribute \"type\"")
	}
	return a.TypeOf, nil
}

func inferOptional(n *op.Node) error {
	t, err := contentType(n)
	n.SetOut(0, tensor.Type{Kind: tensor.KindOptional, Of: &t})
	return err
}

func buildOptional(n *op.Node) (op.Kernel, error) {
	elem, err := contentType(n)
	empty := &tensor.Optional{Elem: elem}
	return op.Func(func(c *op.Context) error {
		if len(c.In) == 0 || c.In[0] == nil {
			c.Set(0, empty)
			return nil
		}
		v := c.In[0].CloneValue()
		c.Set(0, &tensor.Optional{Elem: v.Type(), Value: v})
		return nil
	}), err
}

func inferHas(n *op.Node) error {
	n.SetOut(0, tensor.TensorType(tensor.Bool))
	return nil
}

// hasElement is false for an omitted input and an empty optional. Since opset
// 18 tensors and sequences count as optionals that are there.
func hasElement(c *op.Context) error {
	has := len(c.In) > 0 && c.In[0] != nil
	if has {
		if o, ok := c.In[0].(*tensor.Optional); ok {
			has = o.Value != nil
		}
	}
	tensor.Data[bool](c.NewOut(0, tensor.Bool))[0] = has
	return nil
}

func inferGet(n *op.Node) error {
	switch t := n.Arg(0).Type; {
	case t.Kind == tensor.KindOptional && t.Of != nil:
		n.SetOut(0, *t.Of)
	case t.Kind != tensor.KindOptional:
		n.SetOut(0, t)
	}
	return nil
}

func getElement(c *op.Context) error {
	if len(c.In) == 0 || c.In[0] == nil {
		return op.Errorf("input 0 is missing")
	}
	v := c.In[0]
	if o, ok := v.(*tensor.Optional); ok {
		if o.Value == nil {
			return op.Errorf("the optional is empty")
		}
		v = o.Value
	}
	give(c, v)
	return nil
}
