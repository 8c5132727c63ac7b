package native_test

import (
	"context"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/enginetest"
	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/engine/native/fuse"
	"github.com/greenlight-dev/greenlight/engine/native/program"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// wave fills a tensor with values of both signs.
func wave(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range tensor.Data[float32](t) {
		tensor.Data[float32](t)[i] = float32((i*37)%19)/7 - 1.3
	}
	return t
}

func positive(n int) *tensor.Tensor {
	t := wave(n)
	for i, v := range tensor.Data[float32](t) {
		tensor.Data[float32](t)[i] = v*v + 0.5
	}
	return t
}

func classifier(inputs string) onnxtest.Part {
	return onnxtest.Node("ai.onnx.ml.LinearClassifier", inputs, "label scores", onnxtest.Attrs{
		"coefficients": tensor.Data[float32](wave(12)), "intercepts": []float32{0.1, -0.1, 0.2},
		"classlabels_ints": []int64{0, 1, 2}, "post_transform": "SOFTMAX"})
}

func TestFusing(t *testing.T) {
	x4 := onnxtest.Input("x", tensor.Float32, -1, 4)
	image := onnxtest.Input("x", tensor.Float32, -1, 2, 5, 5)
	out := func(dims ...int) onnxtest.Part { return onnxtest.Output("y", tensor.Float32, dims...) }
	ml := onnxtest.Opset(onnx.MLDomain, 3)
	scores := onnxtest.Output("scores", tensor.Float32, -1, 3)
	for name, c := range map[string]struct {
		steps int // after fusing
		in    *tensor.Tensor
		parts []onnxtest.Part
	}{
		"MatMul, bias, Relu": {1, wave(7, 4), []onnxtest.Part{x4, onnxtest.Init("w", wave(4, 3)), onnxtest.Init("b", wave(3)),
			onnxtest.Node("MatMul", "x w", "a", nil), onnxtest.Node("Add", "b a", "c", nil), onnxtest.Node("Relu", "c", "y", nil), out(-1, 3)}},
		"Gemm, Sigmoid": {1, wave(7, 4), []onnxtest.Part{x4, onnxtest.Init("w", wave(4, 3)),
			onnxtest.Node("Gemm", "x w", "a", nil), onnxtest.Node("Sigmoid", "a", "y", nil), out(-1, 3)}},
		"Gemm, Elu with alpha": {1, wave(7, 4), []onnxtest.Part{x4, onnxtest.Init("w", wave(4, 3)),
			onnxtest.Node("Gemm", "x w", "a", nil), onnxtest.Node("Elu", "a", "y", onnxtest.Attrs{"alpha": float32(0.3)}), out(-1, 3)}},
		"Gemm, Clip by inputs": {1, wave(7, 4), []onnxtest.Part{x4, onnxtest.Init("w", wave(4, 3)),
			onnxtest.Init("high", tensor.Scalar(float32(0.7))),
			onnxtest.Node("Gemm", "x w", "a", nil), onnxtest.Node("Clip", "a _ high", "y", nil), out(-1, 3)}},
		"Conv, BatchNormalization, LeakyRelu": {1, wave(2, 2, 5, 5), []onnxtest.Part{image, onnxtest.Init("w", wave(3, 2, 3, 3)), onnxtest.Init("b", wave(3)),
			onnxtest.Init("scale", positive(3)), onnxtest.Init("shift", wave(3)), onnxtest.Init("mean", wave(3)), onnxtest.Init("var", positive(3)),
			onnxtest.Node("Conv", "x w b", "a", nil), onnxtest.Node("BatchNormalization", "a scale shift mean var", "n", onnxtest.Attrs{"epsilon": float32(1e-3)}),
			onnxtest.Node("LeakyRelu", "n", "y", onnxtest.Attrs{"alpha": float32(0.2)}), out(-1, 3, 3, 3)}},
		"Scaler, LinearClassifier": {1, wave(7, 4), []onnxtest.Part{x4, ml, onnxtest.Node("ai.onnx.ml.Scaler", "x", "s", onnxtest.Attrs{
			"offset": []float32{1, 2, 3, 4}, "scale": []float32{2, 0.5, 1, 3}}), classifier("s"), scores}},
		"Sub, Div, LinearClassifier": {1, wave(7, 4), []onnxtest.Part{x4, ml, onnxtest.Init("o", wave(4)), onnxtest.Init("d", positive(4)),
			onnxtest.Node("Sub", "x o", "s", nil), onnxtest.Node("Div", "s d", "t", nil), classifier("t"), scores}},
		"a value that others read stays": {2, wave(7, 4), []onnxtest.Part{x4, onnxtest.Init("w", wave(4, 3)),
			onnxtest.Node("Gemm", "x w", "a", nil), onnxtest.Node("Relu", "a", "y", nil), out(-1, 3), onnxtest.Output("a", tensor.Float32, -1, 3)}},
		"a bias that widens stays": {2, wave(7, 4), []onnxtest.Part{x4, onnxtest.Init("w", wave(4, 1)), onnxtest.Init("b", wave(3)),
			onnxtest.Node("MatMul", "x w", "a", nil), onnxtest.Node("Add", "a b", "y", nil), out(-1, 3)}},
		"a constant wider than the rows stays": {2, wave(7, 1), []onnxtest.Part{onnxtest.Input("x", tensor.Float32, -1, 1), onnxtest.Init("o", wave(4)), onnxtest.Init("d", positive(4)),
			onnxtest.Node("Sub", "x o", "s", nil), onnxtest.Node("Div", "s d", "y", nil), out(-1, 4)}},
	} {
		t.Run(name, func(t *testing.T) {
			m := onnxtest.Model(17, c.parts...)
			plain := evaluate(t, m, c.in, program.Options{}, -1)
			fused := evaluate(t, m, c.in, program.Options{Rewrites: []func(*onnx.Graph) *onnx.Graph{fuse.Rewrite}}, c.steps)
			for i := range plain {
				if err := enginetest.Compare(fused[i], plain[i], 1e-5, 1e-6); err != nil {
					t.Errorf("output %d: fused: %v", i, err)
				}
			}
		})
	}
}

// evaluate compiles and runs a model, checking the number of steps unless it
// is negative.
func evaluate(t *testing.T, m *onnx.Model, in tensor.Value, o program.Options, steps int) []tensor.Value {
	t.Helper()
	p, err := program.Compile(m.Graph, native.Registry(), o)
	if err != nil {
		t.Fatal(err)
	}
	if steps >= 0 && p.Steps() != steps {
		t.Errorf("%d steps, want %d", p.Steps(), steps)
	}
	out := make([]tensor.Value, len(m.Graph.Outputs))
	if err := p.Run(context.Background(), []tensor.Value{in}, out); err != nil {
		t.Fatal(err)
	}
	return out
}
