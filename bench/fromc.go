package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// callerFromC starts the programme of fromc/, which runs a model in ONNX
// Runtime without the adapter.
type callerFromC struct {
	program string // empty where there is no C compiler
	library string
	work    string // a folder for the rows
}

// wanted says whether a call of the model is so short that the adapter's part
// can be seen.
func (f callerFromC) wanted(c contest) bool {
	return f.program != "" && c.batch == 1 && c.rows.Rank() == 2
}

func (f callerFromC) start(c contest) (round side, stop func(), err error) {
	data := filepath.Join(f.work, "rows")
	if err := os.WriteFile(data, c.rows.Bytes(), 0o600); err != nil {
		return nil, nil, err
	}
	args := []string{f.library, c.model.Path, strconv.Itoa(c.rows.Dim(0)), strconv.Itoa(c.rows.Dim(1)), data, c.model.Graph.Inputs[0].Name}
	for _, o := range c.model.Graph.Outputs {
		columns := 0
		if len(o.Type.Dims) > 1 {
			columns = o.Type.Dims[1].Size
		}
		args = append(args, o.Name, strconv.Itoa(int(o.Type.Elem)), strconv.Itoa(columns))
	}
	cmd := exec.Command(f.program, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	answers := bufio.NewReader(out)
	round = func() (float64, error) {
		if _, err := fmt.Fprintln(in); err != nil {
			return 0, err
		}
		line, err := answers.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("ONNX Runtime called from C: %w", err)
		}
		return strconv.ParseFloat(strings.TrimSpace(line), 64)
	}
	stop = func() {
		in.Close()
		_ = cmd.Wait() // it ends with its input; what it printed was read
	}
	return round, stop, nil
}
