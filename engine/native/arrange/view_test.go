package arrange

import (
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestReshape(t *testing.T) {
	x := count(2, 3)
	to := func(shape ...int) []*tensor.Tensor { return outs(count(shape...)) }
	check(t, []example{
		{"plain", call("Reshape", nil), in(x, list(3, 2)), to(3, 2)},
		{"rest", call("Reshape", nil), in(x, list(-1, 2)), to(3, 2)},
		{"kept", call("Reshape", nil), in(x, list(0, 1, -1)), to(2, 1, 3)},
		{"flat", call("Reshape", nil), in(x, list(-1)), to(6)},
		{"scalar", call("Reshape", nil), in(vec(0), list()), outs(tensor.Scalar[float32](0))},
		{"attribute", at(4, "Reshape", attrs{"shape": []int{6}}), in(x), to(6)},
		{"empty kept", call("Reshape", nil), in(f32(dims{0, 3}), list(0, -1)), outs(f32(dims{0, 0}))},
		{"empty rest", call("Reshape", nil), in(f32(dims{0, 3}), list(3, -1)), outs(f32(dims{3, 0}))},
		{"zero", call("Reshape", attrs{"allowzero": 1}), in(f32(dims{0, 3}), list(3, 0)), outs(f32(dims{3, 0}))},
		{"text", call("Reshape", nil), in(text(dims{2}, "a", "b"), list(2, 1)), outs(text(dims{2, 1}, "a", "b"))},
	})
	refuse(t, []failure{
		{call("Reshape", nil), in(x, list(4)), "float32[2,3] does not fit the shape [4]"},
		{call("Reshape", nil), in(x, list(-1, 4)), "does not fit"},
		{call("Reshape", nil), in(x, list(-1, -1)), "more than one unknown"},
		{call("Reshape", nil), in(x, list(-2, 3)), "unknown"},
		{call("Reshape", nil), in(x, list(1<<40, 1<<40, 1<<40)), "does not fit"},
		{call("Reshape", nil), in(x, list(2, 3, 0)), "does not have"},
		{call("Reshape", attrs{"allowzero": 1}), in(x, list(0, -1)), "does not fit"},
	})
}

func TestViewsShareMemory(t *testing.T) {
	x := count(2, 3)
	for _, n := range []*optest.Node{
		optest.Run(t, Ops(), call("Identity", nil), x),
		optest.Run(t, Ops(), call("Reshape", nil), x, list(6)),
		optest.Run(t, Ops(), call("Flatten", nil), x),
		optest.Run(t, Ops(), call("Unsqueeze", nil), x, list(0)),
		optest.Run(t, Ops(), call("Squeeze", nil), x),
		optest.Run(t, Ops(), call("Dropout", nil), x),
	} {
		if &n.Out(0).Bytes()[0] != &x.Bytes()[0] {
			t.Errorf("%s copies", n.Node.Op)
		}
		if a := n.Allocs(t); a != 0 {
			t.Errorf("%s allocates %v times", n.Node.Op, a)
		}
	}
}

func TestIdentityOfSequence(t *testing.T) {
	s := &tensor.Sequence{Items: []tensor.Value{vec(1), vec(2, 3)}}
	n := optest.Run(t, Ops(), call("Identity", nil), s)
	got := n.Context.Out[0].(*tensor.Sequence)
	tensor.Data[float32](s.Items[0].(*tensor.Tensor))[0] = 9
	same(t, got.Items[0].(*tensor.Tensor), vec(1))
	same(t, got.Items[1].(*tensor.Tensor), vec(2, 3))
}

func TestFlatten(t *testing.T) {
	x := count(2, 3, 4)
	check(t, []example{
		{"default", call("Flatten", nil), in(x), outs(count(2, 12))},
		{"0", call("Flatten", attrs{"axis": 0}), in(x), outs(count(1, 24))},
		{"end", call("Flatten", attrs{"axis": 3}), in(x), outs(count(24, 1))},
		{"negative", call("Flatten", attrs{"axis": -1}), in(x), outs(count(6, 4))},
		{"scalar", call("Flatten", attrs{"axis": 0}), in(tensor.Scalar[float32](0)), outs(count(1, 1))},
	})
	refuse(t, []failure{{call("Flatten", attrs{"axis": 4}), in(x), "axis 4 is outside [-3, 3]"}})
}

func TestSqueezeUnsqueeze(t *testing.T) {
	x := count(1, 3, 1)
	check(t, []example{
		{"all", call("Squeeze", nil), in(x), outs(count(3))},
		{"one", call("Squeeze", nil), in(x, list(-1)), outs(count(1, 3))},
		{"none", call("Squeeze", nil), in(x, list()), outs(x)},
		{"attribute", at(11, "Squeeze", attrs{"axes": []int{0}}), in(x), outs(count(3, 1))},
		{"one", call("Unsqueeze", nil), in(count(3), list(0)), outs(count(1, 3))},
		{"unsorted", call("Unsqueeze", nil), in(count(3), list(2, -3)), outs(x)},
		{"attribute", at(11, "Unsqueeze", attrs{"axes": []int{1}}), in(count(3)), outs(count(3, 1))},
	})
	refuse(t, []failure{
		{call("Squeeze", nil), in(x, list(1)), "only 1 can be dropped"},
		{call("Squeeze", nil), in(x, list(3)), "axis 3"},
		{call("Unsqueeze", nil), in(x, list(0, 0)), "given twice"},
		{call("Unsqueeze", nil), in(x, list(5)), "axis 5"},
	})
}

func TestShapeAndSize(t *testing.T) {
	x := count(2, 3, 4)
	check(t, []example{
		{"all", call("Shape", nil), in(x), outs(list(2, 3, 4))},
		{"from", call("Shape", attrs{"start": -2}), in(x), outs(list(3, 4))},
		{"part", call("Shape", attrs{"start": 1, "end": -1}), in(x), outs(list(3))},
		{"clamped", call("Shape", attrs{"start": -9, "end": 9}), in(x), outs(list(2, 3, 4))},
		{"crossed", call("Shape", attrs{"start": 2, "end": 1}), in(x), outs(list())},
		{"scalar", call("Shape", nil), in(scalar(1)), outs(list())},
		{"3-d", call("Size", nil), in(x), outs(scalar(24))},
		{"text", call("Size", nil), in(text(dims{2}, "a", "b")), outs(scalar(2))},
	})
}

func TestInferredShapes(t *testing.T) {
	for _, c := range []struct {
		call optest.Call
		in   []tensor.Value
		want string
	}{
		{call("Shape", attrs{"start": 1}), in(count(2, 3, 4)), "int64[2]"},
		{call("Transpose", nil), in(count(2, 3, 4)), "float32[4,3,2]"},
		{call("Gather", attrs{"axis": 1}), in(count(2, 3, 4), list(0)), "float32[2,1,4]"},
		{call("Concat", attrs{"axis": -1}), in(count(2, 3), count(2, 4)), "float32[2,7]"},
		{call("Unsqueeze", nil), in(count(2, 3), list(1)), "float32[2,1,3]"},
		{call("Reshape", nil), in(count(2, 3), list(6)), "float32[6]"},
		{call("Reshape", nil), in(count(2, 3), list(0, 1, -1)), "float32[2,1,3]"},
		{call("Reshape", nil), in(f32(dims{0, 3}), list(-1, 3)), "float32[0,3]"},
		{call("Reshape", attrs{"allowzero": 1}), in(f32(dims{0, 3}), list(3, 0)), "float32[3,0]"},
		{call("Flatten", attrs{"axis": -1}), in(count(2, 3, 4)), "float32[6,4]"},
		{call("Squeeze", nil), in(count(1, 3, 1), list(-1)), "float32[1,3]"},
		{call("Squeeze", nil), in(count(1, 3, 1)), "float32"},
		{call("EyeLike", attrs{"dtype": 7}), in(count(2, 3)), "int64[2,3]"},
		{call("ConstantOfShape", nil), in(list(3)), "float32"},
	} {
		c.call.Const = true
		n, err := optest.Build(Ops(), c.call, c.in...)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Node.Out[0].Type.String(); got != c.want {
			t.Errorf("%s: inferred %s, want %s", c.call.Op, got, c.want)
		}
	}
}

func TestInferenceKeepsWhatIsUnknown(t *testing.T) {
	n, err := optest.Build(Ops(), optest.Call{Op: "Reshape", Const: true}, count(2, 3), list(0, -1))
	if err != nil {
		t.Fatal(err)
	}
	batch := tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Float32, Ranked: true, Dims: []tensor.Dim{{Size: -1, Name: "N"}, {Size: 3}}}
	n.Node.In[0].Type = batch
	if err := inferReshape(n.Node); err != nil {
		t.Fatal(err)
	}
	if got := n.Node.Out[0].Type.String(); got != "float32[N,?]" {
		t.Errorf("inferred %s", got)
	}
	n.Node.In[1].Const = nil
	if err := inferReshape(n.Node); err != nil {
		t.Fatal(err)
	}
	if got := n.Node.Out[0].Type.String(); got != "float32" {
		t.Errorf("inferred %s", got)
	}
}
