package ml_test

import (
	"context"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/ml"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// BenchmarkTrainedModels runs whole models on one row, into lent memory.
func BenchmarkTrainedModels(b *testing.B) {
	for _, name := range names(b) {
		b.Run(name, func(b *testing.B) {
			c := load(b, name)
			g := *c.Model.Graph
			if len(g.Nodes) > 1 {
				if folded, ok := ml.FoldScaler(g.Nodes[0], g.Nodes[1]); ok {
					g.Nodes = append([]*onnx.Node{folded}, g.Nodes[2:]...)
				}
			}
			p := compile(b, &g)
			var in []tensor.Value
			for _, v := range c.Sets[0].Inputs {
				in = append(in, row(v, 0))
			}
			out := run(b, p, in)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Run(context.Background(), in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
