package text

import (
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// vectorizer is TfIdfVectorizer: it counts the n-grams of its pool in each
// row of tokens. Tokens are numbered first; the n-grams are a trie over those
// numbers.
type vectorizer struct {
	strings  map[string]int32 // number of each token that occurs in the pool
	ints     map[int64]int32
	first    []int32          // the trie's node for each single token
	edges    map[uint64]int32 // further nodes, by node and next token
	column   []int32          // where a node's n-gram is counted, -1 for none
	width    int
	min, max int // lengths of n-grams
	skip     int // most tokens left out between two of an n-gram
	limit    bool
	weights  []float32 // of each column, nil for none
}

// maxColumns bounds the width of a row of counts.
const maxColumns = 1 << 28

func buildVectorizer(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &vectorizer{
		min: a.Int("min_gram_length", 1), max: a.Int("max_gram_length", 1), skip: a.Int("max_skip_count", 0),
		edges: map[uint64]int32{}, weights: a.Floats("weights"),
	}
	switch mode := a.String("mode", ""); mode {
	case "TF":
		k.weights = nil
	case "IDF":
		k.limit = true
	case "TFIDF":
	default:
		return nil, op.Errorf("mode %q is unknown; want TF, IDF or TFIDF", mode)
	}
	if k.min < 1 || k.max < k.min || k.skip < 0 {
		return nil, op.Errorf("n-grams of %d to %d tokens with %d left out cannot be counted", k.min, k.max, k.skip)
	}
	pool, err := k.number(a)
	if err != nil {
		return nil, err
	}
	if err := k.addGrams(pool, a.Ints("ngram_counts"), a.Ints("ngram_indexes")); err != nil {
		return nil, err
	}
	if k.weights != nil && len(k.weights) < k.width {
		return nil, op.Errorf("there are %d weights for %d columns", len(k.weights), k.width)
	}
	return k, a.Err()
}

// number gives every token of the pool a number and the pool in numbers.
func (k *vectorizer) number(a *op.Attrs) ([]int32, error) {
	texts, ints := a.Strings("pool_strings"), a.Ints("pool_int64s")
	if len(texts) > 0 == (len(ints) > 0) {
		return nil, op.Errorf("exactly one of pool_strings and pool_int64s is wanted")
	}
	if len(texts) > 0 {
		k.strings = map[string]int32{}
		return numbered(k, k.strings, texts), nil
	}
	k.ints = map[int64]int32{}
	wide := make([]int64, len(ints))
	for i, v := range ints {
		wide[i] = int64(v)
	}
	return numbered(k, k.ints, wide), nil
}

func numbered[T comparable](k *vectorizer, ids map[T]int32, pool []T) []int32 {
	out := make([]int32, len(pool))
	for i, t := range pool {
		id, known := ids[t]
		if !known {
			id = int32(len(ids))
			ids[t] = id
			k.first = append(k.first, -1)
		}
		out[i] = id
	}
	return out
}

// addGrams builds the trie. starts has where in the pool the 1-grams, 2-grams
// … begin; columns has an entry for each n-gram of the pool.
func (k *vectorizer) addGrams(pool []int32, starts, columns []int) error {
	for _, c := range columns {
		if c < 0 || c >= maxColumns {
			return op.Errorf("ngram_indexes has %d", c)
		}
		k.width = max(k.width, c+1)
	}
	gram := 0
	for i, from := range starts {
		size, to := i+1, len(pool)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		if from < 0 || to < from || to > len(pool) || (to-from)%size != 0 {
			return op.Errorf("ngram_counts puts the %d-grams at [%d, %d) of a pool of %d", size, from, to, len(pool))
		}
		for ; from < to; from += size {
			if gram >= len(columns) {
				return op.Errorf("ngram_indexes has %d entries, the pool more n-grams", len(columns))
			}
			if size >= k.min && size <= k.max {
				k.addGram(pool[from:from+size], columns[gram])
			}
			gram++
		}
	}
	return nil
}

func (k *vectorizer) addGram(tokens []int32, column int) {
	at := &k.first[tokens[0]]
	if *at < 0 {
		*at = k.newNode()
	}
	node := *at
	for _, t := range tokens[1:] {
		next, known := k.edges[edge(node, t)]
		if !known {
			next = k.newNode()
			k.edges[edge(node, t)] = next
		}
		node = next
	}
	k.column[node] = int32(column)
}

func (k *vectorizer) newNode() int32 {
	k.column = append(k.column, -1)
	return int32(len(k.column) - 1)
}

func edge(node, token int32) uint64 { return uint64(node)<<32 | uint64(uint32(token)) }

// Run gives the counts, [columns] for [C] and [N, columns] for [N, C].
func (k *vectorizer) Run(c *op.Context) error {
	x := c.T(0)
	if (x.DType() == tensor.String) != (k.strings != nil) {
		return op.Errorf("input is %v and the pool is not of that type", x.DType())
	}
	rows, tokens := 1, x.Len()
	var out *tensor.Tensor
	switch x.Rank() {
	case 0, 1:
		out = c.NewOut(0, tensor.Float32, k.width)
	case 2:
		rows, tokens = x.Dim(0), x.Dim(1)
		out = c.NewOut(0, tensor.Float32, rows, k.width)
	default:
		return op.Errorf("input has shape %v, want [C] or [N, C]", slices.Clone(x.Shape()))
	}
	ids, dst := k.look(c, x), tensor.Data[float32](out)
	clear(dst)
	for i := range rows {
		row := dst[i*k.width : (i+1)*k.width]
		k.count(row, ids[i*tokens:(i+1)*tokens])
		k.weigh(row)
	}
	return nil
}

// look numbers the tokens of the input, -1 for those that the pool lacks.
func (k *vectorizer) look(c *op.Context, x *tensor.Tensor) []int32 {
	ids := op.Scratch[int32](c, 0, x.Len())
	switch x.DType() {
	case tensor.String:
		lookUp(ids, k.strings, x.Strings())
	case tensor.Int64:
		lookUp(ids, k.ints, tensor.Data[int64](x))
	case tensor.Int32:
		for i, v := range tensor.Data[int32](x) {
			ids[i] = idOf(k.ints, int64(v))
		}
	}
	return ids
}

func lookUp[T comparable](dst []int32, ids map[T]int32, src []T) {
	for i, t := range src {
		dst[i] = idOf(ids, t)
	}
}

func idOf[T comparable](ids map[T]int32, t T) int32 {
	if id, ok := ids[t]; ok {
		return id
	}
	return -1
}

// count adds up the n-grams that start at each token, with every number of
// tokens left out between theirs. A single token is counted once.
func (k *vectorizer) count(row []float32, ids []int32) {
	shortest := k.min
	for step := 1; step <= min(k.skip, len(ids))+1; step++ {
		for start := range ids {
			if start+step*(shortest-1) >= len(ids) {
				break
			}
			k.follow(row, ids[start:], step, shortest)
		}
		if shortest == 1 {
			if shortest++; shortest > k.max {
				return
			}
		}
	}
}

// follow counts the n-grams along ids[0], ids[step], …
func (k *vectorizer) follow(row []float32, ids []int32, step, shortest int) {
	if ids[0] < 0 {
		return
	}
	node := k.first[ids[0]]
	for size, at := 1, 0; node >= 0; size++ {
		if c := k.column[node]; c >= 0 && size >= shortest {
			row[c]++
		}
		if at += step; size == k.max || at >= len(ids) || ids[at] < 0 {
			return
		}
		next, ok := k.edges[edge(node, ids[at])]
		if !ok {
			return
		}
		node = next
	}
}

func (k *vectorizer) weigh(row []float32) {
	if k.limit {
		for i, v := range row {
			row[i] = min(v, 1)
		}
	}
	if k.weights == nil {
		return
	}
	for i, w := range k.weights[:len(row)] {
		row[i] *= w
	}
}

func inferVectorizer(n *op.Node) error {
	width := -1
	for _, c := range n.ReadAttrs().Ints("ngram_indexes") {
		if c < 0 || c > math.MaxInt32 {
			return nil
		}
		width = max(width, c+1)
	}
	t := tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Float32}
	if x := n.Arg(0).Type; x.Ranked {
		t.Ranked = true
		if len(x.Dims) == 2 {
			t.Dims = append(t.Dims, x.Dims[0])
		}
		t.Dims = append(t.Dims, tensor.Dim{Size: width})
	}
	n.SetOut(0, t)
	return nil
}
