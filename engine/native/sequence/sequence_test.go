package sequence

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func list(v ...int64) *tensor.Tensor               { return tensor.From(v, len(v)) }
func i64(shape []int, v ...int64) *tensor.Tensor   { return tensor.From(v, shape...) }
func text(v ...string) *tensor.Tensor              { return tensor.FromStrings(v, len(v)) }
func scalar(v int64) *tensor.Tensor                { return tensor.Scalar(v) }
func seq(v ...tensor.Value) *tensor.Sequence       { return &tensor.Sequence{Items: v} }
func call(name string, a optest.Attrs) optest.Call { return optest.Call{Op: name, Attrs: a} }
func in(v ...tensor.Value) []tensor.Value          { return v }
func optional(v tensor.Value, t tensor.Type) *tensor.Optional {
	return &tensor.Optional{Elem: t, Value: v}
}

func sameValue(t *testing.T, got, want tensor.Value) {
	t.Helper()
	switch w := want.(type) {
	case *tensor.Sequence:
		g, ok := got.(*tensor.Sequence)
		if !ok || len(g.Items) != len(w.Items) {
			t.Fatalf("got %v, want %d items", got, len(w.Items))
		}
		for i := range w.Items {
			sameValue(t, g.Items[i], w.Items[i])
		}
	case *tensor.Optional:
		sameValue(t, got.(*tensor.Optional).Value, w.Value)
	case *tensor.Tensor:
		g, ok := got.(*tensor.Tensor)
		if !ok || g.String() != w.String() || !bytes.Equal(g.Bytes(), w.Bytes()) || !slices.Equal(g.Strings(), w.Strings()) {
			t.Fatalf("got %v, want %v", got, w)
		}
	}
}

func TestOperators(t *testing.T) {
	abc := seq(list(1), list(2, 2), list(3))
	m := i64([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	floats := tensor.TensorType(tensor.Float32, -1)
	for _, c := range []struct {
		name string
		call optest.Call
		in   []tensor.Value
		want tensor.Value
	}{
		{"construct", call("SequenceConstruct", nil), in(list(1), list(2, 2)), seq(list(1), list(2, 2))},
		{"empty", call("SequenceEmpty", nil), nil, seq()},
		{"length", call("SequenceLength", nil), in(abc), scalar(3)},
		{"insert at the end", call("SequenceInsert", nil), in(abc, list(9)), seq(list(1), list(2, 2), list(3), list(9))},
		{"insert at the front", call("SequenceInsert", nil), in(abc, list(9), scalar(0)), seq(list(9), list(1), list(2, 2), list(3))},
		{"insert before the last", call("SequenceInsert", nil), in(abc, list(9), scalar(-1)), seq(list(1), list(2, 2), list(9), list(3))},
		{"insert at the length", call("SequenceInsert", nil), in(seq(), list(9), list(0)), seq(list(9))},
		{"erase the last", call("SequenceErase", nil), in(abc), seq(list(1), list(2, 2))},
		{"erase one", call("SequenceErase", nil), in(abc, scalar(-3)), seq(list(2, 2), list(3))},
		{"at", call("SequenceAt", nil), in(abc, scalar(1)), list(2, 2)},
		{"at from the end", call("SequenceAt", nil), in(abc, tensor.Scalar[int32](-1)), list(3)},
		{"at of text", call("SequenceAt", nil), in(seq(text("a", "b")), scalar(0)), text("a", "b")},
		{"split in ones", call("SplitToSequence", nil), in(m), seq(i64([]int{1, 3}, 1, 2, 3), i64([]int{1, 3}, 4, 5, 6))},
		{"split without axis", call("SplitToSequence", optest.Attrs{"keepdims": 0, "axis": 1}), in(m), seq(list(1, 4), list(2, 5), list(3, 6))},
		{"split in twos", call("SplitToSequence", optest.Attrs{"axis": -1}), in(m, scalar(2)), seq(i64([]int{2, 2}, 1, 2, 4, 5), i64([]int{2, 1}, 3, 6))},
		{"split by sizes", call("SplitToSequence", optest.Attrs{"axis": 1}), in(m, list(1, 2)), seq(i64([]int{2, 1}, 1, 4), i64([]int{2, 2}, 2, 3, 5, 6))},
		{"split text", call("SplitToSequence", nil), in(text("a", "b")), seq(text("a"), text("b"))},
		{"join", call("ConcatFromSequence", optest.Attrs{"axis": 0}), in(abc), list(1, 2, 2, 3)},
		{"join columns", call("ConcatFromSequence", optest.Attrs{"axis": -1}), in(seq(m, i64([]int{2, 1}, 7, 8))), i64([]int{2, 4}, 1, 2, 3, 7, 4, 5, 6, 8)},
		{"stack", call("ConcatFromSequence", optest.Attrs{"axis": 0, "new_axis": 1}), in(seq(list(1, 2), list(3, 4))), i64([]int{2, 2}, 1, 2, 3, 4)},
		{"stack inside", call("ConcatFromSequence", optest.Attrs{"axis": -1, "new_axis": 1}), in(seq(list(1, 2), list(3, 4))), i64([]int{2, 2}, 1, 3, 2, 4)},
		{"optional", call("Optional", nil), in(list(1)), optional(list(1), tensor.Type{})},
		{"has", call("OptionalHasElement", nil), in(optional(list(1), tensor.Type{})), tensor.Scalar(true)},
		{"has nothing", call("OptionalHasElement", nil), in(optional(nil, floats)), tensor.Scalar(false)},
		{"has no input", call("OptionalHasElement", nil), nil, tensor.Scalar(false)},
		{"has an omitted input", call("OptionalHasElement", nil), in(nil), tensor.Scalar(false)},
		{"has a tensor", call("OptionalHasElement", nil), in(list(1)), tensor.Scalar(true)},
		{"get", call("OptionalGetElement", nil), in(optional(list(1), tensor.Type{})), list(1)},
		{"get a sequence", call("OptionalGetElement", nil), in(optional(abc, tensor.Type{})), abc},
		{"get of a tensor", call("OptionalGetElement", nil), in(list(4)), list(4)},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := optest.Run(t, Ops(), c.call, c.in...)
			sameValue(t, n.Context.Out[0], c.want)
			if err := n.Run(); err != nil {
				t.Fatal(err)
			}
			sameValue(t, n.Context.Out[0], c.want)
		})
	}
}

