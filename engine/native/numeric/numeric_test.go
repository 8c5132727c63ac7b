package numeric_test

import (
	"math"
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestReadUsesStorageOfTheSameType(t *testing.T) {
	var c op.Context
	x := tensor.From([]float32{1, 2}, 2)
	numeric.Read[float32](&c, 0, x)[0] = 5
	if got := tensor.Data[float32](x)[0]; got != 5 {
		t.Errorf("element 0 is %v: Read copied", got)
	}
	if got := numeric.Read[float64](&c, 0, tensor.From([]int8{-3, 4}, 2)); !slices.Equal(got, []float64{-3, 4}) {
		t.Errorf("int8 reads as %v", got)
	}
}

func TestWriteRoundsAndHoldsRange(t *testing.T) {
	src := []float64{-1, 0.5, 1.5, 2.5, 254.9, 300, math.NaN()}
	for _, c := range []struct {
		d    tensor.DType
		want []float64
	}{
		{tensor.Uint8, []float64{0, 0, 2, 2, 255, 255, 0}},
		{tensor.Int8, []float64{-1, 0, 2, 2, 127, 127, -128}},
		{tensor.Int32, []float64{-1, 0, 2, 2, 255, 300, math.MinInt32}},
	} {
		var ctx op.Context
		out := tensor.New(c.d, len(src))
		numeric.Write(&ctx, 0, out, src)
		if got := numeric.Read[float64](&ctx, 1, out); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.d, got, c.want)
		}
	}
}

func TestTargetAndStoreRoundToHalfPrecisionInPlace(t *testing.T) {
	var c op.Context
	out := tensor.New(tensor.Float16, 3)
	dst := numeric.Target[float64](&c, 0, out)
	copy(dst, []float64{1.0001, -2, 65504})
	numeric.Store(&c, 0, out, dst)
	if got := numeric.Read[float32](&c, 1, out); !slices.Equal(got, []float32{1, -2, 65504}) {
		t.Errorf("got %v", got)
	}
}

func TestExp(t *testing.T) {
	narrow, wide := []float32{0, 1, -2, 3, -50}, []float64{0, 1, -2, 3, -50}
	numeric.Exp(narrow)
	numeric.Exp(wide)
	for i, x := range []float64{0, 1, -2, 3, -50} {
		if want := math.Exp(x); wide[i] != want || math.Abs(float64(narrow[i])-want) > 3e-7*want {
			t.Errorf("e^%v is %v in float64, %v in float32, want %v", x, wide[i], narrow[i], want)
		}
	}
}
