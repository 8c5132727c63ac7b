package control_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/engine/native/program"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// sums is a loop body that adds the round's number to the carried value and
// collects it, and goes on while the sum is below x.
func sums() *onnx.Graph {
	return graph("i go sum -> more next out",
		node("Add", "sum i -> next"),
		node("Less", "next x -> more"),
		node("Identity", "next -> out"),
	)
}

func loopGraph(wires string, inner *onnx.Graph) *onnx.Graph {
	return graph("m cond x start -> end all", node("Loop", wires+" -> end all", body("body", inner)))
}

func TestLoopModes(t *testing.T) {
	x, start := scalar(5), scalar(0)
	for _, c := range []struct {
		name, wires string
		m           int64
		cond        bool
		end         int64
		all         []int64
	}{
		{"for", "m _ start", 6, false, 15, []int64{0, 1, 3, 6, 10, 15}},
		{"while", "_ cond start", 0, true, 6, []int64{0, 1, 3, 6}},
		{"both, count first", "m cond start", 2, true, 1, []int64{0, 1}},
		{"both, condition first", "m cond start", 99, true, 6, []int64{0, 1, 3, 6}},
		{"no round by count", "m cond start", 0, true, 0, nil},
		{"no round by condition", "m cond start", 9, false, 0, nil},
		{"negative count", "m _ start", -3, true, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := sums()
			inner.Outputs[2].Type = tensor.TensorType(tensor.Int64)
			p := mustCompile(t, loopGraph(c.wires, inner))
			for range 2 {
				same(t, run(t, p, scalar(c.m), flag(c.cond), x, start), scalar(c.end), list(c.all...))
			}
		})
	}
}

func TestLoopPassesWhatItCarriesRound(t *testing.T) {
	// The two carried values change places; one of them changes shape.
	inner := graph("i go a b -> go2 b2 a2",
		node("Identity", "go -> go2"),
		node("Concat", "b b -> b2", integer("axis", 0)),
		node("Identity", "a -> a2"),
	)
	p := mustCompile(t, graph("m a b -> x y", node("Loop", "m _ a b -> x y", body("body", inner))))
	same(t, run(t, p, scalar(3), list(1), list(2)), list(2, 2, 2, 2), list(1, 1))
	same(t, run(t, p, scalar(2), list(1), list(2)), list(1, 1), list(2, 2))
}

func TestLoopCarriesSequences(t *testing.T) {
	inner := graph("i go s -> go2 s2",
		node("Identity", "go -> go2"),
		node("SequenceInsert", "s i -> s2"),
	)
	p := mustCompile(t, graph("m s -> y", node("Loop", "m _ s -> y", body("body", inner))))
	for range 2 {
		same(t, run(t, p, scalar(3), seq(scalar(7))), seq(scalar(7), scalar(0), scalar(1), scalar(2)))
	}
	same(t, run(t, p, scalar(0), seq(scalar(7))), seq(scalar(7)))
}

func TestLoopInLoop(t *testing.T) {
	// The inner loop runs as often as the outer one's round number says.
	inner := graph("j go2 b -> more2 b2", node("Identity", "go2 -> more2"), node("Add", "b one -> b2"))
	outer := graph("i go a -> more a2", node("Identity", "go -> more"), node("Loop", "i _ a -> a2", body("body", inner)))
	g := graph("m a -> y", constant("one", scalar(1)), node("Loop", "m _ a -> y", body("body", outer)))
	p := mustCompile(t, g)
	same(t, run(t, p, scalar(5), scalar(100)), scalar(110))
}

func TestLoopDeclaredRanks(t *testing.T) {
	inner := graph("i go -> go2 out", node("Identity", "go -> go2"), node("Identity", "i -> out"))
	inner.Inputs[0].Type = tensor.TensorType(tensor.Int64, 1)
	inner.Inputs[1].Type = tensor.TensorType(tensor.Bool, 1)
	p := mustCompile(t, graph("m -> y", node("Loop", "m -> y", body("body", inner))))
	same(t, run(t, p, scalar(2)), i64([]int{2, 1}, 0, 1))
}

func TestLoopStops(t *testing.T) {
	forever := graph("i go a -> go2 a2", node("Identity", "go -> go2"), node("Add", "a i -> a2"))
	p := mustCompile(t, graph("c a -> y", node("Loop", "_ c a -> y", body("body", forever))))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := p.Run(ctx, values(flag(true), scalar(0)), make([]tensor.Value, 1))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an endless loop ended with %v", err)
	}
}

func TestLoopIsBounded(t *testing.T) {
	collect := graph("i go -> go2 out", node("Identity", "go -> go2"), constant("row", list(1, 2, 3, 4)), node("Add", "row i -> out"))
	grow := graph("i go s -> go2 s2", node("Identity", "go -> go2"), node("SequenceInsert", "s i -> s2"))
	for _, g := range []*onnx.Graph{
		graph("c -> y", node("Loop", "_ c -> y", body("body", collect))),
		graph("c -> y", node("SequenceEmpty", "-> s", integer("dtype", 7)), node("Loop", "_ c s -> y", body("body", grow))),
	} {
		p, err := compile(g, program.Options{MaxTensorBytes: 20000})
		if err != nil {
			t.Fatal(err)
		}
		err = p.Run(context.Background(), values(flag(true)), make([]tensor.Value, 1))
		if err == nil || !strings.Contains(err.Error(), "limit of 20000 bytes") {
			t.Errorf("a growing loop ended with %v", err)
		}
	}
}

func TestLoopErrors(t *testing.T) {
	x := scalar(5)
	fails(t, loopGraph("_ _ start", sums()), "never ends")
	fails(t, loopGraph("m cond start start", sums()), "takes 3 inputs")
	fails(t, loopGraph("m _ start", sums()), "does not declare its type", scalar(0), flag(true), x, x)
	fails(t, loopGraph("m _ start", sums()), "trip count is int64[2]", list(1, 2), flag(true), x, x)
	shapes := graph("i go s -> more s2 out", node("Identity", "go -> more"),
		node("Concat", "s s -> s2", integer("axis", 0)), node("Identity", "s -> out"))
	fails(t, loopGraph("m _ start", shapes), "changes to int64[2]", scalar(2), flag(true), x, list(1))
	badCond := graph("i go s -> more s2 out", node("Identity", "i -> more"), node("Identity", "s -> s2"), node("Identity", "s -> out"))
	fails(t, loopGraph("m cond start", badCond), "want one bool", scalar(2), flag(true), x, x)
}

func TestLoopReusesItsMemory(t *testing.T) {
	inner := graph("i go a -> go2 a2", node("Identity", "go -> go2"), node("Add", "a a -> a2"))
	p := mustCompile(t, graph("m a -> y", node("Loop", "m _ a -> y", body("body", inner))))
	allocs := func(rounds int64) float64 {
		in, out := values(scalar(rounds), f32([]int{2}, 1, 2)), make([]tensor.Value, 1)
		return testing.AllocsPerRun(20, func() {
			if err := p.Run(context.Background(), in, out); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocs(2), allocs(50); many > few && !optest.RaceEnabled {
		t.Errorf("50 rounds allocate %v times, 2 rounds %v times", many, few)
	}
}
