package onnx_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/greenlight-dev/greenlight/onnx"
	ot "github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// modelWith is a file of IR version 8 and opset 17 with the given GraphProto.
func modelWith(graph ot.Message) ot.Message {
	return ot.Message(nil).Int(1, 8).Bytes(7, graph).Bytes(8, ot.Message(nil).Text(1, "").Int(2, 17))
}

// initializer is a model whose only content is one TensorProto named "w".
func initializer(proto ot.Message) ot.Message {
	w := ot.EncodeGraph(ot.Graph("main", ot.Output("w", tensor.Float32)))
	return modelWith(w.Bytes(5, proto.Text(8, "w")))
}

// sparse is a model with one SparseTensorProto of a single value.
func sparse(index int64, dims ...int64) ot.Message {
	return sparseAt(tensor.From([]int64{index}, 1), dims...)
}

func sparseAt(indices *tensor.Tensor, dims ...int64) ot.Message {
	proto := ot.Message(nil).
		Bytes(1, ot.EncodeTensor("w", tensor.From([]float32{1}, 1))).
		Bytes(2, ot.EncodeTensor("", indices)).
		Ints(3, dims...)
	w := ot.EncodeGraph(ot.Graph("main", ot.Output("w", tensor.Float32)))
	return modelWith(w.Bytes(15, proto))
}

// attribute is a model of one node with the given AttributeProtos.
func attribute(protos ...ot.Message) ot.Message {
	node := ot.Message(nil).Text(2, "y").Text(4, "Op")
	for _, p := range protos {
		node = node.Bytes(5, p)
	}
	return modelWith(ot.EncodeGraph(ot.Graph("main", ot.Output("y", tensor.Float32))).Bytes(1, node))
}

// external is a TensorProto of two floats that are in another file.
func external(entries ...string) ot.Message {
	p := ot.Message(nil).Int(1, 2).Int(2, int64(tensor.Float32)).Int(14, 1)
	for i := 0; i < len(entries); i += 2 {
		p = p.Bytes(13, ot.Message(nil).Text(1, entries[i]).Text(2, entries[i+1]))
	}
	return p
}

// relu is a model of one Relu from x to y, with more parts.
func relu(opset int, parts ...ot.Part) []byte {
	return ot.File(opset, append([]ot.Part{
		ot.Input("x", tensor.Float32, 2), ot.Output("y", tensor.Float32, 2), ot.Node("Relu", "x", "y", nil),
	}, parts...)...)
}

// nested is a model with graphs inside each other, depth of them in all.
func nested(depth int) []byte {
	g := ot.Graph("inner", ot.Output("x", tensor.Float32))
	for range depth - 2 {
		g = ot.Graph("between", ot.Node("If", "c", "z", ot.Attrs{"then_branch": g}), ot.Output("z", tensor.Float32))
	}
	return ot.File(17, ot.Input("c", tensor.Bool), ot.Input("x", tensor.Float32),
		ot.Node("If", "c", "y", ot.Attrs{"then_branch": g}), ot.Output("y", tensor.Float32))
}

// bomb is a model whose functions each call the next one twice.
func bomb(levels int) []byte {
	parts := []ot.Part{
		ot.Input("x", tensor.Float32), ot.Output("y", tensor.Float32), ot.Opset("local", 1), ot.Node("local.f0", "x", "y", nil),
	}
	for i := range levels {
		op := fmt.Sprintf("local.f%d", i+1)
		parts = append(parts, function(fmt.Sprintf("f%d", i), ot.NewNode(op, "a", "t", nil), ot.NewNode(op, "t", "b", nil)))
	}
	return ot.File(17, append(parts, function(fmt.Sprintf("f%d", levels), ot.NewNode("Relu", "a", "b", nil)))...)
}

// function is a local function from a to b.
func function(name string, nodes ...*onnx.Node) ot.Part {
	return ot.Function(&onnx.Function{
		Domain: "local", Name: name, Inputs: []string{"a"}, Outputs: []string{"b"},
		Opsets: map[string]int{"": 17, "local": 1}, Nodes: nodes,
	})
}

