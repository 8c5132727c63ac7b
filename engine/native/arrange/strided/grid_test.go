package strided

import (
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/tensor"
)

// spread reverses [2,3] into every second element of 12, by any storage unit.
func spread[T tensor.Element](t *testing.T, d tensor.DType, from func(int) T) {
	t.Helper()
	src, dst := tensor.New(d, 2, 3), tensor.New(d, 12)
	for i, s := 0, tensor.Data[T](src); i < len(s); i++ {
		s[i] = from(i + 1)
	}
	var g Grid
	g.Reset(0, 5)
	g.Add(2, 6, -3)
	g.Add(3, 2, -1)
	g.Copy(dst, src)
	var want []T
	for i := 6; i > 0; i-- {
		want = append(want, from(i), from(0))
	}
	if got := tensor.Data[T](dst); !slices.Equal(got, want) {
		t.Errorf("%v: got %v, want %v", d, got, want)
	}
}

func TestCopyByEveryUnit(t *testing.T) {
	spread(t, tensor.Int8, func(i int) int8 { return int8(i) })
	spread(t, tensor.Float16, func(i int) tensor.Float16Bits { return tensor.Float16Bits(i) })
	spread(t, tensor.Float32, func(i int) float32 { return float32(i) })
	spread(t, tensor.Float64, func(i int) float64 { return float64(i) })
	spread(t, tensor.Complex128, func(i int) complex128 { return complex(float64(i), -1) * complex(float64(min(i, 1)), 0) })
}

func TestCopyStrings(t *testing.T) {
	src, dst := tensor.FromStrings([]string{"a", "b", "c", "d"}, 2, 2), tensor.New(tensor.String, 2, 2)
	var g Grid
	g.Reset(0, 0)
	g.Add(2, 2, 1)
	g.Add(2, 1, 2)
	g.Copy(dst, src)
	if got := dst.Strings(); !slices.Equal(got, []string{"a", "c", "b", "d"}) {
		t.Errorf("got %q", got)
	}
}

func TestFillAndEmpty(t *testing.T) {
	var g Grid
	dst := tensor.New(tensor.Int64, 2, 2)
	g.Fill(dst, tensor.Scalar[int64](7))
	if got := tensor.Data[int64](dst); !slices.Equal(got, []int64{7, 7, 7, 7}) {
		t.Errorf("got %v", got)
	}
	g.Fill(tensor.New(tensor.Int64, 0), tensor.Scalar[int64](7))
	g.Reset(100, 100) // no element is touched where a dimension is 0
	g.Add(5, 1, 1)
	g.Add(0, 1, 1)
	g.Copy(dst, dst)
}

func TestCopyWithoutDimensions(t *testing.T) {
	var g Grid
	dst := tensor.New(tensor.Int64, 3)
	g.Reset(1, 0)
	g.Shift(1, 1)
	g.Add(1, 9, 9)
	g.Copy(dst, tensor.From([]int64{4, 5}, 2))
	if got := tensor.Data[int64](dst); !slices.Equal(got, []int64{0, 0, 5}) {
		t.Errorf("got %v", got)
	}
}

func BenchmarkCopy(b *testing.B) {
	const rows, cols = 1000, 20
	src, dst := tensor.New(tensor.Float32, rows, cols), tensor.New(tensor.Float32, rows, 2*cols)
	var g Grid
	b.ReportAllocs()
	b.SetBytes(rows * cols * 4)
	for b.Loop() {
		g.Reset(cols, 0)
		g.Add(rows, 2*cols, cols)
		g.Add(cols, 1, 1)
		g.Copy(dst, src)
	}
}
