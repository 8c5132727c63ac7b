package ml

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// kernelFunc is a support vector machine's kernel: what takes the place of
// the product of two vectors u and v.
type kernelFunc struct {
	kind                string
	gamma, coef, degree float32
	matrix              *matrix   // for all but RBF
	vectors             []float32 // for RBF, [count, features]
	count, features     int
}

// readKernel reads a kernel over count vectors, [count, features].
func readKernel(a *op.Attrs, count int, vectors []float32) (*kernelFunc, error) {
	if count < 1 || len(vectors) == 0 || len(vectors)%count != 0 {
		return nil, op.Errorf("%d values do not make %d support vectors", len(vectors), count)
	}
	k := &kernelFunc{kind: a.String("kernel_type", "LINEAR"), count: count, features: len(vectors) / count}
	p := a.Floats("kernel_params")
	switch {
	case len(p) >= 3:
		k.gamma, k.coef, k.degree = p[0], p[1], p[2]
	case len(p) > 0 || k.kind != "LINEAR":
		return nil, op.Errorf("kernel_params has %d values, want gamma, coef0 and degree", len(p))
	}
	switch k.kind {
	case "LINEAR", "POLY", "SIGMOID":
		k.matrix = newMatrix(count, k.features, vectors)
	case "RBF":
		k.vectors = vectors
	default:
		return nil, op.Errorf("kernel_type %q is unknown; want LINEAR, POLY, RBF or SIGMOID", k.kind)
	}
	return k, a.Err()
}

// eval computes dst[n, count], the kernel of each row of x with each vector.
func (k *kernelFunc) eval(ws *gemm.Workspace, n int, x, dst []float32) {
	if k.kind == "RBF" {
		for i := range n {
			k.rbf(dst[i*k.count:(i+1)*k.count], x[i*k.features:(i+1)*k.features])
		}
		return
	}
	k.matrix.mul(ws, n, x, dst, nil)
	switch k.kind {
	case "POLY":
		for i, v := range dst[:n*k.count] {
			dst[i] = power(k.gamma*v+k.coef, k.degree)
		}
	case "SIGMOID":
		for i, v := range dst[:n*k.count] {
			dst[i] = float32(math.Tanh(float64(k.gamma*v + k.coef)))
		}
	}
}

func power(v, degree float32) float32 {
	switch degree {
	case 2:
		return v * v
	case 3:
		return v * v * v
	}
	return float32(math.Pow(float64(v), float64(degree)))
}

// rbf computes e^(-gamma·|x-v|²) for four vectors at a time, whose sums do not
// wait for each other.
func (k *kernelFunc) rbf(dst, x []float32) {
	f := len(x)
	i := 0
	for ; i+4 <= k.count; i += 4 {
		a, b := k.vectors[i*f:][:f], k.vectors[(i+1)*f:][:f]
		c, d := k.vectors[(i+2)*f:][:f], k.vectors[(i+3)*f:][:f]
		var s, t, u, v float32
		for j, y := range x {
			s += (y - a[j]) * (y - a[j])
			t += (y - b[j]) * (y - b[j])
			u += (y - c[j]) * (y - c[j])
			v += (y - d[j]) * (y - d[j])
		}
		dst[i], dst[i+1], dst[i+2], dst[i+3] = s, t, u, v
	}
	for ; i < k.count; i++ {
		var s float32
		for j, v := range k.vectors[i*f:][:f] {
			s += (x[j] - v) * (x[j] - v)
		}
		dst[i] = s
	}
	for i, s := range dst {
		dst[i] = float32(math.Exp(float64(-k.gamma * s)))
	}
}
