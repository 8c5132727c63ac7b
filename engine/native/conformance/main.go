// Command conformance runs the ONNX project's backend node cases against the
// native engine, prints the count, and writes the table of operators.
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"

	"github.com/greenlight-dev/greenlight/engine/enginetest"
	"github.com/greenlight-dev/greenlight/engine/native"
)

type options struct {
	cases    string
	docs     string
	filter   string
	allowed  int
	explains bool
}

func main() {
	var o options
	flag.StringVar(&o.cases, "cases", "", "folder, .tar.gz or wheel that holds the cases")
	flag.StringVar(&o.docs, "docs", "", "write the operator table to this file")
	flag.StringVar(&o.filter, "run", "", "only cases whose name matches this expression")
	flag.IntVar(&o.allowed, "allow-failures", -1, "fail when more cases fail; -1 allows any number")
	flag.BoolVar(&o.explains, "v", false, "print each failure")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.cases == "" {
		return fmt.Errorf("say where the cases are: -cases FOLDER|ARCHIVE|WHEEL")
	}
	filter, err := regexp.Compile(o.filter)
	if err != nil {
		return err
	}
	fsys, root, err := enginetest.OpenCases(o.cases)
	if err != nil {
		return err
	}
	results, err := runCases(fsys, root, filter)
	if err != nil {
		return err
	}
	passed := 0
	for _, r := range results {
		if r.err == nil {
			passed++
		} else if o.explains {
			fmt.Printf("%s: %v\n", r.name, r.err)
		}
	}
	if o.docs != "" {
		if err := writeDocs(o.docs, results); err != nil {
			return err
		}
	}
	fmt.Printf("ONNX backend node cases: %d passed, %d failed, of %d\n", passed, len(results)-passed, len(results))
	if failed := len(results) - passed; o.allowed >= 0 && failed > o.allowed {
		return fmt.Errorf("%d cases failed, at most %d may; -v shows why", failed, o.allowed)
	}
	return nil
}

// result is the outcome of one case.
type result struct {
	name      string
	operators []string // the case's own operators, or those it is about
	err       error
}

func runCases(fsys fs.FS, root string, filter *regexp.Regexp) ([]result, error) {
	names, err := enginetest.CaseNames(fsys, root)
	if err != nil {
		return nil, err
	}
	e := native.New(native.Options{})
	var results []result
	for _, name := range names {
		if !filter.MatchString(name) {
			continue
		}
		r := result{name: name}
		c, err := enginetest.LoadCase(fsys, path.Join(root, name))
		if err != nil {
			r.err = err
		} else {
			r.operators = operatorsOf(c)
			r.err = c.Check(context.Background(), e.Load)
		}
		results = append(results, r)
	}
	return results, nil
}