func calling(nodes ...*onnx.Node) []byte {
	return ot.File(17, ot.Input("x", tensor.Float32), ot.Output("y", tensor.Float32),
		ot.Node("local.f", "x", "y", nil), function("f", nodes...))
}

func proto(elem tensor.DType, dims ...int64) ot.Message {
	p := ot.Message(nil).Int(2, int64(elem))
	for _, d := range dims {
		p = p.Int(1, d)
	}
	return p
}

// brokenFiles are model files that must be refused, and words of the message
// that tell a user what and where.
var brokenFiles = []struct {
	name string
	file []byte
	want []string
}{
	{"empty", nil, []string{"the file is empty"}},
	{"html", []byte("<!DOCTYPE html><html><body>404</body></html>"), []string{"not an ONNX model", "HTML"}},
	{"zip", []byte("PK\x03\x04\x14\x00\x00\x00"), []string{"zip archive", "PyTorch"}},
	{"pickle", []byte("\x80\x04\x95\x10\x00\x00\x00"), []string{"Python pickle", "skl2onnx"}},
	{"json", []byte(`{"learner": {}}`), []string{"JSON"}},
	{"git lfs pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), []string{"Git LFS"}},
	{"text", []byte("tree\nversion=v4\nnum_class=1\n"), []string{"a text file"}},
	{"tflite", []byte("\x1c\x00\x00\x00TFL3\x00\x00\x00\x00"), []string{"TensorFlow Lite"}},
	{"noise", []byte{0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8, 0xf7, 0xf6, 0xff}, []string{"not protobuf"}},

	{"truncated varint", []byte{0x08, 0x88}, []string{"field 1 is cut off"}},
	{"truncated file", relu(17)[:60], []string{"field 7 is cut off"}},
	{"huge length", []byte{0x08, 0x08, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f}, []string{"field 7 is cut off"}},
	{"wrong wire type", ot.Message(nil).Int(1, 8).Int(7, 3), []string{"graph is encoded as a varint, not as a length-delimited value"}},
	{"no graph", ot.Message(nil).Int(1, 8), []string{"the model has no graph"}},
	{"nothing of a model", ot.Message(nil).Text(4, "x"), []string{"neither a graph nor an IR version"}},
	{"broken node", modelWith(ot.Message(nil).Bytes(1, ot.Message(nil).Text(3, "conv1").Text(4, "Conv").Bytes(5,
		ot.Message(nil).Text(1, "kernel_shape").Int(20, 7).Bytes(8, []byte{0x80}))).Text(2, "main")),
		[]string{`graph "main": node 0 "conv1" (Conv): attribute "kernel_shape": ints is cut off`}},

	{"ir too old", relu(17, ot.IR(2)), []string{"IR version 2 is not supported", "3 to 14"}},
	{"ir too new", relu(17, ot.IR(15)), []string{"IR version 15 is not supported", "3 to 14"}},
	{"opset too old", relu(6), []string{"opset 6 of ai.onnx is not supported", "7 to 28"}},
	{"opset too new", relu(29), []string{"opset 29 of ai.onnx is not supported", "7 to 28"}},
	{"ml opset too new", relu(17, ot.Opset(onnx.MLDomain, 6)), []string{"opset 6 of ai.onnx.ml", "1 to 5"}},
	{"two opsets", append(relu(17), ot.Message(nil).Bytes(8, ot.Message(nil).Text(1, "ai.onnx").Int(2, 18))...), []string{"at versions 17 and 18"}},
	{"unknown domain", relu(17, ot.Node("com.acme.Magic", "x", "z", nil), ot.Named("m")),
		[]string{`node 1 "m" (com.acme.Magic)`, `no opset is imported for its domain "com.acme"`}},

	{"invalid utf-8 name", modelWith(ot.Message(nil).Bytes(1, ot.Message(nil).Text(1, "a\xffb").Text(4, "Relu"))),
		[]string{`node 0 (Relu): input "a\xffb" is not valid UTF-8`}},
	{"long name", modelWith(ot.Message(nil).Text(2, strings.Repeat("n", 9000))), []string{"name has 9000 bytes, more than the 8192 allowed"}},
	{"no operator", relu(17, ot.Node("", "x", "z", nil)), []string{"node 1 (): it names no operator"}},
	{"value defined twice", relu(17, ot.Node("Abs", "x", "y", nil), ot.Named("second")),
		[]string{`node 1 "second" (Abs): output "y" is defined already, by node 0 (Relu)`}},
	{"node writes an input", relu(17, ot.Node("Abs", "y", "x", nil)), []string{`output "x" is defined already, by an input`}},
	{"initializer twice", relu(17, ot.Init("w", tensor.Scalar[float32](1)), ot.Init("w", tensor.Scalar[float32](1))), []string{`initializer "w" is defined twice`}},
	{"input twice", relu(17, ot.Input("x", tensor.Float32)), []string{`input "x" is listed twice`}},
	{"output twice", relu(17, ot.Output("y", tensor.Float32)), []string{`output "y" is listed twice`}},
	{"undefined input", relu(17, ot.Node("Add", "x missing", "z", nil)), []string{`node 1 (Add): input 1 "missing" is not defined`}},
	{"undefined output", relu(17, ot.Output("z", tensor.Float32)), []string{`output "z" is not defined`}},
	{"undefined in a subgraph", relu(17, ot.Input("c", tensor.Bool), ot.Node("If", "c", "z", ot.Attrs{"then_branch": ot.Graph("then",
		ot.Node("Abs", "gone", "t", nil), ot.Output("t", tensor.Float32))})),
		[]string{`graph "main": node 1 (If): attribute "then_branch": graph "then": node 0 (Abs): input 0 "gone" is not defined`}},
	{"inner name read outside", relu(17, ot.Input("c", tensor.Bool), ot.Node("If", "c", "z", ot.Attrs{"then_branch": ot.Graph("then",
		ot.Node("Abs", "x", "t", nil), ot.Output("t", tensor.Float32))}), ot.Node("Abs", "t", "u", nil)), []string{`node 2 (Abs): input 0 "t" is not defined`}},
	{"cycle", relu(17, ot.Node("Add", "x b", "a", nil), ot.Named("first"), ot.Node("Abs", "a", "b", nil), ot.Named("second")),
		[]string{"the nodes form a cycle", `"first" (Add)`, `"second" (Abs)`}},
	{"cycle through a subgraph", relu(17, ot.Input("c", tensor.Bool), ot.Node("If", "c", "z", ot.Attrs{"then_branch": ot.Graph("then",
		ot.Node("Abs", "z", "t", nil), ot.Output("t", tensor.Float32))})), []string{"the nodes form a cycle: node 1 (If)"}},
	{"no outputs", ot.File(17, ot.Input("x", tensor.Float32)), []string{"it has no outputs"}},
	{"input without a type", relu(17, ot.InputOf("z", tensor.Type{})), []string{`input "z" has no type`}},
	{"reference outside a function", relu(17, ot.Node("Elu", "x", "z", ot.Attrs{"alpha": ot.Ref{Name: "a", Type: onnx.AttrFloat}})),
		[]string{`attribute "alpha" refers to "a" of a function`}},
	{"attribute of another type", modelWith(ot.Message(nil).Bytes(1, ot.Message(nil).Text(4, "Elu").Bytes(5,
		ot.Message(nil).Text(1, "alpha").Int(3, 1).Int(20, 1)))), []string{`attribute "alpha": its type is float but it holds a value of another type`}},
	{"attribute without a type", modelWith(ot.Message(nil).Bytes(1, ot.Message(nil).Text(4, "Elu").Bytes(5,
		ot.Message(nil).Text(1, "alpha").Int(3, 1)))), []string{`attribute "alpha": it has no type`}},
	{"attribute without a name", attribute(ot.Message(nil).Int(3, 1).Int(20, 2)), []string{`attribute "": it has no name`}},
	{"attribute of unknown type", attribute(ot.Message(nil).Text(1, "a").Int(20, 300)), []string{`attribute "a": type 255 is unknown`}},
	{"attribute of types", attribute(ot.Message(nil).Text(1, "a").Int(20, 14)), []string{"lists of types are not supported"}},
	{"attribute without its graph", attribute(ot.Message(nil).Text(1, "a").Int(20, 5)), []string{"its type is graph but it holds none"}},
	{"attribute and reference", attribute(ot.Message(nil).Text(1, "a").Int(3, 1).Int(20, 2).Text(21, "b")), []string{`it refers to "b" and holds a value as well`}},
	{"attribute twice", attribute(ot.Message(nil).Text(1, "a").Int(20, 2), ot.Message(nil).Text(1, "a").Int(20, 2)), []string{`attribute "a" is given twice`}},
	{"attribute floats cut", attribute(ot.Message(nil).Text(1, "a").Int(20, 6).Bytes(7, []byte{1, 2, 3})), []string{"floats has 3 bytes, not a multiple of 4"}},
	{"attribute floats as varints", attribute(ot.Message(nil).Text(1, "a").Int(20, 6).Float(7, 1).Int(7, 1)), []string{"floats is encoded as a varint, not as 4 bytes"}},
	{"map with float keys", ot.File(17, ot.InputOf("m", tensor.Type{Kind: tensor.KindMap, Key: tensor.Float32, Of: &tensor.Type{}})),
		[]string{`input 0 "m": a map cannot have keys of type float32`}},
	{"sequence of nothing", modelWith(ot.Message(nil).Bytes(12, ot.Message(nil).Text(1, "s").Bytes(2, ot.Message(nil).Bytes(4, nil)))),
		[]string{`output 0 "s": the type does not say what it holds`}},
	{"deep subgraphs", nested(40), []string{"graphs are nested deeper than 32"}},

	{"function recursion", calling(ot.NewNode("local.f", "a", "b", nil)), []string{`function "f": node 0 (local.f): function "f" calls itself`}},
	{"function bomb", bomb(30), []string{"more than 500000 nodes once its functions are inlined"}},
	{"function depth", bomb(40), []string{"functions call each other deeper than 32"}},
	{"function reads outside", calling(ot.NewNode("Add", "a x", "b", nil)), []string{`function "f": node 0 (Add): input 1 "x" is not defined`}},
	{"function gives nothing", calling(ot.NewNode("Abs", "a", "t", nil)), []string{`output "y" is not defined`}},
	{"function writes its input", calling(ot.NewNode("Abs", "a", "a", nil)), []string{`output "a" is an input of the function`}},
	{"function without opset", calling(ot.NewNode("ai.onnx.ml.Scaler", "a", "b", nil)), []string{`function "f": node 0 (ai.onnx.ml.Scaler): no opset`}},
	{"function attribute unknown", calling(ot.NewNode("Elu", "a", "b", ot.Attrs{"alpha": ot.Ref{Name: "al", Type: onnx.AttrFloat}})),
		[]string{`attribute "alpha": it refers to "al", which the function does not declare`}},
	{"too many arguments", ot.File(17, ot.Input("x", tensor.Float32), ot.Output("y", tensor.Float32),
		ot.Node("local.f", "x x", "y", nil), function("f", ot.NewNode("Abs", "a", "b", nil))), []string{"it takes 1 inputs"}},

	{"unknown dtype", initializer(proto(77, 1)), []string{`initializer 0 "w": element type 77 is unknown`}},
	{"float6", initializer(proto(27, 1)), []string{"element type 27 is unknown"}},
	{"no dtype", initializer(proto(0, 1)), []string{"no element type"}},
	{"negative dims", initializer(proto(tensor.Float32, -2, 3).Bytes(9, make([]byte, 24))), []string{`initializer 0 "w"`, "shape [-2 3] has a negative dimension"}},
	{"shape without data", initializer(proto(tensor.Float32, 1<<40)), []string{"float32[1099511627776] needs 1099511627776 values, float_data has 0"}},
	{"shape overflow", initializer(proto(tensor.Float32, 1<<40, 1<<40)), []string{"too large"}},
	{"shape overflow with a zero", initializer(proto(tensor.Float32, 1<<40, 0, 1<<40)), []string{"too large"}},
	{"many dims", initializer(proto(tensor.Float32, make([]int64, 65)...)), []string{"more than 64 dimensions"}},
	{"raw data mismatch", initializer(proto(tensor.Float32, 2).Bytes(9, make([]byte, 9))), []string{"float32[2] needs 8 bytes, raw_data has 9"}},
	{"raw and typed data", initializer(proto(tensor.Float32, 1).Floats(4, 1).Bytes(9, make([]byte, 4))), []string{"given twice, in float_data and raw_data"}},
	{"data in a wrong field", initializer(proto(tensor.Float32, 1).Ints(7, 1)), []string{"float32 elements cannot be given in int64_data"}},
	{"strings in raw data", initializer(proto(tensor.String, 1).Bytes(9, []byte("a"))), []string{"strings cannot be given in raw_data"}},
	{"int4 length", initializer(proto(tensor.Int4, 3).Bytes(9, []byte{1})), []string{"int4[3] needs 2 bytes, raw_data has 1"}},
	{"int8 out of range", initializer(proto(tensor.Int8, 2).Ints(5, 1, 300)), []string{"int8[2]: value 1 is 300, which does not fit"}},
	{"packed floats cut", initializer(proto(tensor.Float32, 1).Bytes(4, []byte{1, 2, 3})), []string{"float_data has 3 bytes, not a multiple of 4"}},
	{"packed varint cut", initializer(proto(tensor.Int64, 1).Bytes(7, []byte{5, 0x80})), []string{"int64_data is cut off"}},
	{"segment", initializer(proto(tensor.Float32, 1).Bytes(3, nil)), []string{"segments are not supported"}},
	{"sparse out of range", sparse(4, 2, 2), []string{"sparse tensor: index 4 is out of range: the tensor has 4 elements"}},
	{"sparse negative", sparse(-1, 4), []string{"index -1 is out of range"}},
	{"sparse place out of range", sparseAt(tensor.From([]int64{1, 2}, 1, 2), 2, 2), []string{"index [1 2] is out of range of the shape [2 2]"}},
	{"sparse indices of wrong shape", sparseAt(tensor.From([]int64{1, 2, 3}, 1, 3), 2, 2), []string{"its indices have shape [1 3]"}},
	{"sparse indices of wrong type", sparseAt(tensor.From([]int32{1}, 1), 2, 2), []string{"its indices are int32, not int64"}},
	{"sparse too large", sparse(1, 1<<30), []string{"more than the 268435456 bytes allowed once dense"}},

	{"external without a folder", initializer(external("location", "w.bin")), []string{`"w.bin"`, "without its folder"}},
	{"external parent", initializer(external("location", "../x")), []string{`external data: "../x" leaves the model's folder`}},
	{"external inner parent", initializer(external("location", "a/../../x")), []string{"leaves the model's folder"}},
	{"external absolute", initializer(external("location", "/etc/passwd")), []string{`"/etc/passwd" is not a path relative to`}},
	{"external drive", initializer(external("location", `C:\x`)), []string{"is not a path relative to"}},
	{"external nowhere", initializer(external()), []string{"no location is given"}},
	{"external strings", initializer(proto(tensor.String, 1).Int(14, 1)), []string{"strings cannot be kept in another file"}},
}

func TestBrokenFiles(t *testing.T) {
	for _, c := range brokenFiles {
		t.Run(c.name, func(t *testing.T) {
			m, err := onnx.Decode(c.file, nil, onnx.Limits{})
			if m != nil {
				t.Errorf("a model comes with the error")
			}
			wantError(t, err, c.want...)
		})
	}
}

func wantError(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, words := range want {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %q, without %q", err, words)
		}
	}
}

