package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
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
.ndjson or .json; "-" or none is standard input (say --format). The file may be
larger than memory, and columns that the model does not know are kept.

A row that cannot be predicted ends the run with its line number, or goes to
--rejects FILE with the reason, and the run goes on.
` + exitCodesHelp,
		Example: `  greenlight predict model.onnx rows.csv > predictions.csv
  greenlight predict model.onnx rows.jsonl -o predictions.jsonl --rejects bad.jsonl
  cat rows.csv | greenlight predict model.onnx --format csv`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPredict(cmd.Context(), env, o, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "csv or jsonl (default: by the file's name)")
	f.StringVarP(&o.output, "output", "o", "", "file to write (default: standard output)")
	f.StringVar(&o.rejects, "rejects", "", "file for rows that cannot be predicted")
	f.IntVar(&o.batch, "batch", 256, "rows computed at a time")
	f.IntVar(&o.workers, "workers", runtime.GOMAXPROCS(0), "batches computed at once")
	f.StringVar(&o.progress, "progress", "auto", "progress on standard error: auto, always or never")
	return cmd
}

func (o *predictOptions) check(file string) error {
	if o.format == "" {
		o.format = formatOf(file)
	}
	switch {
	case o.format != "csv" && o.format != "jsonl":
		return &usageError{fmt.Errorf("cannot tell the format of %q; say --format csv or --format jsonl", file)}
	case o.batch < 1 || o.workers < 1:
		return &usageError{fmt.Errorf("--batch and --workers want 1 or more")}
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

func runPredict(ctx context.Context, env Env, o predictOptions, args []string) (err error) {
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
	files := outputs{out: nopCloser{env.Stdout}}
	defer func() { err = files.close(err) }()
	if err := files.open(o); err != nil {
		return err
	}
	job := &prediction{model: m, options: o, name: file, progress: newProgress(env.Stderr, o.progress, size)}
	return job.run(ctx, in, files)
}

// openInput gives the rows and their size in bytes, 0 when not known.
func openInput(env Env, file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		return io.NopCloser(env.Stdin), 0, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// outputs are the files that predict writes.
type outputs struct {
	out     io.WriteCloser
	rejects io.WriteCloser // nil: a bad row ends the run
}

func (f *outputs) open(o predictOptions) error {
	for _, target := range []struct {
		path string
		w    *io.WriteCloser
	}{{o.output, &f.out}, {o.rejects, &f.rejects}} {
		if target.path == "" {
			continue
		}
		created, err := os.Create(target.path)
		if err != nil {
			return greenlight.WithCode(greenlight.CodeInvalid, err)
		}
		*target.w = created
	}
	return nil
}

// close closes what was opened; a write that fails only then is an error too.
func (f *outputs) close(err error) error {
	for _, w := range []io.WriteCloser{f.out, f.rejects} {
		if w == nil {
			continue
		}
		if e := w.Close(); err == nil {
			err = e
		}
	}
	return err
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
