package text

import (
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

type attrs = optest.Attrs

func texts(shape []int, v ...string) *tensor.Tensor { return tensor.FromStrings(v, shape...) }

func row(v ...string) *tensor.Tensor { return tensor.FromStrings(v, len(v)) }

func call(name string, a attrs) optest.Call {
	if name == "Tokenizer" {
		return optest.Call{Domain: microsoft, Op: name, Attrs: a}
	}
	return optest.Call{Op: name, Attrs: a}
}

func wantTexts(t *testing.T, got, want *tensor.Tensor) {
	t.Helper()
	if !slices.Equal(got.Shape(), want.Shape()) || !slices.Equal(got.Strings(), want.Strings()) {
		t.Errorf("got %v %q, want %v %q", got.Shape(), got.Strings(), want.Shape(), want.Strings())
	}
}

func TestStringNormalizer(t *testing.T) {
	days := row("monday", "Tuesday", "WEDNESDAY")
	stop := func(more attrs) attrs {
		more["stopwords"] = []string{"monday"}
		return more
	}
	for _, c := range []struct {
		name     string
		a        attrs
		in, want *tensor.Tensor
	}{
		{"nothing to do", nil, days, days},
		{"lower", attrs{"case_change_action": "LOWER"}, days, row("monday", "tuesday", "wednesday")},
		{"any shape without stop words", attrs{"case_change_action": "UPPER"}, texts([]int{2, 1}, "é", "ß"), texts([]int{2, 1}, "É", "ß")},
		{"stop word", stop(attrs{"is_case_sensitive": 1}), row("monday", "Monday"), row("Monday")},
		{"stop word of any case", stop(attrs{"case_change_action": "UPPER"}), texts([]int{1, 3}, "Monday", "MONDAY", "tue"), texts([]int{1, 1}, "TUE")},
		{"all are stop words", stop(attrs{}), texts([]int{1, 2}, "monday", "monday"), texts([]int{1, 1}, "")},
		{"vector of stop words", stop(attrs{}), row("monday"), row("")},
		{"Turkish", attrs{"case_change_action": "LOWER", "locale": "tr_TR.UTF-8"}, row("IŞIK"), row("ışık")},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantTexts(t, optest.Run(t, Ops(), call("StringNormalizer", c.a), c.in).Out(0), c.want)
		})
	}
	optest.Error(t, Ops(), call("StringNormalizer", stop(attrs{})), texts([]int{2, 1}, "a", "b"))
	optest.Error(t, Ops(), call("StringNormalizer", attrs{"case_change_action": "TITLE"}), days)
}

func TestStringSplit(t *testing.T) {
	for _, c := range []struct {
		name     string
		a        attrs
		in, want *tensor.Tensor
		counts   []int64
	}{
		{"delimiter", attrs{"delimiter": "."}, row("abc.com", "def.net"), texts([]int{2, 2}, "abc", "com", "def", "net"), []int64{2, 2}},
		{"in a row", attrs{"delimiter": "-"}, row("o-n--x", ""), texts([]int{2, 4}, "o", "n", "", "x", "", "", "", ""), []int64{4, 1}},
		{"white space", nil, texts([]int{1, 2}, " a  b\tc ", " "), texts([]int{1, 2, 3}, "a", "b", "c", "", "", ""), []int64{3, 0}},
		{"limit", attrs{"delimiter": ",", "maxsplit": 1}, row("a,b,c"), texts([]int{1, 2}, "a", "b,c"), []int64{2}},
		{"limit of white space", attrs{"maxsplit": 1}, row(" a b  c "), texts([]int{1, 2}, "a", "b  c "), []int64{2}},
		{"nothing", attrs{"delimiter": ","}, texts([]int{0}), texts([]int{0, 0}), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := call("StringSplit", c.a)
			y.Outputs = 2
			n := optest.Run(t, Ops(), y, c.in)
			wantTexts(t, n.Out(0), c.want)
			if got := tensor.Data[int64](n.Out(1)); !slices.Equal(got, c.counts) || !slices.Equal(n.Out(1).Shape(), c.in.Shape()) {
				t.Errorf("counts %v, want %v", got, c.counts)
			}
		})
	}
}

func TestStringConcat(t *testing.T) {
	n := optest.Run(t, Ops(), call("StringConcat", nil), texts([]int{2, 1}, "a", "b"), row("1", "2", ""))
	wantTexts(t, n.Out(0), texts([]int{2, 3}, "a1", "a2", "a", "b1", "b2", "b"))
	wantTexts(t, optest.Run(t, Ops(), call("StringConcat", nil), texts(nil, "x"), texts(nil, "y")).Out(0), texts(nil, "xy"))
	optest.Error(t, Ops(), call("StringConcat", nil), row("a", "b"), row("a", "b", "c"))
}

