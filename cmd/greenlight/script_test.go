package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"greenlight": main, "greenlight-then": then})
}

// TestScripts runs testdata/script/*.txt, the promises of the command line.
// Beside testscript's own commands they have:
//
//	exits CODE COMMAND [ARGUMENT...]  runs a command that ends with this exit code
//	await FILE PATTERN                waits until FILE holds PATTERN
//	terminate                         sends SIGTERM to the program last started in the background
//	killed PID-FILE                   sends SIGKILL to the process whose id FILE holds
//	deserted                          waits until no process of the script is left
//	asked STATE SERVICE DAYS RATE     has a store hold what a service was asked for so long
//	foretold PLAN RATE SHARE          holds the demand of a plan, where there is one, against what asked would write
//	exec greenlight-then …            is greenlight $DAYS_AGO
//
// What a script leaves running is killed when it ends.
//
// $EXAMPLES is the repository's folder of examples; each script finds small
// models in the folder models.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"await":     await,
			"terminate": terminate,
			"killed":    killed,
			"deserted":  deserted,
			"asked":     asked,
			"foretold":  foretold,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Defer(func() { killAll(env.WorkDir) })
			return writeModels(filepath.Join(env.WorkDir, "models"))
		},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%v ended with exit code %d, want %d", args[1:], got, want)
	}
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await FILE PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	var data []byte
	for start := time.Now(); time.Since(start) < 60*time.Second; time.Sleep(5 * time.Millisecond) {
		if data, err = os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(data) {
			return
		}
	}
	ts.Fatalf("%s does not come to hold %s:\n%s", args[0], args[1], data)
}

// terminate signals the command that was started last: TERM, or HUP as a
// terminal does that is closed.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	signal := syscall.SIGTERM
	if slices.Equal(args, []string{"HUP"}) {
		signal = syscall.SIGHUP
	}
	started := ts.BackgroundCmds()
	ts.Check(started[len(started)-1].Process.Signal(signal))
}

// writeModels makes a folder for each model: NAME/model.onnx.
func writeModels(dir string) error {
	for name, file := range map[string][]byte{
		"sum":     sumModel(onnxtest.Meta("greenlight.features", `["a","b"]`)),
		"vectors": sumModel(),
		"bad-op": onnxtest.File(17,
			onnxtest.Input("x", tensor.Float32, -1, 2),
			onnxtest.Node("Frobnicate", "x", "y", nil), onnxtest.Named("frob_1"),
			onnxtest.Output("y", tensor.Float32, -1, 2)),
		"scalar": onnxtest.File(17,
			onnxtest.Input("x", tensor.Float32),
			onnxtest.Node("Neg", "x", "y", nil),
			onnxtest.Output("y", tensor.Float32)),
		"garbage": []byte("this is no model"),
	} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name, "model.onnx"), file, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// sumModel computes a + 10·b for rows of two numbers.
func sumModel(parts ...onnxtest.Part) []byte {
	return onnxtest.File(17, append(parts,
		onnxtest.Input("x", tensor.Float32, -1, 2),
		onnxtest.Init("w", tensor.From([]float32{1, 10}, 2, 1)),
		onnxtest.Node("MatMul", "x w", "y", nil),
		onnxtest.Output("y", tensor.Float32, -1, 1))...)
}
