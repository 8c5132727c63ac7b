package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/onnx"
)

type inspectOptions struct {
	asJSON, sample bool
}

func newInspect(env Env) *cobra.Command {
	var o inspectOptions
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Describe a model: inputs, outputs, classes, operators, a sample request",
		Long:  "Describe a model: inputs, outputs, classes, operators, size, engine and a sample request.\n" + exitCodesHelp,
		Example: `  greenlight inspect examples/penguins
  greenlight inspect model.onnx --json
  greenlight inspect model.onnx --sample | curl -s http://127.0.0.1:8080/predict --data-binary @-`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runInspect(cmd.Context(), env, o, args[0])
		},
	}
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&o.sample, "sample", false, "print only a request body that the model accepts")
	return cmd
}

// valueJSON is an input or output for scripts.
type valueJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// inspection is the answer of inspect.
type inspection struct {
	Name      string                   `json:"name"`
	Path      string                   `json:"path"`
	Bytes     int64                    `json:"bytes"`
	SHA256    string                   `json:"sha256"`
	Producer  string                   `json:"producer,omitempty"`
	IR        int64                    `json:"ir_version"`
	Opsets    map[string]int           `json:"opsets"`
	Engine    string                   `json:"engine"`
	Task      string                   `json:"task"`
	Classes   []string                 `json:"classes,omitempty"`
	Columns   []valueJSON              `json:"columns,omitempty"`
	Inputs    []valueJSON              `json:"inputs"`
	Outputs   []valueJSON              `json:"outputs"`
	Operators map[string]int           `json:"operators"`
	Proof     *modelserver.ProofResult `json:"proof,omitempty"`
	Sample    json.RawMessage          `json:"sample_request,omitempty"`
	RowsError string                   `json:"rows_error,omitempty"`
}

func runInspect(ctx context.Context, env Env, o inspectOptions, arg string) error {
	m, err := loadModel(ctx, env, arg, false)
	if err != nil {
		return err
	}
	defer m.Close()
	if o.sample {
		if m.SchemaErr != nil {
			return m.SchemaErr
		}
		_, err := fmt.Fprintf(env.Stdout, "%s\n", m.SampleRequest())
		return err
	}
	in := inspectModel(m)
	if o.asJSON {
		return writeJSON(env.Stdout, in)
	}
	return in.print(env.Stdout)
}

func inspectModel(m *modelserver.Model) *inspection {
	in := &inspection{
		Name: m.Name, Path: m.File.Path, Bytes: m.File.Size, SHA256: m.File.SHA256, Producer: m.File.Producer,
		IR: m.File.IRVersion, Opsets: make(map[string]int), Engine: m.Engine,
		Task: string(m.Schema.Task), Classes: m.Schema.Classes,
		Inputs: values(m.Inputs()), Outputs: values(m.Outputs()),
		Operators: make(map[string]int), Proof: m.Proof, Sample: m.SampleRequest(),
	}
	for domain, v := range m.File.Opsets {
		if domain == "" {
			domain = "ai.onnx"
		}
		in.Opsets[domain] = v
	}
	for i := range m.Schema.Columns {
		c := &m.Schema.Columns[i]
		in.Columns = append(in.Columns, valueJSON{c.Name, c.Expects()})
	}
	if m.SchemaErr != nil {
		in.RowsError = m.SchemaErr.Error()
	}
	countOperators(m.File.Graph, in.Operators)
	return in
}

func values(infos []onnx.ValueInfo) []valueJSON {
	out := make([]valueJSON, len(infos))
	for i, v := range infos {
		out[i] = valueJSON{v.Name, v.Type.String()}
	}
	return out
}

func countOperators(g *onnx.Graph, counts map[string]int) {
	for _, n := range g.Nodes {
		counts[n.Qualified()]++
		for _, a := range n.Attrs {
			if a.Graph != nil {
				countOperators(a.Graph, counts)
			}
			for _, sub := range a.Graphs {
				countOperators(sub, counts)
			}
		}
	}
}

// print writes the description for people.
func (in *inspection) print(w io.Writer) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("model", "%s (%s)", in.Name, in.Path)
	line("size", "%s, sha256 %.12s…", sizeText(in.Bytes), in.SHA256)
	line("made by", "%s, IR %d, opset %s", cmp.Or(in.Producer, "an unnamed program"), in.IR, joinCounts(in.Opsets, " "))
	line("engine", "%s", in.Engine)
	line("proof", "%s", proofText(in.Proof))
	line("task", "%s", in.Task)
	if len(in.Classes) > 0 {
		line("classes", "%s", strings.Join(in.Classes, ", "))
	}
	printValues(line, "input", in.Inputs)
	printValues(line, "output", in.Outputs)
	printValues(line, "column", in.Columns)
	if in.RowsError != "" {
		line("rows", "not possible: %s", in.RowsError)
	}
	line("operators", "%s", joinCounts(in.Operators, " ×"))
	if len(in.Sample) > 0 && len(in.Sample) <= maxShownRequest {
		line("sample", "%s", in.Sample)
	} else if len(in.Sample) > 0 {
		line("sample", "%d bytes; greenlight inspect %s --sample prints it", len(in.Sample), in.Path)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printValues(line func(string, string, ...any), label string, values []valueJSON) {
	const most = 40
	for i, v := range values {
		if i == most {
			line("", "and %d more; --json lists all", len(values)-most)
			return
		}
		line(label, "%s: %s", v.Name, v.Type)
	}
}

func joinCounts(counts map[string]int, sep string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s%s%d", name, sep, counts[name]))
	}
	return strings.Join(parts, ", ")
}

// sizeText writes a number of bytes for people.
func sizeText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
}
