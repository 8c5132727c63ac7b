package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/greenlight-dev/greenlight/cli"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/native"
)

// BenchmarkPredict measures `predict` on the penguins, reading and writing
// included.
func BenchmarkPredict(b *testing.B) {
	const rows = 20000
	csv := bytes.NewBufferString("id,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,island,sex\n")
	jsonl := new(bytes.Buffer)
	for i := range rows {
		length, depth := 32+float64(i%270)/10, 13+float64(i%81)/10
		flipper, mass := 172+i%60, 2700+25*(i%144)
		fmt.Fprintf(csv, "%d,%.1f,%.1f,%d,%d,Dream,female\n", i, length, depth, flipper, mass)
		fmt.Fprintf(jsonl, `{"bill_length_mm":%.1f,"bill_depth_mm":%.1f,"flipper_length_mm":%d,"body_mass_g":%d,"island":"Dream","sex":"female"}`+"\n",
			length, depth, flipper, mass)
	}
	for name, input := range map[string][]byte{"rows.csv": csv.Bytes(), "rows.jsonl": jsonl.Bytes()} {
		file := filepath.Join(b.TempDir(), name)
		if err := os.WriteFile(file, input, 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Ext(name)[1:], func(b *testing.B) {
			b.ReportAllocs()
			env := cli.Env{Stdin: bytes.NewReader(nil), Stdout: io.Discard, Stderr: os.Stderr, Engines: engines}
			for b.Loop() {
				if code := cli.Run(context.Background(), []string{"predict", "../examples/penguins", file}, env); code != cli.ExitOK {
					b.Fatal("exit code", code)
				}
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func engines() []engine.Engine { return []engine.Engine{native.New(native.Options{})} }
