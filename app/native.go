//go:build !onnxruntime

package app

import "github.com/greenlight-dev/greenlight/engine"

// optionalEngines are none: this build is static.
func optionalEngines() []engine.Engine { return nil }
