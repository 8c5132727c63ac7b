package onnx_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/greenlight-dev/greenlight/onnx"
	ot "github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func decode(t *testing.T, file []byte) *onnx.Model {
	t.Helper()
	m, err := onnx.Decode(file, nil, onnx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRoundTrip writes a model with one of everything and reads it back.
func TestRoundTrip(t *testing.T) {
	branch := ot.Graph("then", ot.Node("Abs", "x", "t", nil), ot.Output("t", tensor.Float32, 2))
	mapType := tensor.Type{Kind: tensor.KindMap, Key: tensor.Int64, Of: &tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Float32}}
	batch := tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Float32, Ranked: true, Dims: []tensor.Dim{{Size: -1, Name: "N"}, {Size: -1}, {Size: 4}}}
	want := ot.New(17,
		ot.Meta("author", "someone"), ot.Meta("empty", ""),
		ot.InputOf("x", batch), ot.Input("c", tensor.Bool),
		ot.Init("w", tensor.From([]float32{1, 2}, 2)), ot.Init("words", tensor.FromStrings([]string{"a", "", "c"}, 3)),
		ot.Node("Elu", "x", "e", ot.Attrs{"alpha": 0.5}), ot.Named("first"),
		ot.Node("If", "c", "y", ot.Attrs{"then_branch": branch}),
		ot.Node("ai.onnx.ml.Scaler", "e", "s _", ot.Attrs{
			"int": 3, "string": "text", "ints": []int{1, -2}, "floats": []float64{1, 2.5}, "strings": []string{"a", "b"},
			"tensor": tensor.From([]int64{7, 8}, 1, 2), "type": mapType,
		}),
		ot.Output("y", tensor.Float32, 2),
		ot.OutputOf("s", tensor.Type{Kind: tensor.KindSequence, Of: &mapType}),
		ot.OutputOf("e", tensor.Type{Kind: tensor.KindOptional, Of: &tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Float32}}),
	)
	want.Domain, want.Version, want.Doc = "org.example", 4, "a test"
	want.Graph.Initializers[1].Input = true
	file := ot.Encode(want)
	got := decode(t, file)

	digest := sha256.Sum256(file)
	want.SHA256, want.Size = hex.EncodeToString(digest[:]), int64(len(file))
	for i, opset := range []int{17, 17, 3} {
		want.Graph.Nodes[i].Opset = opset
	}
	branch.Nodes[0].Opset = 17
	for i := range want.Graph.Nodes {
		if !reflect.DeepEqual(got.Graph.Nodes[i], want.Graph.Nodes[i]) {
			t.Errorf("node %d is %+v, not %+v", i, got.Graph.Nodes[i], want.Graph.Nodes[i])
		}
	}
	for i, init := range want.Graph.Initializers {
		sameTensor(t, got.Graph.Initializers[i].Value, init.Value)
		got.Graph.Initializers[i].Value = init.Value
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the model is\n%+v\n%+v, not\n%+v\n%+v", got, got.Graph, want, want.Graph)
	}
}

func TestAttributeLists(t *testing.T) {
	sparse := ot.Message(nil).Bytes(1, ot.EncodeTensor("", tensor.From([]float32{5}, 1))).
		Bytes(2, ot.EncodeTensor("", tensor.From([]int64{1}, 1))).Ints(3, 2)
	branch := ot.Graph("g", ot.Output("y", tensor.Float32), ot.Init("y", tensor.Scalar[float32](1)))
	floats := ot.Message(nil).Text(1, "floats").Float(7, 1).Float(7, 2).Floats(7, 3, 4).Int(20, 6)
	ints := ot.Message(nil).Text(1, "ints").Int(8, 1).Int(8, -2).Ints(8, 3, 4).Int(20, 7)
	one, two := tensor.From([]int64{1}, 1), tensor.From([]int64{2}, 1)
	tensors := ot.EncodeAttribute(&onnx.Attribute{Name: "tensors", Type: onnx.AttrTensors, Tensors: []*tensor.Tensor{one, two}})
	graphs := ot.EncodeAttribute(&onnx.Attribute{Name: "graphs", Type: onnx.AttrGraphs, Graphs: []*onnx.Graph{branch, branch}})
	sparses := ot.Message(nil).Text(1, "sparses").Bytes(23, sparse).Int(20, 12)
	n := decode(t, attribute(floats, ints, tensors, graphs, sparses)).Graph.Nodes[0]
	if got := n.Attr("floats").Floats; !slices.Equal(got, []float32{1, 2, 3, 4}) {
		t.Errorf("floats are %v", got)
	}
	if got := n.Attr("ints").Ints; !slices.Equal(got, []int64{1, -2, 3, 4}) {
		t.Errorf("ints are %v", got)
	}
	sameTensor(t, n.Attr("tensors").Tensors[1], two)
	sameTensor(t, n.Attr("sparses").Tensors[0], tensor.From([]float32{0, 5}, 2))
	if got := n.Attr("graphs").Graphs; len(got) != 2 || got[1].Name != "g" || len(got[1].Initializers) != 1 {
		t.Errorf("graphs are %v", got)
	}
}

func sameTensor(t *testing.T, got, want *tensor.Tensor) {
	t.Helper()
	if got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) ||
		!slices.Equal(got.Bytes(), want.Bytes()) || !slices.Equal(got.Strings(), want.Strings()) {
		t.Errorf("the tensor is %v %v %q, not %v %v %q", got, got.Bytes(), got.Strings(), want, want.Bytes(), want.Strings())
	}
}