func TestRegexFullMatch(t *testing.T) {
	n := optest.Run(t, Ops(), call("RegexFullMatch", attrs{"pattern": "a|ab"}), row("a", "ab", "abc", "a\n", ""))
	if got := tensor.Data[bool](n.Out(0)); !slices.Equal(got, []bool{true, true, false, false, false}) {
		t.Errorf("got %v", got)
	}
	optest.Error(t, Ops(), call("RegexFullMatch", attrs{"pattern": "("}), row("a"))
}

// The wanted tokens are those of ONNX Runtime.
func TestTokenizer(t *testing.T) {
	with := func(more attrs) attrs {
		for k, v := range (attrs{"pad_value": "#", "mincharnum": 1}) {
			if _, given := more[k]; !given {
				more[k] = v
			}
		}
		return more
	}
	for _, c := range []struct {
		name     string
		a        attrs
		in, want *tensor.Tensor
	}{
		{"separator", attrs{"separators": []string{" "}}, row("ab cd", "x"), texts([]int{2, 2}, "ab", "cd", "x", "#")},
		{"patterns of separators", attrs{"separators": []string{",", ";", "[ ]"}}, row("ab,,cd; e"), texts([]int{1, 3}, "ab", "cd", "e")},
		{"characters", attrs{"separators": []string{""}}, row("héy", ""), texts([]int{2, 3}, "h", "é", "y", "#", "#", "#")},
		{"marks", attrs{"separators": []string{" "}, "mark": 1}, row("ab cd", "x"), texts([]int{2, 4}, startMark, "ab", "cd", endMark, startMark, "x", endMark, "#")},
		{"short tokens", attrs{"separators": []string{" "}, "mincharnum": 2}, row("ab c ddd e"), texts([]int{1, 2}, "ab", "ddd")},
		{"class", attrs{"tokenexp": "[a-z]+", "mincharnum": 2}, texts([]int{1, 2}, "ab.c,ddd", "éa--bc"), texts([]int{1, 2, 2}, "ab", "ddd", "bc", "#")},
		{"single characters", attrs{"tokenexp": "."}, row("hé\ny", ""), texts([]int{2, 3}, "h", "é", "y", "#", "#", "#")},
		{"negated class", attrs{"tokenexp": `[^\s]+`}, row("né ü"), texts([]int{1, 2}, "né", "ü")},
		{"other pattern", attrs{"tokenexp": "(a)(b)|c"}, row("abxc"), texts([]int{1, 2}, "ab", "c")},
		{"empty matches", attrs{"tokenexp": "[a-z]*"}, row("ab cd"), texts([]int{1, 2}, "ab", "cd")},
		{"no token", attrs{"tokenexp": "[a-z]+", "mark": 1}, texts([]int{2, 1}, "", "1"), texts([]int{2, 1, 0})},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantTexts(t, optest.Run(t, Ops(), call("Tokenizer", with(c.a)), c.in).Out(0), c.want)
		})
	}
	for _, a := range []attrs{{}, {"tokenexp": "a", "separators": []string{"b"}}, {"tokenexp": "("}, {"separators": []string{"["}}, {"separators": []string{"", ","}}} {
		optest.Error(t, Ops(), call("Tokenizer", with(a)), row("a"))
	}
	optest.Error(t, Ops(), call("Tokenizer", with(attrs{"tokenexp": "a"})), texts([]int{1, 1, 1}, "a"))
}

