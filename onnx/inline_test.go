package onnx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/onnx"
	ot "github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// listing writes a graph's nodes as "out = Op@opset(in)" parted by "; ",
// subgraphs in braces.
func listing(g *onnx.Graph) string {
	var lines []string
	for _, n := range g.Nodes {
		line := fmt.Sprintf("%s = %s@%d(%s)", strings.Join(n.Outputs, ","), n.Op, n.Opset, strings.Join(n.Inputs, ","))
		for _, a := range n.Attrs {
			switch a.Type {
			case onnx.AttrGraph:
				line += fmt.Sprintf(" %s{%s → %s}", a.Name, listing(a.Graph), a.Graph.Outputs[0].Name)
			case onnx.AttrFloat:
				line += fmt.Sprintf(" %s=%g", a.Name, a.Float)
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func local(f onnx.Function, nodes ...*onnx.Node) ot.Part {
	f.Domain, f.Nodes = "local", nodes
	if f.Opsets == nil {
		f.Opsets = map[string]int{"": 13}
	}
	return ot.Function(&f)
}

func alpha(name string) ot.Attrs {
	return ot.Attrs{"alpha": ot.Ref{Name: name, Type: onnx.AttrFloat}}
}

func TestInline(t *testing.T) {
	x, y := ot.Input("x", tensor.Float32), ot.Output("y", tensor.Float32)
	one := onnx.Function{Name: "f", Inputs: []string{"a"}, Outputs: []string{"b"}}
	withAlpha, withDefault := one, one
	withAlpha.AttributeNames = []string{"al"}
	withDefault.AttributeDefaults = []*onnx.Attribute{ot.Attribute("al", 0.25)}
	overloaded := one
	overloaded.Overload = "2"
	for _, c := range []struct {
		name  string
		parts []ot.Part
		want  string
	}{
		{"unused", []ot.Part{ot.Node("Abs", "x", "y", nil), local(one, ot.NewNode("Neg", "a", "b", nil))}, "y = Abs@17(x)"},
		{"own opset", []ot.Part{ot.Node("local.f", "x", "y", nil), local(one, ot.NewNode("Neg", "a", "b", nil))}, "y = Neg@13(x)"},
		{"inner values renamed", []ot.Part{ot.Node("local.f", "x", "t", nil), ot.Node("local.f", "t", "y", nil),
			local(one, ot.NewNode("Neg", "a", "t", nil), ot.NewNode("Abs", "t", "b", nil))},
			"t#1 = Neg@13(x); t = Abs@13(t#1); t#2 = Neg@13(t); y = Abs@13(t#2)"},
		{"new names avoid old ones", []ot.Part{ot.Node("Abs", "x", "t#1", nil), ot.Node("local.f", "t#1", "y", nil),
			local(one, ot.NewNode("Neg", "a", "t", nil), ot.NewNode("Abs", "t", "b", nil))},
			"t#1 = Abs@17(x); t#2 = Neg@13(t#1); y = Abs@13(t#2)"},
		{"body out of order", []ot.Part{ot.Node("local.f", "x", "y", nil),
			local(one, ot.NewNode("Abs", "t", "b", nil), ot.NewNode("Neg", "a", "t", nil))},
			"t#1 = Neg@13(x); y = Abs@13(t#1)"},
		{"nested", []ot.Part{ot.Node("local.f", "x", "y", nil), local(one, ot.NewNode("local.g", "a", "t", nil), ot.NewNode("local.g", "t", "b", nil)),
			local(onnx.Function{Name: "g", Inputs: []string{"a"}, Outputs: []string{"b"}, Opsets: map[string]int{"": 14}},
				ot.NewNode("Neg", "a", "t", nil), ot.NewNode("Abs", "t", "b", nil))},
			"t#2 = Neg@14(x); t#1 = Abs@14(t#2); t#3 = Neg@14(t#1); y = Abs@14(t#3)"},
		{"attribute given", []ot.Part{ot.Node("local.f", "x", "y", ot.Attrs{"al": 0.5}), local(withAlpha, ot.NewNode("Elu", "a", "b", alpha("al")))},
			"y = Elu@13(x) alpha=0.5"},
		{"attribute left out", []ot.Part{ot.Node("local.f", "x", "y", nil), local(withAlpha, ot.NewNode("Elu", "a", "b", alpha("al")))}, "y = Elu@13(x)"},
		{"attribute by default", []ot.Part{ot.Node("local.f", "x", "t", nil), ot.Node("local.f", "t", "y", ot.Attrs{"al": 0.5}),
			local(withDefault, ot.NewNode("Elu", "a", "b", alpha("al")))}, "t = Elu@13(x) alpha=0.25; y = Elu@13(t) alpha=0.5"},
		{"attribute handed on", []ot.Part{ot.Node("local.g", "x", "y", ot.Attrs{"beta": 2.0}),
			local(onnx.Function{Name: "g", Inputs: []string{"a"}, Outputs: []string{"b"}, AttributeNames: []string{"beta"}},
				ot.NewNode("local.f", "a", "b", ot.Attrs{"al": ot.Ref{Name: "beta", Type: onnx.AttrFloat}})),
			local(withAlpha, ot.NewNode("Elu", "a", "b", alpha("al")))}, "y = Elu@13(x) alpha=2"},
		{"overload", []ot.Part{func(m *onnx.Model) {
			n := ot.NewNode("local.f", "x", "y", nil)
			n.Overload = "2"
			m.Graph.Nodes = append(m.Graph.Nodes, n)
		}, local(one, ot.NewNode("Neg", "a", "b", nil)), local(overloaded, ot.NewNode("Abs", "a", "b", nil))}, "y = Abs@13(x)"},
		{"optional input and output", []ot.Part{ot.Node("local.f", "_ x", "_ y", nil),
			local(onnx.Function{Name: "f", Inputs: []string{"a", "b", "c"}, Outputs: []string{"p", "q"}},
				ot.NewNode("Clip", "b a c", "p", nil), ot.NewNode("Abs", "p", "q", nil))},
			"p#1 = Clip@13(x,,); y = Abs@13(p#1)"},
		{"input is output", []ot.Part{ot.Node("local.f", "x", "y z", nil), ot.Output("z", tensor.Float32),
			local(onnx.Function{Name: "f", Inputs: []string{"a"}, Outputs: []string{"a", "a"}})},
			"y = Identity@13(x); z = Identity@13(x)"},
		{"output listed twice", []ot.Part{ot.Node("local.f", "x", "y z", nil), ot.Output("z", tensor.Float32),
			local(onnx.Function{Name: "f", Inputs: []string{"a"}, Outputs: []string{"b", "b"}}, ot.NewNode("Abs", "a", "b", nil))},
			"y = Abs@13(x); z = Identity@13(y)"},
		{"call in a subgraph", []ot.Part{ot.Input("c", tensor.Bool), ot.Node("If", "c", "y", ot.Attrs{"then_branch": ot.Graph("then",
			ot.Node("local.f", "x", "t", nil), ot.Output("t", tensor.Float32))}), local(one, ot.NewNode("Neg", "a", "b", nil))},
			"y = If@17(c) then_branch{t = Neg@13(x) → t}"},
		{"subgraph in a function", []ot.Part{ot.Node("local.f", "x", "t", nil), ot.Node("local.f", "t", "y", nil),
			local(one, ot.NewNode("Cast", "a", "c", nil), ot.NewNode("If", "c", "b", ot.Attrs{"then_branch": ot.Graph("then",
				ot.Node("Neg", "a", "t", nil), ot.Output("t", tensor.Float32))}))},
			"c#1 = Cast@13(x); t = If@13(c#1) then_branch{t#2 = Neg@13(x) → t#2}; " +
				"c#3 = Cast@13(t); y = If@13(c#3) then_branch{t#4 = Neg@13(t) → t#4}"},
		{"reference in a subgraph", []ot.Part{ot.Input("c", tensor.Bool), ot.Node("local.f", "c", "y", ot.Attrs{"al": 3.0}), ot.Init("x2", tensor.Scalar[float32](1)),
			local(withAlpha, ot.NewNode("If", "a", "b", ot.Attrs{"then_branch": ot.Graph("then",
				ot.Node("Elu", "a", "t", alpha("al")), ot.Output("t", tensor.Float32))}))},
			"y = If@13(c) then_branch{t#1 = Elu@13(c) alpha=3 → t#1}"},
		{"graph handed over", []ot.Part{ot.Input("c", tensor.Bool), ot.Node("local.f", "c", "y", ot.Attrs{"body": ot.Graph("g",
			ot.Node("Neg", "x", "t", nil), ot.Output("t", tensor.Float32))}),
			local(onnx.Function{Name: "f", Inputs: []string{"a"}, Outputs: []string{"b"}, AttributeNames: []string{"body"}},
				ot.NewNode("If", "a", "b", ot.Attrs{"then_branch": ot.Ref{Name: "body", Type: onnx.AttrGraph}}))},
			"y = If@13(c) then_branch{t = Neg@17(x) → t}"},
		{"graph by default", []ot.Part{ot.Input("c", tensor.Bool), ot.Node("local.f", "c", "y", nil),
			local(onnx.Function{Name: "f", Inputs: []string{"a"}, Outputs: []string{"b"}, AttributeDefaults: []*onnx.Attribute{
				ot.Attribute("body", ot.Graph("g", ot.Init("k", tensor.Scalar[float32](1)), ot.Node("Neg", "k", "t", nil), ot.Output("t", tensor.Float32)))}},
				ot.NewNode("If", "a", "b", ot.Attrs{"then_branch": ot.Ref{Name: "body", Type: onnx.AttrGraph}}))},
			"y = If@13(c) then_branch{t#2 = Neg@13(k#1) → t#2}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ot.Model(17, append([]ot.Part{x, y}, c.parts...)...)
			if got := listing(m.Graph); got != c.want {
				t.Errorf("the nodes are\n%s\nnot\n%s", got, c.want)
			}
		})
	}
}

func TestInlinedNodesNameTheirCall(t *testing.T) {
	inner := ot.NewNode("Neg", "a", "b", nil)
	inner.Name = "negate"
	m := ot.Model(17, ot.Input("x", tensor.Float32), ot.Output("y", tensor.Float32), ot.Node("local.f", "x", "y", nil), ot.Named("layer1"),
		function("f", inner))
	if got := m.Graph.Nodes[0].Name; got != "layer1/negate" {
		t.Errorf("the node's name is %q", got)
	}
	if len(m.Functions) != 1 || len(m.Functions[0].Nodes) != 1 || m.Functions[0].Nodes[0].Outputs[0] != "b" {
		t.Errorf("the functions are %+v", m.Functions)
	}
}

// TestInlineBoundsNames: what a function bomb makes is bounded in bytes too,
// not only in nodes.
func TestInlineBoundsNames(t *testing.T) {
	long := strings.Repeat("n", 8000)
	calls := []ot.Part{ot.Input("x", tensor.Float32), ot.Output("y", tensor.Float32), ot.Node("Abs", "x", "y", nil)}
	for range 300 {
		calls = append(calls, ot.Node("local.f", "x", "_", nil))
	}
	calls = append(calls, function("f", ot.NewNode("Neg", "a", long, nil), ot.NewNode("Neg", long, "b", nil)))
	_, err := onnx.Decode(ot.File(17, calls...), nil, onnx.Limits{Nodes: 1000})
	wantError(t, err, "more than 1000 nodes once its functions are inlined")
}
