package modelserver

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Keys of a model file's metadata that Greenlight reads. A training script
// sets them where the graph itself does not say.
const (
	MetaFeatures = "greenlight.features" // JSON array: names of the columns of a single [N,F] input
	MetaClasses  = "greenlight.classes"  // JSON array: class names in the order of the probabilities
	MetaTask     = "greenlight.task"     // "classification" or "regression"
)

// Task is what a model's outputs mean.
type Task string

// The tasks. TaskOther answers with the outputs as they are.
const (
	TaskClassification Task = "classification"
	TaskRegression     Task = "regression"
	TaskOther          Task = "other"
)

// outputMeaning says which output is what.
type outputMeaning struct {
	infos  []onnx.ValueInfo
	widths []int // elements of one row of each output; -1 when not known
	label  int   // output with the label, or -1
	scores int   // output with the classes' scores, or -1
	value  int   // output with a regression's value, or -1

	single    bool          // scores hold only the second of two classes' score
	logits    bool          // scores are unbounded, not probabilities
	classes   int           // number of classes; 0 when not known
	classJSON [][]byte      // `"name":` for each class
	positions map[int64]int // a whole-number label's place among the classes
}

// findOutputs decides what the outputs mean: by metadata where it speaks,
// else by their types and by class names in the graph.
func (s *Schema) findOutputs(m *onnx.Model, infos []onnx.ValueInfo) error {
	o := &s.outputs
	*o = outputMeaning{infos: infos, label: -1, scores: -1, value: -1}
	for _, info := range infos {
		o.widths = append(o.widths, staticWidth(info.Type))
	}
	s.Task = TaskOther
	named, err := metaNames(m, MetaClasses)
	if err != nil {
		return err
	}
	own := graphClasses(m.Graph, infos)
	s.Classes = own.names
	if named != nil {
		s.Classes = named
		o.positions = own.positions(len(named))
	}
	s.Task = o.assign(Task(m.Metadata[MetaTask]), len(s.Classes))
	if s.Task != TaskClassification {
		s.Classes = nil
		return nil
	}
	return s.finishClasses(m.Graph)
}

// assign chooses the outputs' roles and with them the task.
func (o *outputMeaning) assign(declared Task, classes int) Task {
	label := o.first(isLabel)
	perClass := o.first(isPerClass)
	one := o.first(isOneFloat)
	switch declared {
	case TaskRegression:
		if o.value = one; one < 0 {
			o.value = o.first(isFloats)
		}
		if o.value >= 0 {
			return TaskRegression
		}
	case TaskClassification:
		o.label, o.scores = label, perClass
		if perClass < 0 && one >= 0 && (classes == 2 || classes == 0) {
			o.scores, o.single = one, true
		}
		if o.label >= 0 || o.scores >= 0 {
			return TaskClassification
		}
	case "":
		return o.guess(label, perClass, one, classes)
	}
	return TaskOther
}

// guess is assign without metadata. Scores alone are a classifier's only
// when the graph has names for them: they may be anything else.
func (o *outputMeaning) guess(label, perClass, one, classes int) Task {
	switch {
	case perClass >= 0 && (label >= 0 || classes > 0),
		label >= 0 && len(o.infos) == 1 && (classes > 0 || o.infos[label].Type.Elem == tensor.String):
		o.label, o.scores = label, perClass
		return TaskClassification
	case one >= 0 && len(o.infos) == 1:
		o.value = one
		return TaskRegression
	}
	return TaskOther
}

func (o *outputMeaning) first(is func(tensor.Type) bool) int {
	for i, info := range o.infos {
		if is(info.Type) {
			return i
		}
	}
	return -1
}

// isLabel: one class for each row, [N] or [N,1].
func isLabel(t tensor.Type) bool {
	return t.Kind == tensor.KindTensor && (t.Elem == tensor.String || t.Elem == tensor.Int64) && (!t.Ranked || oneEach(t))
}

// isPerClass: [N,K] floats with K of 2 or more, or ZipMap's sequence of maps.
func isPerClass(t tensor.Type) bool {
	if t.Kind == tensor.KindSequence {
		return t.Of != nil && t.Of.Kind == tensor.KindMap
	}
	return isFloats(t) && t.Ranked && len(t.Dims) == 2 && t.Dims[1].Size != 1
}

func isOneFloat(t tensor.Type) bool { return isFloats(t) && t.Ranked && oneEach(t) }

func isFloats(t tensor.Type) bool {
	return t.Kind == tensor.KindTensor && t.Elem.IsFloat() && datatypeOf(t.Elem) != ""
}

func oneEach(t tensor.Type) bool {
	return len(t.Dims) == 1 || len(t.Dims) == 2 && t.Dims[1].Size == 1
}

// finishClasses counts and names the classes of a classifier.
func (s *Schema) finishClasses(g *onnx.Graph) error {
	o := &s.outputs
	o.classes = len(s.Classes)
	if o.scores >= 0 {
		width := o.widths[o.scores]
		if o.single {
			width = 2
		}
		if o.classes > 0 && width > 0 && width != o.classes {
			return fmt.Errorf("there are %d class names (metadata %q, or the graph), but output %q has %d scores a row",
				o.classes, MetaClasses, o.infos[o.scores].Name, width)
		}
		o.classes = max(o.classes, width)
		o.logits = isLogits(g, o.infos[o.scores].Name)
	}
	o.classJSON = make([][]byte, o.classes)
	for k := range o.classJSON {
		o.classJSON[k] = append(appendText(nil, s.className(k)), ':')
	}
	return nil
}

// className is class k's name, its number where the model names none.
func (s *Schema) className(k int) string {
	if k < len(s.Classes) {
		return s.Classes[k]
	}
	return fmt.Sprint(k)
}

// isLogits says whether an output comes straight from a linear layer, as
// PyTorch's classifiers end, or is named as a score that is not a probability.
func isLogits(g *onnx.Graph, output string) bool {
	if name := strings.ToLower(output); strings.Contains(name, "logit") || strings.Contains(name, "score") {
		return true
	}
	n := producer(g, output)
	if n == nil || n.Domain != "" {
		return false
	}
	switch n.Op {
	case "Gemm", "MatMul", "Add", "Conv":
		return true
	}
	return false
}

// scoresName is what the scores are called in an answer.
func (o *outputMeaning) scoresName() string {
	if o.logits {
		return "scores"
	}
	return "probabilities"
}

func metaNames(m *onnx.Model, key string) ([]string, error) {
	text, ok := m.Metadata[key]
	if !ok {
		return nil, nil
	}
	var names []string
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, fmt.Errorf("metadata %q is not a JSON array of names: %w", key, err)
	}
	return names, nil
}
