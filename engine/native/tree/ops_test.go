package tree

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

type attrs = optest.Attrs

// with is a copy of a with the entries of more; nil removes one.
func with(a, more attrs) attrs {
	out := attrs{}
	for _, m := range []attrs{a, more} {
		for k, v := range m {
			if out[k] = v; v == nil {
				delete(out, k)
			}
		}
	}
	return out
}

// call is a node of the last version with outputs for all.
func call(name string, a attrs) optest.Call {
	return optest.Call{Domain: op.ML, Op: name, Opset: 5, Attrs: a, Outputs: 1 + strings.Count(name, "Classifier")}
}

func close32(got, want []float32) bool {
	return slices.EqualFunc(got, want, func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-6 })
}

// stump is one tree that sends x ≤ 0.5 to the first leaf.
func stump(more attrs) attrs {
	return with(attrs{
		"nodes_treeids": []int{0, 0, 0}, "nodes_nodeids": []int{0, 1, 2}, "nodes_featureids": []int{0, 0, 0},
		"nodes_modes": []string{"BRANCH_LEQ", "LEAF", "LEAF"}, "nodes_values": []float64{0.5, 0, 0},
		"nodes_truenodeids": []int{1, 0, 0}, "nodes_falsenodeids": []int{2, 0, 0},
	}, more)
}

func stumpClassifier(weights []float64, ids []int, more attrs) attrs {
	return with(stump(attrs{
		"classlabels_int64s": []int{10, 20}, "class_treeids": []int{0, 0}, "class_nodeids": []int{1, 2},
		"class_ids": ids, "class_weights": weights,
	}), more)
}

// The wanted scores are ONNX Runtime's.
func TestBinaryClassifiers(t *testing.T) {
	for name, c := range map[string]struct {
		a      attrs
		labels []int64
		scores []float32
	}{
		"votes":           {stumpClassifier([]float64{0.3, 0.8}, []int{0, 0}, nil), []int64{10, 20}, []float32{0.7, 0.3, 0.2, 0.8}},
		"votes, base":     {stumpClassifier([]float64{0.3, 0.8}, []int{0, 0}, attrs{"base_values": []float64{0.25}}), []int64{20, 20}, []float32{0.45, 0.55, -0.05, 1.05}},
		"votes, logistic": {stumpClassifier([]float64{0.3, 0.8}, []int{0, 0}, attrs{"post_transform": "LOGISTIC"}), []int64{10, 20}, []float32{0.4255575, 0.5744425, 0.3100255, 0.6899745}},
		"mixed":           {stumpClassifier([]float64{-0.3, 0.8}, []int{0, 0}, nil), []int64{10, 20}, []float32{0.3, -0.3, -0.8, 0.8}},
		"mixed, logistic": {stumpClassifier([]float64{-0.3, 0.8}, []int{0, 0}, attrs{"post_transform": "LOGISTIC"}), []int64{10, 20}, []float32{0.5744425, 0.4255575, 0.3100255, 0.6899745}},
		"mixed, softmax":  {stumpClassifier([]float64{-0.3, 0.8}, []int{0, 0}, attrs{"post_transform": "SOFTMAX"}), []int64{10, 20}, []float32{0.3, -0.3, -0.8, 0.8}},
		"second class":    {stumpClassifier([]float64{0.3, 0.8}, []int{1, 1}, nil), []int64{10, 20}, []float32{0, 0.3, 0, 0.8}},
		"both classes": {stump(attrs{
			"classlabels_int64s": []int{10, 20}, "class_treeids": []int{0, 0, 0, 0}, "class_nodeids": []int{1, 1, 2, 2},
			"class_ids": []int{0, 1, 0, 1}, "class_weights": []float64{0.3, 0.7, 0.9, 0.1},
		}), []int64{20, 10}, []float32{0.3, 0.7, 0.9, 0.1}},
	} {
		n := optest.Run(t, Ops(), call("TreeEnsembleClassifier", c.a), tensor.From([]float32{0, 1}, 2, 1))
		if got := tensor.Data[int64](n.Out(0)); !slices.Equal(got, c.labels) {
			t.Errorf("%s: labels %v, want %v", name, got, c.labels)
		}
		if got := tensor.Data[float32](n.Out(1)); !close32(got, c.scores) {
			t.Errorf("%s: scores %v, want %v", name, got, c.scores)
		}
	}
}

