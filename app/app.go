// Package app wires Greenlight together. It is the only package that imports
// adapters; what it builds, commands use through ports.
package app

import (
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/native"
)

// Engines are the inference engines of this build, the preferred one first.
func Engines() []engine.Engine {
	return append([]engine.Engine{native.New(native.Options{})}, optionalEngines()...)
}