// The examples of the specification: 2-grams and 1-grams over these tokens.
func TestTfIdfVectorizer(t *testing.T) {
	pool := func(more attrs) attrs {
		a := attrs{
			"mode": "TF", "min_gram_length": 2, "max_gram_length": 2, "max_skip_count": 0, "ngram_counts": []int{0, 4},
			"ngram_indexes": []int{0, 1, 2, 3, 4, 5, 6}, "pool_int64s": []int{2, 3, 5, 4, 5, 6, 7, 8, 6, 7},
		}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	x := tensor.From([]int32{1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8}, 12)
	for _, c := range []struct {
		name string
		a    attrs
		in   *tensor.Tensor
		want []float32
	}{
		{"pairs", pool(nil), x, []float32{0, 0, 0, 0, 1, 1, 1}},
		{"pairs, up to five left out", pool(attrs{"max_skip_count": 5}), x, []float32{0, 0, 0, 0, 1, 3, 1}},
		{"one and two tokens", pool(attrs{"min_gram_length": 1, "max_skip_count": 5}), x, []float32{0, 3, 1, 0, 1, 3, 1}},
		{"weights", pool(attrs{"mode": "TFIDF", "min_gram_length": 1, "weights": []float64{1, 2, 3, 4, 5, 6, 7}}), x, []float32{0, 6, 3, 0, 5, 6, 7}},
		{"occurrence", pool(attrs{"mode": "IDF", "min_gram_length": 1, "weights": []float64{1, 2, 3, 4, 5, 6, 7}}), x, []float32{0, 2, 3, 0, 5, 6, 7}},
		{"batch", pool(nil), tensor.From([]int64{5, 6, 9, 7, 8, 6}, 2, 3), []float32{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0}},
		{"no tokens", pool(nil), tensor.New(tensor.Int64, 1, 0), make([]float32, 7)},
		{"many left out", pool(attrs{"max_skip_count": 1 << 60}), tensor.From([]int64{5, 0, 6}, 3), []float32{0, 0, 0, 0, 1, 0, 0}},
		{"strings", attrs{
			"mode": "TF", "min_gram_length": 1, "max_gram_length": 3, "max_skip_count": 0, "ngram_counts": []int{0, 1, 1},
			"ngram_indexes": []int{1, 0}, "pool_strings": []string{"a", "a", "b", "c"},
		}, row("a", "b", "c", "a"), []float32{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := tensor.Data[float32](optest.Run(t, Ops(), call("TfIdfVectorizer", c.a), c.in).Out(0)); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	for name, a := range map[string]attrs{
		"mode": {"mode": "DF"}, "lengths": {"min_gram_length": 3}, "skip": {"max_skip_count": -1}, "counts": {"ngram_counts": []int{0, 11}},
		"order": {"ngram_counts": []int{4, 0}}, "odd pairs": {"ngram_counts": []int{0, 3}}, "columns": {"ngram_indexes": []int{-1}},
		"few columns": {"ngram_indexes": []int{0}}, "two pools": {"pool_strings": []string{"a"}}, "weights": {"mode": "IDF", "weights": []float64{1}},
	} {
		t.Run(name, func(t *testing.T) { optest.Error(t, Ops(), call("TfIdfVectorizer", pool(a)), x) })
	}
	optest.Error(t, Ops(), call("TfIdfVectorizer", pool(nil)), row("a"))
}

// working are calls that work, one of each operator that need not make
// strings.
func working() (seeds []optest.Seed) {
	docs := texts([]int{2}, "the quick brown fox", "jumps over")
	for name, a := range map[string]attrs{
		"StringNormalizer": {"stopwords": []string{"the"}, "is_case_sensitive": 1},
		"Tokenizer":        {"tokenexp": "[a-z]+", "mincharnum": 1, "pad_value": "#"},
		"StringSplit":      {"delimiter": " "},
		"RegexFullMatch":   {"pattern": "[a-z]+"},
		"TfIdfVectorizer": {
			"mode": "TF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 1, "ngram_counts": []int{0, 1},
			"ngram_indexes": []int{0, 1}, "pool_strings": []string{"a", "the quick brown fox", "jumps over"},
		},
	} {
		seeds = append(seeds, optest.Seed{Call: call(name, a), In: []tensor.Value{docs}})
	}
	return seeds
}

func TestNoAllocations(t *testing.T) {
	for _, s := range working() {
		if got := optest.Run(t, Ops(), s.Call, s.In...).Allocs(t); got != 0 {
			t.Errorf("%s: %v allocations", s.Call.Op, got)
		}
	}
}

func TestAnyInputGivesAResultOrAnError(t *testing.T) {
	optest.Monkey(t, Ops(), map[string][]any{
		"stopwords": {[]string{"a"}, []string{""}}, "case_change_action": {"LOWER", "UPPER"}, "delimiter": {"", ","}, "maxsplit": {0, 1},
		"pattern": {"", "a*"}, "tokenexp": {"[a-z]+", "."}, "separators": {[]string{""}, []string{","}}, "mark": {0, 1}, "mincharnum": {0, 2},
		"mode": {"TF", "IDF"}, "min_gram_length": {1, 2}, "max_gram_length": {1, 2}, "max_skip_count": {0, 3}, "ngram_counts": {[]int{0, 1}},
		"ngram_indexes": {[]int{0, 1}}, "pool_strings": {[]string{"", "a", ""}}, "pool_int64s": {[]int{1, 1, 2}}, "weights": {[]float64{1, 2}},
	}, working()...)
}