func TestErrors(t *testing.T) {
	ab := seq(list(1), list(2))
	for _, c := range []struct {
		call optest.Call
		in   []tensor.Value
		text string
	}{
		{call("SequenceAt", nil), in(ab, scalar(2)), "position 2 is outside [-2, 1]"},
		{call("SequenceAt", nil), in(ab, scalar(-3)), "position -3"},
		{call("SequenceAt", nil), in(seq(), scalar(0)), "empty"},
		{call("SequenceAt", nil), in(list(1), scalar(0)), "want a sequence"},
		{call("SequenceAt", nil), in(ab, list(0, 1)), "want one number"},
		{call("SequenceInsert", nil), in(ab, list(1), scalar(3)), "outside [-2, 2]"},
		{call("SequenceInsert", nil), in(ab, text("a")), "does not go into seq(int64)"},
		{call("SequenceErase", nil), in(seq()), "empty"},
		{call("SequenceErase", nil), in(ab, scalar(2)), "outside [-2, 1]"},
		{call("SequenceConstruct", nil), in(list(1), text("a")), "does not go into"},
		{call("SequenceConstruct", nil), nil, "missing"},
		{call("SequenceEmpty", optest.Attrs{"dtype": 77}), nil, "no element type"},
		{call("SplitToSequence", nil), in(list(1, 2), scalar(0)), "parts of 0"},
		{call("SplitToSequence", nil), in(list(1, 2), list(1, 2)), "cannot split 2 elements"},
		{call("SplitToSequence", nil), in(list(1, 2), list(-1, 3)), "cannot split"},
		{call("SplitToSequence", nil), in(scalar(1)), "axis 0"},
		{call("ConcatFromSequence", optest.Attrs{"axis": 0}), in(seq()), "empty"},
		{call("ConcatFromSequence", optest.Attrs{"axis": 1}), in(ab), "axis 1"},
		{call("ConcatFromSequence", nil), in(ab), `"axis" is missing`},
		{call("ConcatFromSequence", optest.Attrs{"axis": 0}), in(seq(list(1), scalar(2))), "cannot be joined"},
		{call("ConcatFromSequence", optest.Attrs{"axis": 0, "new_axis": 1}), in(seq(list(1), list(2, 3))), "cannot be joined"},
		{call("Optional", nil), nil, "neither an input"},
		{call("OptionalGetElement", nil), in(optional(nil, tensor.Type{})), "empty"},
		{call("OptionalGetElement", nil), nil, "missing"},
	} {
		if got := optest.Error(t, Ops(), c.call, c.in...); !strings.Contains(got, c.text) {
			t.Errorf("%s: error %q does not say %q", c.call.Op, got, c.text)
		}
	}
}

// TestItemsAreCopies checks that neither what goes into a sequence nor what
// comes out of it shares memory with it.
func TestItemsAreCopies(t *testing.T) {
	x := list(1, 2)
	n := optest.Run(t, Ops(), call("SequenceConstruct", nil), x)
	s := n.Context.Out[0].(*tensor.Sequence)
	longer := optest.Run(t, Ops(), call("SequenceInsert", nil), s, x).Context.Out[0]
	tensor.Data[int64](x)[0] = 9
	sameValue(t, s, seq(list(1, 2)))
	sameValue(t, longer, seq(list(1, 2), list(1, 2)))

	got := optest.Run(t, Ops(), call("SequenceAt", nil), s, scalar(0))
	tensor.Data[int64](got.Out(0))[0] = 9
	sameValue(t, s, seq(list(1, 2)))
}

func TestSequencesAreBounded(t *testing.T) {
	n, err := optest.Build(Ops(), call("SequenceInsert", nil), seq(list(1, 2)), list(3, 4))
	if err != nil {
		t.Fatal(err)
	}
	n.Context.MaxBytes = 200
	if err := n.Run(); err == nil || !strings.Contains(err.Error(), "limit of 200 bytes") {
		t.Errorf("a sequence over the limit: %v", err)
	}
}

func TestOptionalTypeAttribute(t *testing.T) {
	of := tensor.TensorType(tensor.Float32, 2)
	n := &op.Node{
		Node: &onnx.Node{Op: "Optional", Attrs: []*onnx.Attribute{{Name: "type", Type: onnx.AttrTypeProto, TypeOf: of}}},
		Out:  []op.Arg{{Name: "y"}},
	}
	if err := inferOptional(n); err != nil {
		t.Fatal(err)
	}
	k, err := buildOptional(n)
	if err != nil {
		t.Fatal(err)
	}
	var c op.Context
	c.Init(0, 1, nil)
	if err := k.Run(&c); err != nil {
		t.Fatal(err)
	}
	o := c.Out[0].(*tensor.Optional)
	if o.Value != nil || o.Type().String() != "optional(float32[2])" || n.Out[0].Type.String() != o.Type().String() {
		t.Errorf("got %v, inferred %v", o.Type(), n.Out[0].Type)
	}
}