func TestInputTypesAndStringLabels(t *testing.T) {
	a := stumpClassifier([]float64{0.3, 0.8}, []int{0, 0}, attrs{"classlabels_strings": []string{"no", "yes"}, "classlabels_int64s": nil})
	for _, x := range []*tensor.Tensor{
		tensor.From([]float32{0, 1}, 2, 1), tensor.From([]float64{0, 1}, 2, 1),
		tensor.From([]int64{0, 1}, 2, 1), tensor.From([]int32{0, 1}, 2, 1),
	} {
		n := optest.Run(t, Ops(), call("TreeEnsembleClassifier", a), x)
		if d, shape := n.Node.Out[0].Type.Elem, n.Node.Out[1].Type; d != tensor.String || shape.Dims[1].Size != 2 {
			t.Errorf("inferred %v and %v", n.Node.Out[0].Type, shape)
		}
		for range 2 {
			if !slices.Equal(n.Out(0).Strings(), []string{"no", "yes"}) || !close32(tensor.Data[float32](n.Out(1)), []float32{0.7, 0.3, 0.2, 0.8}) {
				t.Errorf("%v: %v %v", x, n.Out(0).Strings(), tensor.Data[float32](n.Out(1)))
			}
			var err error
			n.Node.In[0].Type = tensor.Type{} // once more with an input of unknown type
			if n.Kernel, err = buildClassifier(n.Node); err == nil {
				err = n.Run()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// 2⁻³⁰ above the threshold is above it in double precision only.
func TestDoublePrecision(t *testing.T) {
	a := stump(attrs{"n_targets": 1, "target_treeids": []int{0, 0}, "target_nodeids": []int{1, 2}, "target_ids": []int{0, 0}})
	delete(a, "nodes_values")
	a["nodes_values_as_tensor"] = tensor.From([]float64{0.5, 0, 0}, 3)
	a["target_weights_as_tensor"] = tensor.From([]float64{1, 2}, 2)
	a["base_values_as_tensor"] = tensor.From([]float64{0.125}, 1)
	y := call("TreeEnsembleRegressor", a)
	n := optest.Run(t, Ops(), y, tensor.From([]float64{0.5, 0.5 + 1.0/(1<<30)}, 2, 1))
	if got := tensor.Data[float32](n.Out(0)); !slices.Equal(got, []float32{1.125, 2.125}) {
		t.Errorf("got %v", got)
	}
}

func TestRegressorAggregates(t *testing.T) {
	for agg, want := range map[string][]float32{"SUM": {4, 7}, "AVERAGE": {2.5, 4}, "MIN": {2, 4}, "MAX": {4, 5}} {
		a := attrs{
			"nodes_treeids": []int{0, 0, 0, 7}, "nodes_nodeids": []int{0, 1, 2, 0}, "nodes_featureids": []int{0, 0, 0, 0},
			"nodes_modes": []string{"BRANCH_LT", "LEAF", "LEAF", "LEAF"}, "nodes_values": []float64{0.5, 0, 0, 0},
			"nodes_truenodeids": []int{1, 0, 0, 0}, "nodes_falsenodeids": []int{2, 0, 0, 0},
			"n_targets": 1, "target_treeids": []int{0, 0, 7}, "target_nodeids": []int{1, 2, 0}, "target_ids": []int{0, 0, 0},
			"target_weights": []float64{1, 4, 3}, "aggregate_function": agg,
		}
		if agg != "SUM" {
			a["base_values"] = []float64{map[string]float64{"AVERAGE": 0.5, "MIN": 1, "MAX": 1}[agg]}
		}
		y := call("TreeEnsembleRegressor", a)
		if got := tensor.Data[float32](optest.Run(t, Ops(), y, tensor.From([]float32{0, 0.5}, 2, 1)).Out(0)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", agg, got, want)
		}
	}
}

// The two examples of the specification of TreeEnsemble-5.
func TestTreeEnsemble5(t *testing.T) {
	y := call("TreeEnsemble", attrs{
		"n_targets": 2, "aggregate_function": 1, "post_transform": 0, "tree_roots": []int{0},
		"nodes_modes": tensor.From([]uint8{0, 0, 0}, 3), "nodes_featureids": []int{0, 0, 0},
		"nodes_splits":      tensor.From([]float64{3.14, 1.2, 4.2}, 3),
		"nodes_truenodeids": []int{1, 0, 1}, "nodes_trueleafs": []int{0, 1, 1},
		"nodes_falsenodeids": []int{2, 2, 3}, "nodes_falseleafs": []int{0, 1, 1},
		"leaf_targetids": []int{0, 1, 0, 1}, "leaf_weights": tensor.From([]float64{5.23, 12.12, -12.23, 7.21}, 4),
	})
	x := tensor.From([]float64{1.2, 3.4, -0.12, 1.66, 4.14, 1.77}, 3, 2)
	if got, want := tensor.Data[float64](optest.Run(t, Ops(), y, x).Out(0)), []float64{5.23, 0, 5.23, 0, 0, 12.12}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	nan := float32(math.NaN())
	y = call("TreeEnsemble", attrs{
		"n_targets": 4, "tree_roots": []int{0},
		"nodes_modes": tensor.From([]uint8{0, 6, 6}, 3), "nodes_featureids": []int{0, 0, 0},
		"nodes_splits": tensor.From([]float32{11, 232344, nan}, 3), "membership_values": tensor.From([]float32{1.2, 3.7, 8, 9, nan, 12, 7, nan}, 8),
		"nodes_truenodeids": []int{1, 0, 1}, "nodes_trueleafs": []int{0, 1, 1},
		"nodes_falsenodeids": []int{2, 2, 3}, "nodes_falseleafs": []int{1, 0, 1},
		"leaf_targetids": []int{0, 1, 2, 3}, "leaf_weights": tensor.From([]float32{1, 10, 1000, 100}, 4),
	})
	got := tensor.Data[float32](optest.Run(t, Ops(), y, tensor.From([]float32{1.2, 3.4, -0.12, nan, 12, 7}, 6, 1)).Out(0))
	want := []float32{1, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 1000, 0, 0, 0, 1000, 0, 0, 10, 0, 0}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// LightGBM's categorical splits are exported as chains of equality tests
// whose branches meet again in the same node.
func TestChainsOfEqualitiesMerge(t *testing.T) {
	e := &ensemble{targets: 1, agg: sum, roots: []int{0}, nodes: []node{
		{mode: eq, value: 3, yes: 3, no: 1}, {mode: eq, value: 1, yes: 3, no: 2}, {mode: eq, value: 7, yes: 3, no: 6},
		{mode: leq, feature: 1, value: 0, yes: 4, no: 5}, {mode: leaf, votes: []vote{{0, 1}}}, {mode: leaf, votes: []vote{{0, 2}}},
		{mode: leaf, votes: []vote{{0, 4}}},
	}}
	if err := e.check(); err != nil {
		t.Fatal(err)
	}
	f, err := pack[float32](e)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.sets) != 1 || !slices.Equal(f.sets[0].members, []float32{1, 3, 7}) {
		t.Errorf("sets %v, want one of 1, 3, 7", f.sets)
	}
	var w walker[float32]
	w.grow(f, 4)
	got := f.block(&w, []float32{1, -1, 3, 1, 7, -1, 2, 1}, 4, 2).score
	if want := []float32{1, 2, 1, 4}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefusedModels(t *testing.T) {
	target := attrs{"n_targets": 1, "target_treeids": []int{0, 0}, "target_nodeids": []int{1, 2}, "target_ids": []int{0, 0}, "target_weights": []float64{1, 2}}
	for name, c := range map[string]struct {
		change attrs
		want   string
	}{
		"cycle":            {attrs{"nodes_modes": []string{"BRANCH_LEQ", "BRANCH_LEQ", "LEAF"}, "nodes_truenodeids": []int{1, 0, 0}, "nodes_falsenodeids": []int{2, 2, 0}}, "node 1 of tree 0 has node 0"},
		"own child":        {attrs{"nodes_truenodeids": []int{0, 0, 0}}, "node 0 of tree 0 has node 0"},
		"missing child":    {attrs{"nodes_falsenodeids": []int{9, 0, 0}}, "node 0 of tree 0 has children 1 and 9"},
		"unequal lists":    {attrs{"nodes_values": []float64{1}}, "nodes_values has 1 entries"},
		"unknown mode":     {attrs{"nodes_modes": []string{"BRANCH_LEQ", "LEAF", "BRANCH_UP"}}, "node 2 of tree 0 has the unknown mode"},
		"negative feature": {attrs{"nodes_featureids": []int{-1, 0, 0}}, "node 0 of tree 0 tests feature -1"},
		"huge id":          {attrs{"nodes_falsenodeids": []int{math.MaxInt, 0, 0}}, "which the tree does not both have"},
		"unknown leaf":     {attrs{"target_nodeids": []int{1, 5}}, "node 5 of tree 0"},
		"unknown tree":     {attrs{"target_treeids": []int{0, 3}}, "tree 3"},
		"unknown target":   {attrs{"target_ids": []int{0, 4}}, "is 4"},
		"uneven weights":   {attrs{"target_weights": []float64{1}}, "2, 2, 2 and 1 entries"},
		"base values":      {attrs{"base_values": []float64{1, 2}}, "base_values has 2 entries"},
		"transform":        {attrs{"post_transform": "CUBE"}, "CUBE"},
		"aggregate":        {attrs{"aggregate_function": "MODE"}, "MODE"},
		"targets":          {attrs{"n_targets": 1 << 40}, "targets"},
		"wrong type":       {attrs{"nodes_values": "x"}, "wrong type"},
		"no trees":         {attrs{"nodes_treeids": []int{}, "nodes_nodeids": []int{}, "nodes_featureids": []int{}, "nodes_modes": []string{}, "nodes_values": []float64{}, "nodes_truenodeids": []int{}, "nodes_falsenodeids": []int{}, "target_ids": []int{}, "target_treeids": []int{}, "target_nodeids": []int{}, "target_weights": []float64{}}, "no trees"},
	} {
		_, err := optest.Build(Ops(), call("TreeEnsembleRegressor", with(stump(target), c.change)), tensor.New(tensor.Float32, 1, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestRefusedTreeEnsemble5(t *testing.T) {
	for name, c := range map[string]struct {
		change attrs
		want   string
	}{
		"leaf":    {attrs{"nodes_truenodeids": []int{8}}, "node 0 has child 8; there are 2 leaves"},
		"node":    {attrs{"nodes_trueleafs": []int{0}, "nodes_truenodeids": []int{1}}, "node 0 has child 1; there are 1 nodes"},
		"root":    {attrs{"tree_roots": []int{1}}, "tree_roots has 1"},
		"cycle":   {attrs{"nodes_trueleafs": []int{0}}, "node 0 of tree 0 has node 0"},
		"mode":    {attrs{"nodes_modes": tensor.From([]uint8{7}, 1)}, "unknown mode 7"},
		"member":  {attrs{"nodes_modes": tensor.From([]uint8{6}, 1)}, "no set left for node 0"},
		"splits":  {attrs{"nodes_splits": tensor.From([]int64{1}, 1)}, "nodes_splits holds int64"},
		"lengths": {attrs{"nodes_featureids": []int{0, 0}}, "nodes_featureids has 2 entries"},
		"target":  {attrs{"leaf_targetids": []int{0, 1}}, "leaf 1 votes for target 1"},
	} {
		a := attrs{
			"n_targets": 1, "tree_roots": []int{0}, "nodes_modes": tensor.From([]uint8{0}, 1), "nodes_featureids": []int{0},
			"nodes_splits": tensor.From([]float32{1}, 1), "nodes_truenodeids": []int{0}, "nodes_trueleafs": []int{1},
			"nodes_falsenodeids": []int{1}, "nodes_falseleafs": []int{1}, "leaf_targetids": []int{0, 0}, "leaf_weights": tensor.From([]float32{1, 2}, 2),
		}
		_, err := optest.Build(Ops(), call("TreeEnsemble", with(a, c.change)), tensor.New(tensor.Float32, 1, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// A few levels whose nodes have the same child twice stand for 2⁴⁰ paths.
func TestUnfoldingIsBounded(t *testing.T) {
	e := &ensemble{targets: 1, agg: sum, roots: []int{0}}
	for i := range 40 {
		e.nodes = append(e.nodes, node{mode: leq, feature: i, yes: i + 1, no: i + 1})
	}
	e.nodes = append(e.nodes, node{mode: leaf, votes: []vote{{0, 1}}})
	if err := e.check(); err != nil {
		t.Fatal(err)
	}
	if _, err := pack[float32](e); err == nil || !strings.Contains(err.Error(), "unfold") {
		t.Errorf("error %v", err)
	}
}

func TestRowsThatDoNotFit(t *testing.T) {
	y := call("TreeEnsembleClassifier", stumpClassifier([]float64{1, 2}, []int{0, 0}, attrs{"nodes_featureids": []int{3, 0, 0}}))
	for _, x := range []*tensor.Tensor{tensor.New(tensor.Float32, 2, 3), tensor.New(tensor.Float32, 1, 1, 4), tensor.New(tensor.Float32)} {
		optest.Error(t, Ops(), y, x)
	}
	if n := optest.Run(t, Ops(), y, tensor.New(tensor.Float32, 4)); n.Out(0).Len() != 1 {
		t.Errorf("a vector gave %v", n.Out(0))
	}
	if n := optest.Run(t, Ops(), y, tensor.New(tensor.Float32, 0, 4)); n.Out(0).Len() != 0 || n.Out(1).Dim(1) != 2 {
		t.Errorf("no rows gave %v", n.Out(0))
	}
}

func TestAnyInputGivesAResultOrAnError(t *testing.T) {
	target := attrs{"n_targets": 1, "target_treeids": []int{0, 0}, "target_nodeids": []int{1, 2}, "target_ids": []int{0, 0}, "target_weights": []float64{1, 2}}
	x := []tensor.Value{tensor.From([]float32{0, 1, 2, 3}, 2, 2)}
	optest.Monkey(t, Ops(), nil,
		optest.Seed{Call: call("TreeEnsembleClassifier", stumpClassifier([]float64{1, -2}, []int{0, 0}, attrs{"base_values": []float64{1}})), In: x},
		optest.Seed{Call: call("TreeEnsembleRegressor", stump(target)), In: x},
		optest.Seed{Call: call("TreeEnsemble", attrs{
			"n_targets": 1, "tree_roots": []int{0}, "nodes_modes": tensor.From([]uint8{6}, 1), "nodes_featureids": []int{0},
			"nodes_splits": tensor.From([]float32{1}, 1), "membership_values": tensor.From([]float32{2}, 1), "nodes_truenodeids": []int{0}, "nodes_trueleafs": []int{1},
			"nodes_falsenodeids": []int{1}, "nodes_falseleafs": []int{1}, "leaf_targetids": []int{0, 0}, "leaf_weights": tensor.From([]float32{1, 2}, 2),
		}), In: x},
	)
}
