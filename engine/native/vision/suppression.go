package vision

import (
	"cmp"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// suppression is NonMaxSuppression: of boxes [N, B, 4] with scores [N, C, B]
// the best are selected, class by class, leaving out those that overlap a
// better one too much.
type suppression struct{ centered bool }

func buildSuppression(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	return &suppression{a.Bool("center_point_box", false)}, a.Err()
}

func inferSuppression(n *op.Node) error {
	n.SetOut(0, tensor.TensorType(tensor.Int64, -1, 3))
	return nil
}

// suppressionState is kept between runs for its memory.
type suppressionState struct {
	boxes    []box
	order    []int // candidates, best first
	selected []int64
	most     []int
}

// box holds the corners of a box, the lower before the upper.
type box struct{ x0, y0, x1, y1 float32 }

// Run writes [selected, 3]: image, class and box.
func (k *suppression) Run(c *op.Context) error {
	boxes, scores := c.T(0), c.T(1)
	if boxes.Rank() != 3 || boxes.Dim(2) != 4 || scores.Rank() != 3 || scores.Dim(0) != boxes.Dim(0) || scores.Dim(2) != boxes.Dim(1) {
		return op.Errorf("boxes %v and scores %v do not fit: want [N,B,4] and [N,C,B]", boxes, scores)
	}
	s := op.State[suppressionState](c)
	s.selected = s.selected[:0]
	s.most = op.AppendInts(s.most[:0], c.T(2))
	overlap, _ := threshold(c, 3)
	least, limited := threshold(c, 4)
	most := 0
	if len(s.most) > 0 {
		most = s.most[0]
	}
	corner, score, n := op.Float32s(c, 0, boxes), op.Float32s(c, 1, scores), boxes.Dim(1)
	for image := range boxes.Dim(0) {
		k.read(s, corner[image*n*4:(image+1)*n*4])
		for class := range scores.Dim(1) {
			s.rank(score[(image*scores.Dim(1)+class)*n:][:n], least, limited)
			if err := s.choose(c, image, class, most, overlap); err != nil {
				return err
			}
		}
	}
	out := c.NewOut(0, tensor.Int64, len(s.selected)/3, 3)
	copy(tensor.Data[int64](out), s.selected)
	return nil
}

// threshold is the scalar input i, if it is given.
func threshold(c *op.Context, i int) (v float32, given bool) {
	if t := c.T(i); t != nil && t.Len() > 0 {
		return op.Float32s(c, 2, t)[0], true
	}
	return 0, false
}

// read brings the boxes of one image into one form.
func (k *suppression) read(s *suppressionState, v []float32) {
	s.boxes = s.boxes[:0]
	for ; len(v) >= 4; v = v[4:] {
		if k.centered {
			w, h := v[2]/2, v[3]/2
			s.boxes = append(s.boxes, box{v[0] - w, v[1] - h, v[0] + w, v[1] + h})
		} else {
			s.boxes = append(s.boxes, box{min(v[1], v[3]), min(v[0], v[2]), max(v[1], v[3]), max(v[0], v[2])})
		}
	}
}

// rank orders the boxes by falling score, leaving out those not above least.
func (s *suppressionState) rank(score []float32, least float32, limited bool) {
	s.order = s.order[:0]
	for i, v := range score {
		if !limited || v > least {
			s.order = append(s.order, i)
		}
	}
	slices.SortFunc(s.order, func(a, b int) int {
		if d := cmp.Compare(score[b], score[a]); d != 0 {
			return d
		}
		return cmp.Compare(a, b)
	})
}

func (s *suppressionState) choose(c *op.Context, image, class, most int, overlap float32) error {
	start := len(s.selected)
	for _, candidate := range s.order {
		chosen := s.selected[start:]
		if len(chosen)/3 >= most {
			return nil
		}
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		if !s.covered(candidate, chosen, overlap) {
			s.selected = append(s.selected, int64(image), int64(class), int64(candidate))
		}
	}
	return nil
}

// covered says whether one of the boxes chosen so far overlaps the candidate.
func (s *suppressionState) covered(candidate int, chosen []int64, overlap float32) bool {
	for i := 2; i < len(chosen); i += 3 {
		if s.boxes[candidate].overlap(s.boxes[chosen[i]]) > overlap {
			return true
		}
	}
	return false
}

// overlap is the intersection over the union: the area that two boxes share, as a part of what both cover.
// Boxes that share no area give -1, less than any threshold.
func (a box) overlap(b box) float32 {
	w := min(a.x1, b.x1) - max(a.x0, b.x0)
	h := min(a.y1, b.y1) - max(a.y0, b.y0)
	areaA, areaB := (a.x1-a.x0)*(a.y1-a.y0), (b.x1-b.x0)*(b.y1-b.y0)
	shared := w * h
	union := areaA + areaB - shared
	if !(w > 0 && h > 0 && shared > 0 && areaA > 0 && areaB > 0 && union > 0) {
		return -1
	}
	return shared / union
}
