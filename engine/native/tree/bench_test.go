package tree

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// forestClassifier is a random forest of 100 complete trees over 20 features.
func forestClassifier(t testing.TB, classes, depth int) op.Kernel {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 5))
	e := &ensemble{targets: classes, agg: sum}
	k := &classifier{classes: classes, votes: true, lone: classes == 2}
	for i := range classes {
		k.labels.Ints = append(k.labels.Ints, int64(i))
	}
	voted := classes
	if classes == 2 {
		voted = 1
	}
	for range 100 {
		root := len(e.nodes)
		e.roots = append(e.roots, root)
		for i := range 1<<(depth+1) - 1 {
			n := node{mode: leq, feature: r.IntN(20), value: r.NormFloat64() / 2, yes: root + 2*i + 1, no: root + 2*i + 2}
			if i >= 1<<depth-1 {
				n = node{mode: leaf}
				for c := range voted {
					n.votes = append(n.votes, vote{int32(c), float64(r.Float32()) / 100})
				}
			}
			e.nodes = append(e.nodes, n)
		}
	}
	err := e.check()
	if err == nil {
		k.single, err = pack[float32](e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newContext(x *tensor.Tensor) *op.Context {
	c := &op.Context{Ctx: context.Background()}
	c.Init(1, 2, nil)
	c.In[0] = x
	return c
}

func batch(rows int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(6, 6))
	x := tensor.New(tensor.Float32, rows, 20)
	for i := range tensor.Data[float32](x) {
		tensor.Data[float32](x)[i] = float32(r.NormFloat64())
	}
	return x
}

func BenchmarkRandomForest(b *testing.B) {
	for _, classes := range []int{2, 10} {
		k := forestClassifier(b, classes, 8)
		for _, rows := range []int{1, 8, 64, 1024} {
			b.Run(fmt.Sprintf("classes=%d/rows=%d", classes, rows), func(b *testing.B) {
				b.ReportAllocs()
				c := newContext(batch(rows))
				for b.Loop() {
					if err := k.Run(c); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			})
		}
	}
}

func TestNoAllocations(t *testing.T) {
	for _, classes := range []int{2, 10} {
		k := forestClassifier(t, classes, 4)
		for _, rows := range []int{1, 70} {
			c := newContext(batch(rows))
			if n := testing.AllocsPerRun(10, func() { _ = k.Run(c) }); n != 0 {
				t.Errorf("%d classes, %d rows: %v allocations", classes, rows, n)
			}
		}
	}
	texts := stumpClassifier([]float64{0.3, 0.8}, []int{0, 0}, attrs{"classlabels_strings": []string{"no", "yes"}, "classlabels_int64s": nil})
	for _, x := range []tensor.Value{tensor.New(tensor.Float32, 9, 1), tensor.New(tensor.Float64, 9, 1), tensor.New(tensor.Int64, 9, 1)} {
		if n := optest.Run(t, Ops(), call("TreeEnsembleClassifier", texts), x).Allocs(t); n != 0 {
			t.Errorf("%v: %v allocations", x, n)
		}
	}
}