func TestInitializersAmongInputs(t *testing.T) {
	for ir, overridable := range map[int64]bool{3: false, 4: true} {
		m := ot.New(8, ot.IR(ir), ot.Input("x", tensor.Float32, 2), ot.Init("w", tensor.Scalar[float32](1)),
			ot.Node("Add", "x w", "y", nil), ot.Output("y", tensor.Float32, 2))
		m.Graph.Initializers[0].Input = true
		g := decode(t, ot.Encode(m)).Graph
		if len(g.Inputs) != 1 || g.Inputs[0].Name != "x" {
			t.Errorf("IR %d: the inputs are %v", ir, g.Inputs)
		}
		if g.Initializers[0].Input != overridable {
			t.Errorf("IR %d: Input is %v", ir, g.Initializers[0].Input)
		}
	}
}

func TestNodesAreSorted(t *testing.T) {
	m := ot.Model(17,
		ot.Node("If", "c", "y", ot.Attrs{"then_branch": ot.Graph("then", ot.Node("Abs", "b", "t", nil), ot.Output("t", tensor.Float32))}),
		ot.Node("Neg", "a", "b", nil), ot.Node("Relu", "x", "a", nil),
		ot.Input("x", tensor.Float32), ot.Input("c", tensor.Bool), ot.Output("y", tensor.Float32))
	var ops []string
	for _, n := range m.Graph.Nodes {
		ops = append(ops, n.Op)
	}
	if got := strings.Join(ops, " "); got != "Relu Neg If" {
		t.Errorf("the order is %s", got)
	}
}

func TestSortedNodesKeepTheirOrder(t *testing.T) {
	m := ot.Model(17, ot.Input("x", tensor.Float32), ot.Output("y", tensor.Float32),
		ot.Node("Exp", "x", "a", nil), ot.Node("Abs", "x", "b", nil), ot.Node("Add", "b a", "y", nil))
	if m.Graph.Nodes[0].Op != "Exp" || m.Graph.Nodes[1].Op != "Abs" {
		t.Errorf("the first nodes are %s, %s", m.Graph.Nodes[0].Op, m.Graph.Nodes[1].Op)
	}
}

// TestShadowing: branches may use the same names, also names of the outer
// graph, which then hide those.
func TestShadowing(t *testing.T) {
	branch := func(name string) *onnx.Graph {
		return ot.Graph(name, ot.Node("Abs", "x", "y", nil), ot.Output("y", tensor.Float32))
	}
	ot.Model(17, ot.Input("x", tensor.Float32), ot.Input("c", tensor.Bool), ot.Output("y", tensor.Float32),
		ot.Node("If", "c", "y", ot.Attrs{"then_branch": branch("then"), "else_branch": branch("else")}))
}

func TestDefaultDomainHasTwoNames(t *testing.T) {
	m := ot.New(17, ot.Input("x", tensor.Float32), ot.Output("y", tensor.Float32), ot.Node("ai.onnx.Relu", "x", "y", nil))
	m.Opsets = map[string]int{"ai.onnx": 17}
	got := decode(t, ot.Encode(m))
	n := got.Graph.Nodes[0]
	if n.Domain != "" || n.Opset != 17 || !maps.Equal(got.Opsets, map[string]int{"": 17}) {
		t.Errorf("domain %q, opset %d, imports %v", n.Domain, n.Opset, got.Opsets)
	}
}

func TestProducer(t *testing.T) {
	file := append(relu(17), ot.Message(nil).Text(2, "skl2onnx").Text(3, "1.19.1")...)
	if m := decode(t, file); m.Producer != "skl2onnx 1.19.1" {
		t.Errorf("the producer is %q", m.Producer)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	training := ot.Message(nil).Bytes(1, []byte{0xff, 0xff})
	file := append(relu(17), ot.Message(nil).Bytes(20, training).Int(900, 1).Float(901, 2).Double(902, 3)...)
	decode(t, file)
}

func TestMinusOneIsADimensionOfAnySize(t *testing.T) {
	typ := ot.Message(nil).Bytes(1, ot.Message(nil).Int(1, 1).Bytes(2, ot.Message(nil).Bytes(1, ot.Message(nil).Int(1, -1))))
	graph := ot.EncodeGraph(ot.Graph("main", ot.Output("x", tensor.Float32))).Bytes(11, ot.Message(nil).Text(1, "x").Bytes(2, typ))
	if got := decode(t, modelWith(graph)).Graph.Inputs[0].Type.String(); got != "float32[?]" {
		t.Errorf("the type is %s", got)
	}
}

func TestOpen(t *testing.T) {
	two := []byte{0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0} // 1 and 2 from byte 4 on
	files := fstest.MapFS{
		"plain.onnx":           {Data: relu(17)},
		"folder/model.onnx":    {Data: initializer(external("location", "./sub/w.bin", "offset", "4", "length", "8"))},
		"folder/sub/w.bin":     {Data: two},
		"other/net.onnx":       {Data: initializer(external("location", "w.bin"))},
		"other/w.bin":          {Data: two[4:12]},
		"directory.onnx/x.txt": {},
	}
	for name, path := range map[string]string{"plain.onnx": "plain.onnx", "folder": "folder/model.onnx", "other/net.onnx": "other/net.onnx"} {
		m, err := onnx.Open(files, name, onnx.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Path != path {
			t.Errorf("%s: the path is %q", name, m.Path)
		}
		for _, init := range m.Graph.Initializers {
			sameTensor(t, init.Value, tensor.From([]float32{1, 2}, 2))
		}
	}
	_, err := onnx.Open(files, "directory.onnx", onnx.Limits{})
	wantError(t, err, "directory.onnx/model.onnx")
}