// TestTruncated cuts a model at every byte: none may be taken for whole.
func TestTruncated(t *testing.T) {
	m := ot.New(17, ot.Input("x", tensor.Float32, 2), ot.Init("w", tensor.From([]float32{1, 2}, 2)),
		ot.Node("Add", "x w", "y", nil), ot.Output("y", tensor.Float32, 2))
	delete(m.Opsets, onnx.MLDomain) // the file now ends with something it needs
	file := ot.Encode(m)
	for n := range len(file) - 1 {
		if _, err := onnx.Decode(file[:n], nil, onnx.Limits{}); err == nil {
			t.Errorf("the first %d bytes of %d are accepted", n, len(file))
		}
	}
}

func TestBrokenExternalData(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []string
		want    []string
	}{
		{"missing file", []string{"location", "gone.bin"}, []string{`initializer 0 "w"`, "gone.bin"}},
		{"out of range", []string{"location", "w.bin", "offset", "4"}, []string{"8 bytes at offset 4 pass the end of the file, which has 8 bytes"}},
		{"offset past the end", []string{"location", "w.bin", "offset", "9223372036854775807"}, []string{"pass the end"}},
		{"negative offset", []string{"location", "w.bin", "offset", "-8"}, []string{`offset "-8" is not a number of bytes`}},
		{"length", []string{"location", "w.bin", "length", "4"}, []string{"float32[2] needs 8 bytes, its length is 4"}},
		{"folder", []string{"location", "."}, []string{"not a regular file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{
				"m/model.onnx": {Data: initializer(external(c.entries...))},
				"m/w.bin":      {Data: make([]byte, 8)},
			}
			_, err := onnx.Open(files, "m", onnx.Limits{})
			wantError(t, err, append(c.want, "m/model.onnx: graph")...)
		})
	}
}

