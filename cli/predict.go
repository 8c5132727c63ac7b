package cli

import (
	"bufio"
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/modelserver"
)

type predictOptions struct {
	format   string
	output   string
	rejects  string
	batch    int
	workers  int
	progress string
}

func newPredict(env Env) *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:   "predict MODEL [FILE]",
		Short: "Add predictions to a file of rows",
		Long: `Add predictions to a file of rows, CSV with a header or JSON lines, in order.

FILE is read as CSV when it ends in .csv, as JSON lines when it ends in .jsonl,
.ndjson or .json; "-" or none is standard input (say --format). It may be larger
than memory. Columns that the model does not know are kept.

A row that cannot be predicted ends the run with its line number, or goes to
--rejects FILE with the reason, and the run goes on. The files of --output and
--rejects appear when they are complete; --output may be FILE itself.
` + exitCodesHelp,
		Example: `  greenlight predict model.onnx rows.csv > predictions.csv
  greenlight predict model.onnx rows.jsonl -o predictions.jsonl --rejects bad.jsonl
  cat rows.csv | greenlight predict model.onnx --format csv`,
		Args: takes(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPredict(cmd.Context(), env, o, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "csv or jsonl (default: by the file's name)")
	f.StringVarP(&o.output, "output", "o", "", "file to write (default: standard output)")
	f.StringVar(&o.rejects, "rejects", "", "file for rows that cannot be predicted")
	f.IntVar(&o.batch, "batch", 256, "rows computed at a time")
	f.IntVar(&o.workers, "workers", 0, "batches computed at once (default: one for each core)")
	f.StringVar(&o.progress, "progress", "auto", "progress on standard error: auto, always or never")
	return cmd
}

const maxWorkers = 1024

func (o *predictOptions) check(file string) error {
	if o.format == "" {
		o.format = formatOf(file)
	}
	if o.workers == 0 {
		o.workers = runtime.GOMAXPROCS(0)
	}
	switch {
	case o.format == "":
		return &usageError{fmt.Errorf("cannot tell the format of %s; say --format csv or --format jsonl", inputName(file))}
	case o.format != "csv" && o.format != "jsonl":
		return &usageError{fmt.Errorf("--format wants csv or jsonl, not %q", o.format)}
	case o.batch < 1 || o.batch > modelserver.MaxRows:
		return &usageError{fmt.Errorf("--batch wants 1 to %d", modelserver.MaxRows)}
	case o.workers < 1 || o.workers > maxWorkers:
		return &usageError{fmt.Errorf("--workers wants 1 to %d", maxWorkers)}
	case o.output != "" && o.output == o.rejects:
		return &usageError{fmt.Errorf("--output and --rejects name the same file %s", o.output)}
	case o.progress != "auto" && o.progress != "always" && o.progress != "never":
		return &usageError{fmt.Errorf("--progress wants auto, always or never, not %q", o.progress)}
	}
	return nil
}

func formatOf(file string) string {
	switch {
	case strings.HasSuffix(file, ".csv"):
		return "csv"
	case strings.HasSuffix(file, ".jsonl"), strings.HasSuffix(file, ".ndjson"), strings.HasSuffix(file, ".json"):
		return "jsonl"
	}
	return ""
}

func runPredict(ctx context.Context, env Env, o predictOptions, args []string) error {
	file := "-"
	if len(args) > 1 {
		file = args[1]
	}
	if err := o.check(file); err != nil {
		return err
	}
	m, err := loadModel(ctx, env, args[0], false)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.SchemaErr != nil {
		return m.SchemaErr
	}
	in, size, err := openInput(env, file)
	if err != nil {
		return err
	}
	defer in.Close()
	files, err := openOutputs(env, o)
	if err != nil {
		return err
	}
	job := &prediction{
		model: m, options: o, name: inputName(file), progress: newProgress(env.Stderr, o.progress, size),
		out: bufio.NewWriterSize(files.out, 1<<16), rejects: bufio.NewWriter(files.rejects),
	}
	return files.close(job.run(ctx, in))
}
