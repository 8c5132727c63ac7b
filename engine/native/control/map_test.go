package control_test

import (
	"testing"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestSequenceMap(t *testing.T) {
	inner := graph("a b -> sum shape", node("Add", "a b -> sum"), node("Shape", "a -> shape"))
	p := mustCompile(t, graph("s x -> y z", node("SequenceMap", "s x -> y z", body("body", inner))))
	s := seq(list(1), list(2, 3))
	// A tensor goes to every item, a sequence item by item.
	same(t, run(t, p, s, list(10)), seq(list(11), list(12, 13)), seq(list(1), list(2)))
	same(t, run(t, p, s, seq(list(10), list(20))), seq(list(11), list(22, 23)), seq(list(1), list(2)))
	same(t, run(t, p, seq(), list(10)), seq(), seq())
}

func TestSequenceMapErrors(t *testing.T) {
	inner := graph("a b -> c", node("Add", "a b -> c"))
	g := func(inner *onnx.Graph) *onnx.Graph {
		return graph("s x -> y", node("SequenceMap", "s x -> y", body("body", inner)))
	}
	fails(t, g(inner), "input 1 has 1 items, the first one 2", seq(list(1), list(2)), seq(list(1)))
	fails(t, g(graph("a -> c", node("Identity", "a -> c"))), "takes 1 inputs")
	fails(t, g(inner), "want a sequence", list(1), list(2))
}

func TestSequenceMapOfNothingKeepsTheType(t *testing.T) {
	inner := graph("a -> b", node("Identity", "a -> b"))
	inner.Outputs[0].Type = tensor.TensorType(tensor.Int64, -1)
	p := mustCompile(t, graph("s -> y", node("SequenceMap", "s -> y", body("body", inner))))
	got := run(t, p, seq())
	if typ := got[0].Type().String(); typ != "seq(int64)" {
		t.Errorf("the result is %s", typ)
	}
}