func TestExternalSymlinkOutOfTheFolder(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret"), make([]byte, 8))
	write(t, filepath.Join(dir, "model.onnx"), initializer(external("location", "w.bin")))
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "w.bin")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = onnx.Open(root.FS(), "model.onnx", onnx.Limits{})
	wantError(t, err, `model.onnx: graph "main": initializer 0 "w": external data`, "w.bin", "escapes")
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLimits(t *testing.T) {
	weights := ot.File(17, ot.Init("w", tensor.New(tensor.Float32, 100)), ot.Output("w", tensor.Float32))
	attrs := relu(17, ot.Node("Elu", "x", "z", ot.Attrs{"a": 1, "b": 2, "c": 3}))
	for _, c := range []struct {
		name   string
		file   []byte
		limits onnx.Limits
		want   string
	}{
		{"file", weights, onnx.Limits{FileBytes: 100}, "more than the 100 allowed"},
		{"tensors", weights, onnx.Limits{TensorBytes: 399}, "tensors take more than the 399 bytes allowed"},
		{"nodes", attrs, onnx.Limits{Nodes: 1}, "more than 1 nodes"},
		{"messages", attrs, onnx.Limits{Messages: 5}, "more than 5 parts"},
		{"attributes", attrs, onnx.Limits{Attributes: 2}, "more than 2 attributes"},
		{"depth", nested(4), onnx.Limits{Depth: 3}, "nested deeper than 3"},
		{"names", attrs, onnx.Limits{NameBytes: 3}, "bytes, more than the 3 allowed"},
		{"rank", relu(17, ot.Input("t", tensor.Float32, 1, 2, 3)), onnx.Limits{Rank: 2}, "more than 2 dimensions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := onnx.Decode(c.file, nil, c.limits)
			wantError(t, err, c.want)
			if _, err := onnx.Decode(c.file, nil, onnx.Limits{}); err != nil {
				t.Errorf("with the default limits: %v", err)
			}
		})
	}
	files := fstest.MapFS{"model.onnx": {Data: weights}}
	_, err := onnx.Open(files, "model.onnx", onnx.Limits{FileBytes: 100})
	wantError(t, err, "model.onnx: the file has", "more than the 100 allowed")
}
