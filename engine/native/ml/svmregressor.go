package ml

import (
	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// svmRegressor predicts Σ coefficient·kernel(x, vector) + rho.
type svmRegressor struct {
	kernel       *kernelFunc
	coefficients []float32 // nil for a linear model, whose vector is its weights
	rho          float32
	oneClass     bool
	transform    score.Transform
}

func buildSVMRegressor(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &svmRegressor{oneClass: a.Bool("one_class", false)}
	coefficients, rho := a.Floats("coefficients"), a.Floats("rho")
	if len(rho) < 1 {
		return nil, op.Errorf("attribute rho is needed")
	}
	k.rho = rho[0]
	count, vectors := a.Int("n_supports", 0), a.Floats("support_vectors")
	if count > 0 {
		k.coefficients = coefficients
		if len(coefficients) != count {
			return nil, op.Errorf("there are %d coefficients for %d support vectors", len(coefficients), count)
		}
	} else {
		count, vectors = 1, coefficients
		if kind := a.String("kernel_type", "LINEAR"); kind != "LINEAR" {
			return nil, op.Errorf("kernel_type %q needs support vectors", kind)
		}
	}
	var err error
	if k.kernel, err = readKernel(a, count, vectors); err != nil {
		return nil, err
	}
	k.transform, err = score.Parse(a.String("post_transform", "NONE"))
	return k, err
}

// Run computes the predictions, [rows, 1]; of a one-class model 1 for what
// belongs to the class and -1 for what does not.
func (k *svmRegressor) Run(c *op.Context) error {
	x, n, err := batch(c, k.kernel.features)
	if err != nil {
		return err
	}
	dst := tensor.Data[float32](c.NewOut(0, tensor.Float32, n, 1))
	values := op.Scratch[float32](c, 1, n*k.kernel.count)
	k.kernel.eval(&op.State[linearState](c).ws, n, x, values)
	for i := range dst {
		y := k.combine(values[i*k.kernel.count : (i+1)*k.kernel.count])
		switch {
		case !k.oneClass:
			y = k.transform.Single(y)
		case y > 0:
			y = 1
		default:
			y = -1
		}
		dst[i] = y
	}
	return nil
}

// combine sums in double precision, for the terms are often much larger than
// their sum.
func (k *svmRegressor) combine(values []float32) float32 {
	if k.coefficients == nil {
		return values[0] + k.rho
	}
	sum := float64(k.rho)
	for i, v := range values {
		sum += float64(v) * float64(k.coefficients[i])
	}
	return float32(sum)
}

func inferSVMRegressor(n *op.Node) error {
	score.SetOut(n, 0, tensor.Float32, 1)
	return nil
}
