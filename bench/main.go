// Command bench measures Greenlight against what it replaces and prints one
// table: ONNX Runtime on the same models, a bare net/http handler and Flask
// with gunicorn on the same request, and the time and memory of a start. See
// README.md for how; run.sh installs what it needs and calls it.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
)

// config is what run.sh has installed, and what to measure.
type config struct {
	greenlight  string // binary
	onnxruntime string // shared library
	fromC       string // the programme of fromc/; empty for none
	python      string // interpreter with Flask, gunicorn and scikit-learn
	forest      string // the forest as scikit-learn's joblib
	examples    string // folder
	serverCore  int
	clientCore  int
	only        *regexp.Regexp
}

func main() {
	if len(os.Args) > 1 {
		if part := parts[os.Args[1]]; part != nil {
			exit(part(os.Args[2:], os.Stdout))
		}
	}
	exit(orchestrate())
}

// parts are the processes that are pinned to a core of their own; the
// programme starts itself for them.
var parts = map[string]func(args []string, w io.Writer) error{
	"engines": enginesPart,
	"client":  clientPart,
	"bare":    barePart,
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func orchestrate() error {
	var c config
	only := flag.String("only", "", "measure the rows that match this regular expression")
	jsonFile := flag.String("json", "", "write the table to this file as well")
	strict := flag.Bool("strict", false, "fail when a target is missed")
	flag.StringVar(&c.greenlight, "greenlight", "greenlight", "the binary")
	flag.StringVar(&c.onnxruntime, "onnxruntime", "", "ONNX Runtime's shared library")
	flag.StringVar(&c.fromC, "fromc", "", "the programme that fromc/fromc.c compiles to")
	flag.StringVar(&c.python, "python", "", "an interpreter with Flask, gunicorn and scikit-learn")
	flag.StringVar(&c.forest, "forest", "", "the forest as scikit-learn's joblib")
	flag.StringVar(&c.examples, "examples", "examples", "the folder of that name")
	flag.Parse()
	var err error
	if c.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	if c.serverCore, c.clientCore, err = cores(); err != nil {
		return err
	}
	t, err := c.measure()
	if err != nil {
		return err
	}
	t.print(os.Stdout)
	if *jsonFile != "" {
		if err := t.writeJSON(*jsonFile); err != nil {
			return err
		}
	}
	if missed := t.missed(); *strict && missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}

func (c *config) measure() (*table, error) {
	t := &table{Machine: machine()}
	for _, part := range []func(*table) error{c.engines, c.serving, c.start} {
		if err := part(t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// progress says what is going on, on standard error.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "== "+format+"\n", args...)
}
