package control_test

import (
	"testing"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// running is a scan body that adds up and gives every partial sum.
func running() *onnx.Graph {
	return graph("sum x -> next out", node("Add", "sum x -> next"), node("Identity", "next -> out"))
}

func scanGraph(inner *onnx.Graph, attrs ...*onnx.Attribute) *onnx.Graph {
	attrs = append(attrs, body("body", inner), integer("num_scan_inputs", 1))
	return graph("start x -> end all", node("Scan", "start x -> end all", attrs...))
}

func TestScan(t *testing.T) {
	start := f32([]int{2}, 0, 0)
	x := f32([]int{3, 2}, 1, 2, 3, 4, 5, 6)
	end := f32([]int{2}, 9, 12)
	for _, c := range []struct {
		name  string
		attrs []*onnx.Attribute
		x     *tensor.Tensor
		all   *tensor.Tensor
	}{
		{"forwards", nil, x, f32([]int{3, 2}, 1, 2, 4, 6, 9, 12)},
		{"backwards", []*onnx.Attribute{integers("scan_input_directions", 1)}, x, f32([]int{3, 2}, 5, 6, 8, 10, 9, 12)},
		{"prepending", []*onnx.Attribute{integers("scan_output_directions", 1)}, x, f32([]int{3, 2}, 9, 12, 4, 6, 1, 2)},
		{"along columns", []*onnx.Attribute{integers("scan_input_axes", -1)}, f32([]int{2, 3}, 1, 3, 5, 2, 4, 6), f32([]int{3, 2}, 1, 2, 4, 6, 9, 12)},
		{"into columns", []*onnx.Attribute{integers("scan_output_axes", -1)}, x, f32([]int{2, 3}, 1, 4, 9, 2, 6, 12)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustCompile(t, scanGraph(running(), c.attrs...))
			for range 2 {
				same(t, run(t, p, start, c.x), end, c.all)
			}
		})
	}
}

func TestScanWithoutSteps(t *testing.T) {
	inner := running()
	inner.Outputs[1].Type = tensor.TensorType(tensor.Float32, 2)
	p := mustCompile(t, scanGraph(inner, integers("scan_output_axes", 1)))
	start := f32([]int{2}, 7, 8)
	same(t, run(t, p, start, f32([]int{0, 2})), start, f32([]int{2, 0}))
	fails(t, scanGraph(running()), "does not declare its type", start, f32([]int{0, 2}))
}

func TestScanOfTwoInputsWithoutState(t *testing.T) {
	inner := graph("a b -> c", node("Mul", "a b -> c"))
	g := graph("a b -> c", node("Scan", "a b -> c", body("body", inner), integer("num_scan_inputs", 2), integers("scan_input_directions", 0, 1)))
	same(t, run(t, mustCompile(t, g), list(1, 2, 3), list(4, 5, 6)), list(6, 10, 12))
	fails(t, g, "3 and 2 steps", list(1, 2, 3), list(4, 5))
}

// TestScanOfBatches is the operator of opset 8: the second sequence ends early.
func TestScanOfBatches(t *testing.T) {
	scan := node("Scan", "lens start x -> end all", body("body", running()), integer("num_scan_inputs", 1))
	scan.Opset = 8
	p := mustCompile(t, graph("lens start x -> end all", scan))
	start, x := f32([]int{2, 1}, 0, 10), f32([]int{2, 3, 1}, 1, 2, 3, 4, 5, 6)
	for range 2 {
		same(t, run(t, p, list(3, 2), start, x), f32([]int{2, 1}, 6, 19), f32([]int{2, 3, 1}, 1, 3, 6, 14, 19, 0))
	}
	back := node("Scan", "_ start x -> end all", body("body", running()), integer("num_scan_inputs", 1), integers("directions", 1))
	back.Opset = 8
	g := graph("start x -> end all", back)
	same(t, run(t, mustCompile(t, g), start, x), f32([]int{2, 1}, 6, 25), f32([]int{2, 3, 1}, 3, 5, 6, 16, 21, 25))
	fails(t, g, "want a batch of 2", start, f32([]int{1, 3, 1}, 1, 2, 3))
	fails(t, graph("lens start x -> end all", scan), "4 steps of 3", list(4, 1), start, x)
	fails(t, graph("lens start x -> end all", scan), "sequence lengths", list(3), f32([]int{2, 1}, 0, 0), x)
}

func TestScanErrors(t *testing.T) {
	start, x := f32([]int{2}, 0, 0), f32([]int{3, 2}, 1, 2, 3, 4, 5, 6)
	fails(t, scanGraph(running(), integers("scan_input_axes", 2)), "axis 2", start, x)
	fails(t, scanGraph(running(), integers("scan_output_axes", 2)), "axis 2", start, x)
	fails(t, scanGraph(running(), integers("scan_input_axes", 0, 0)), "2 axes")
	fails(t, scanGraph(graph("a -> b", node("Identity", "a -> b"))), "takes 1 inputs")
	fails(t, graph("a -> b", node("Scan", "a -> b", body("body", running()), integer("num_scan_inputs", 2))), "cannot scan 2")
}
