package ml

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// mapInput is input 0 as a map.
func mapInput(c *op.Context) (*tensor.Map, error) {
	if len(c.In) > 0 {
		if m, ok := c.In[0].(*tensor.Map); ok && m.Values != nil {
			if n := max(len(m.IntKeys), len(m.StringKeys)); m.Values.Len() != n {
				return nil, op.Errorf("the map has %d keys and %d values", n, m.Values.Len())
			}
			return m, nil
		}
	}
	return nil, op.Errorf("input 0 is not a map")
}

// dictVectorizer spreads a map's values over a row with a place for each key
// of its vocabulary.
type dictVectorizer struct {
	size    int
	ints    map[int64]int
	strings map[string]int
}

func buildDictVectorizer(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	vocabulary, err := score.ReadLabels(a, "int64_vocabulary", "string_vocabulary")
	if err != nil {
		return nil, err
	}
	k := &dictVectorizer{size: vocabulary.Len()}
	if len(vocabulary.Strings) > 0 {
		k.strings = positions(vocabulary.Strings)
	} else {
		k.ints = positions(vocabulary.Ints)
	}
	return k, a.Err()
}

func positions[K comparable](keys []K) map[K]int {
	at := make(map[K]int, len(keys))
	for i, key := range keys {
		at[key] = i
	}
	return at
}

// Run gives [1, vocabulary]. Keys outside the vocabulary are left out, as
// scikit-learn and ONNX Runtime do.
func (k *dictVectorizer) Run(c *op.Context) error {
	m, err := mapInput(c)
	if err != nil {
		return err
	}
	if (k.ints != nil) != (m.StringKeys == nil) {
		return op.Errorf("the map's keys and the vocabulary are not of the same type")
	}
	out := c.NewOut(0, m.Values.DType(), 1, k.size)
	out.Zero()
	for i, key := range m.IntKeys {
		if at, ok := k.ints[key]; ok {
			copyElement(out, at, m.Values, i)
		}
	}
	for i, key := range m.StringKeys {
		if at, ok := k.strings[key]; ok {
			copyElement(out, at, m.Values, i)
		}
	}
	return nil
}

func copyElement(dst *tensor.Tensor, at int, src *tensor.Tensor, from int) {
	if src.DType() == tensor.String {
		dst.Strings()[at] = src.Strings()[from]
		return
	}
	size := src.DType().Size()
	copy(dst.Bytes()[at*size:(at+1)*size], src.Bytes()[from*size:(from+1)*size])
}

func inferDictVectorizer(n *op.Node) error {
	if of := n.Arg(0).Type.Of; of != nil {
		n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: of.Elem})
	}
	return nil
}

// castMap lists a map's values in the order of its keys, or at the positions
// that its keys name.
type castMap struct {
	to     tensor.DType
	sparse bool
	size   int // of the output when sparse
}

func castTarget(a *op.Attrs) (tensor.DType, error) {
	name := a.String("cast_to", "TO_FLOAT")
	d, ok := map[string]tensor.DType{"TO_FLOAT": tensor.Float32, "TO_STRING": tensor.String, "TO_INT64": tensor.Int64}[name]
	if !ok {
		return d, op.Errorf("cast_to %q is unknown; want TO_FLOAT, TO_STRING or TO_INT64", name)
	}
	return d, nil
}

func buildCastMap(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &castMap{size: a.Int("max_map", 1)}
	var err error
	if k.to, err = castTarget(a); err != nil {
		return nil, err
	}
	switch form := a.String("map_form", "DENSE"); {
	case form == "SPARSE" && (k.size < 1 || k.size > maxWidth):
		return nil, op.Errorf("max_map is %d, want 1 to %d", k.size, maxWidth)
	case form == "SPARSE":
		k.sparse = true
	case form != "DENSE":
		return nil, op.Errorf("map_form %q is unknown; want DENSE or SPARSE", form)
	}
	return k, a.Err()
}

// castState holds the order of the keys of a map.
type castState struct{ order []int }

