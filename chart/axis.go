package chart

import (
	"math"
	"strconv"
)

// places are an axis' marks: about as many as most.
func (a Axis) places(most int) []Mark {
	if a.Marks != nil {
		every := (len(a.Marks) + most - 1) / most
		var out []Mark
		for i := 0; i < len(a.Marks); i += every {
			out = append(out, a.Marks[i])
		}
		return out
	}
	write := a.Write
	if write == nil {
		write = func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	}
	step := niceStep((a.To-a.From)/float64(most), a.Whole)
	var out []Mark
	first := math.Ceil(a.From / step)
	for i := range 3 * most {
		if v := (first + float64(i)) * step; v <= a.To+step/1e6 {
			out = append(out, Mark{v, write(v)})
		}
	}
	return out
}

// niceStep is the next of 1, 2, 5, 10… that is at least raw.
func niceStep(raw float64, whole bool) float64 {
	if !(raw > 0) || math.IsInf(raw, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5, 10} {
		if f*power >= raw*(1-1e-9) {
			raw = f * power
			break
		}
	}
	if whole {
		return max(1, math.Round(raw))
	}
	return raw
}
