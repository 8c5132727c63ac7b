package spec

import (
	"fmt"
	"strings"
)

// didYouMean is "; did you mean …?" with the candidate nearest to word, or "".
func didYouMean(word string, candidates []string) string {
	if best := nearest(word, candidates); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// nearest is the candidate that takes the fewest edits to reach from word, at
// most a third of its length, or "". Of equals the first is taken.
func nearest(word string, candidates []string) string {
	const longest = 64 // longer words are not typing mistakes
	if len(word) > longest {
		return ""
	}
	word = strings.ToLower(word)
	best, least := "", len(word)+longest
	for _, c := range candidates {
		if len(c) > longest {
			continue
		}
		allowed := (max(len(word), len(c)) + 2) / 3
		if d := edits(word, strings.ToLower(c)); d <= allowed && d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours
// that lead from a to b: the restricted Damerau-Levenshtein distance.
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			differ := 1
			if a[i-1] == b[j-1] {
				differ = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+differ)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// shorten bounds what a message repeats of a file.
func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