// Run gives [1, values].
func (k *castMap) Run(c *op.Context) error {
	m, err := mapInput(c)
	if err != nil {
		return err
	}
	if m.StringKeys != nil {
		return op.Errorf("the map has strings as keys, want whole numbers")
	}
	s := op.State[castState](c)
	s.order = s.order[:0]
	for i := range m.IntKeys {
		s.order = append(s.order, i)
	}
	slices.SortFunc(s.order, func(a, b int) int { return cmp.Compare(m.IntKeys[a], m.IntKeys[b]) })
	size := len(s.order)
	if k.sparse {
		size = k.size
	}
	out := c.NewOut(0, k.to, 1, size)
	if k.fill(out); k.sparse && len(s.order) > 0 {
		if first, last := m.IntKeys[s.order[0]], m.IntKeys[s.order[len(s.order)-1]]; first < 0 || last >= int64(size) {
			return op.Errorf("the map has the keys %d to %d, outside [0, %d)", first, last, size)
		}
	}
	for i, from := range s.order {
		if k.sparse {
			i = int(m.IntKeys[from])
		}
		if err := castElement(out, i, m.Values, from); err != nil {
			return err
		}
	}
	return nil
}

// fill stores what a sparse output has where there is no key.
func (k *castMap) fill(out *tensor.Tensor) {
	if k.to != tensor.String {
		out.Zero()
		return
	}
	for i := range out.Strings() {
		out.Strings()[i] = "0.f"
	}
}

func castElement(out *tensor.Tensor, at int, src *tensor.Tensor, from int) error {
	switch src.DType() {
	case tensor.String:
		return castText(out, at, src.Strings()[from])
	case tensor.Float32:
		castFloat(out, at, tensor.Data[float32](src)[from])
		return nil
	}
	return op.Errorf("map values of type %v cannot be cast", src.DType())
}

func castText(out *tensor.Tensor, at int, v string) (err error) {
	switch out.DType() {
	case tensor.String:
		out.Strings()[at] = v
	case tensor.Int64:
		tensor.Data[int64](out)[at], err = strconv.ParseInt(v, 10, 64)
	case tensor.Float32:
		var f float64
		f, err = strconv.ParseFloat(v, 32)
		tensor.Data[float32](out)[at] = float32(f)
	}
	if err != nil {
		return op.Errorf("map value %q is not a number", v)
	}
	return nil
}

func castFloat(out *tensor.Tensor, at int, v float32) {
	switch out.DType() {
	case tensor.String:
		out.Strings()[at] = strconv.FormatFloat(float64(v), 'f', 6, 32)
	case tensor.Int64:
		tensor.Data[int64](out)[at] = int64(v)
	case tensor.Float32:
		tensor.Data[float32](out)[at] = v
	}
}

func inferCastMap(n *op.Node) error {
	d, err := castTarget(n.ReadAttrs())
	if err != nil {
		return err
	}
	n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: d})
	return nil
}

// zipMap pairs the columns of each row with the class labels.
type zipMap struct {
	labels score.Labels
	row    tensor.Type
}

func buildZipMap(n *op.Node) (op.Kernel, error) {
	labels, err := score.ReadLabels(n.ReadAttrs(), "classlabels_int64s", "classlabels_strings")
	return &zipMap{labels, *zipType(&labels).Of}, err
}

// zipState is a sequence of maps that is used again from run to run.
type zipState struct {
	seq  tensor.Sequence
	maps []*tensor.Map
}

// Run gives a sequence with a map for each row.
func (k *zipMap) Run(c *op.Context) error {
	x := c.T(0)
	n, columns, err := score.Rows(x)
	if err != nil {
		return err
	}
	if columns != k.labels.Len() {
		return op.Errorf("there are %d columns for %d labels", columns, k.labels.Len())
	}
	s := op.State[zipState](c)
	for len(s.maps) < n {
		s.maps = append(s.maps, &tensor.Map{IntKeys: k.labels.Ints, StringKeys: k.labels.Strings, Values: &tensor.Tensor{}})
	}
	s.seq.Elem, s.seq.Items = k.row, s.seq.Items[:0]
	src := tensor.Data[float32](x)
	for i, m := range s.maps[:n] {
		m.Values.Reset(tensor.Float32, columns)
		copy(tensor.Data[float32](m.Values), src[i*columns:(i+1)*columns])
		s.seq.Items = append(s.seq.Items, m)
	}
	c.Set(0, &s.seq)
	return nil
}

func zipType(l *score.Labels) tensor.Type {
	value := tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Float32}
	pair := tensor.Type{Kind: tensor.KindMap, Key: l.DType(), Of: &value}
	return tensor.Type{Kind: tensor.KindSequence, Of: &pair}
}

func inferZipMap(n *op.Node) error {
	labels, err := score.ReadLabels(n.ReadAttrs(), "classlabels_int64s", "classlabels_strings")
	if err != nil {
		return err
	}
	n.SetOut(0, zipType(&labels))
	return nil
}
