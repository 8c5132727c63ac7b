package control_test

import (
	"testing"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func ifGraph(then, otherwise *onnx.Graph) *onnx.Graph {
	return graph("cond x -> y", node("If", "cond -> y", body("then_branch", then), body("else_branch", otherwise)))
}

func TestIfReadsOuterValues(t *testing.T) {
	p := mustCompile(t, ifGraph(
		graph("-> a", node("Add", "x x -> a")),
		graph("-> b", constant("zero", list(0)), node("Unsqueeze", "x zero -> b")),
	))
	for range 3 { // memory of one branch must not leak into the other
		same(t, run(t, p, flag(true), list(1, 2)), list(2, 4))
		same(t, run(t, p, flag(false), list(5, 6, 7)), i64([]int{1, 3}, 5, 6, 7))
	}
}

func TestIfOfSequences(t *testing.T) {
	p := mustCompile(t, ifGraph(
		graph("-> a", node("SequenceConstruct", "x -> a")),
		graph("-> b", node("SequenceConstruct", "x x -> b")),
	))
	same(t, run(t, p, tensor.From([]bool{true}, 1), list(1)), seq(list(1)))
	same(t, run(t, p, flag(false), list(1)), seq(list(1), list(1)))
}

func TestIfInIf(t *testing.T) {
	inner := node("If", "cond -> a", body("then_branch", graph("-> p", node("Add", "x x -> p"))),
		body("else_branch", graph("-> q", node("Identity", "x -> q"))))
	p := mustCompile(t, ifGraph(graph("-> a", inner), graph("-> b", node("Mul", "x x -> b"))))
	same(t, run(t, p, flag(true), list(3)), list(6))
	same(t, run(t, p, flag(false), list(3)), list(9))
}

func TestIfErrors(t *testing.T) {
	x := graph("-> a", node("Identity", "x -> a"))
	fails(t, ifGraph(x, x), "want one bool", tensor.New(tensor.Bool, 0), list(1))
	fails(t, ifGraph(x, graph("z -> z")), "takes 1 inputs")
	fails(t, ifGraph(x, graph("->")), "gives 0 outputs")
	fails(t, graph("cond -> y", node("If", "cond -> y")), `no subgraph "then_branch"`)
	fails(t, ifGraph(x, graph("-> b", node("Identity", "nowhere -> b"))), "nowhere")
}
