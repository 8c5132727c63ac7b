//go:build onnxruntime

package app

import (
	"fmt"
	"os"

	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/onnxruntime"
)

// optionalEngines adds ONNX Runtime to builds with the tag onnxruntime, for
// models with operators that the native engine lacks. It is a tag because
// opening a shared library makes the binary dynamically linked.
func optionalEngines() []engine.Engine {
	path := os.Getenv("GREENLIGHT_ONNXRUNTIME_LIB")
	if path == "" {
		return nil
	}
	e, err := onnxruntime.New(path, onnxruntime.Options{})
	if err != nil {
		fmt.Fprintf(os.Stderr, "greenlight: GREENLIGHT_ONNXRUNTIME_LIB: %v; going on without it\n", err)
		return nil
	}
	return []engine.Engine{e}
}
