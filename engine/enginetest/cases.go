// Package enginetest holds what every engine must pass: Run, the port's
// contract as tests, and the ONNX project's backend cases, which are read
// from a folder or archive and are not part of this repository.
package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Case is one of the ONNX project's backend cases: a model with sets of
// inputs and the outputs they must give.
type Case struct {
	Name  string
	Model *onnx.Model
	Sets  []DataSet
}

// DataSet is one set of inputs, by position, and expected outputs.
type DataSet struct {
	Inputs, Outputs []tensor.Value
}

// CaseNames lists the node cases below root, sorted: every folder that holds
// a model.onnx.
func CaseNames(fsys fs.FS, root string) ([]string, error) {
	entries, err := fs.ReadDir(fsys, root)
	if err != nil {
		return nil, fmt.Errorf("backend cases: %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, err := fs.Stat(fsys, path.Join(root, e.Name(), "model.onnx")); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// LoadCase reads the case in a folder.
func LoadCase(fsys fs.FS, dir string) (*Case, error) {
	m, err := onnx.Open(fsys, path.Join(dir, "model.onnx"), onnx.DefaultLimits())
	if err != nil {
		return nil, err
	}
	c := &Case{Name: path.Base(dir), Model: m}
	sets, err := fs.Glob(fsys, path.Join(dir, "test_data_set_*"))
	if err != nil {
		return nil, err
	}
	for _, s := range sets {
		var set DataSet
		if set.Inputs, err = loadValues(fsys, s, "input_", m.Graph.Inputs); err != nil {
			return nil, err
		}
		if set.Outputs, err = loadValues(fsys, s, "output_", m.Graph.Outputs); err != nil {
			return nil, err
		}
		c.Sets = append(c.Sets, set)
	}
	if len(c.Sets) == 0 {
		return nil, fmt.Errorf("%s: no test_data_set folder", dir)
	}
	return c, nil
}

func loadValues(fsys fs.FS, dir, prefix string, infos []onnx.ValueInfo) ([]tensor.Value, error) {
	files, err := fs.Glob(fsys, path.Join(dir, prefix+"*.pb"))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(fileIndex(a), fileIndex(b)) })
	if len(files) > len(infos) {
		return nil, fmt.Errorf("%s: %d files %s*.pb for %d values", dir, len(files), prefix, len(infos))
	}
	values := make([]tensor.Value, len(files))
	for i, f := range files {
		data, err := fs.ReadFile(fsys, f)
		if err != nil {
			return nil, err
		}
		if values[i], err = onnx.DecodeValue(data, infos[i].Type.Kind, onnx.DefaultLimits()); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
	}
	return values, nil
}

// fileIndex is 12 for "…/input_12.pb".
func fileIndex(name string) int {
	base := strings.TrimSuffix(path.Base(name), ".pb")
	i, _ := strconv.Atoi(base[strings.LastIndexByte(base, '_')+1:])
	return i
}

// Check loads the case's model and compares each data set's outputs with the
// expected ones, within the ONNX project's own tolerance (1e-3 relative,
// 1e-7 absolute).
func (c *Case) Check(ctx context.Context, load func(context.Context, *onnx.Model) (engine.Session, error)) error {
	s, err := load(ctx, c.Model)
	if err != nil {
		return err
	}
	defer s.Close()
	for i, set := range c.Sets {
		out := make([]tensor.Value, len(c.Model.Graph.Outputs))
		if err := s.Run(ctx, set.Inputs, out); err != nil {
			return fmt.Errorf("data set %d: %w", i, err)
		}
		for k, want := range set.Outputs {
			if err := Compare(out[k], want, 1e-3, 1e-7); err != nil {
				return fmt.Errorf("data set %d: output %q: %w", i, c.Model.Graph.Outputs[k].Name, err)
			}
		}
	}
	return nil
}
