package onnxruntime

import (
	"errors"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	greenlight "github.com/greenlight-dev/greenlight"
)

// status is what a function of the library failed with.
type status struct {
	code    uintptr // OrtErrorCode
	message string
}

func (s *status) Error() string { return "ONNX Runtime: " + s.message }

// takeStatus reads a status and releases it.
func (l *library) takeStatus(h handle) error {
	defer l.release(releaseStatus, h)
	code, _, _ := purego.SyscallN(l.functions[getErrorCode], h)
	text, _, _ := purego.SyscallN(l.functions[getErrorMessage], h)
	return &status{code: code & 0xffffffff, message: strings.TrimSpace(cString(text))}
}

// cString copies a NUL-terminated string of the library's memory.
func cString(address uintptr) string {
	if address == 0 {
		return ""
	}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&address))
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// The OrtErrorCodes that say more than that something failed.
const (
	errorNoSuchFile      = 3
	errorEngine          = 5
	errorInvalidProtobuf = 7
	errorNotImplemented  = 9
)

// loadCode says whose fault it is that a model was not loaded. Greenlight has
// read the graph before, so what the library calls an invalid one (an unknown
// operator, a newer version) it cannot serve.
func loadCode(err error) greenlight.Code {
	switch codeOf(err) {
	case errorNoSuchFile:
		return greenlight.CodeNotFound
	case errorInvalidProtobuf:
		return greenlight.CodeInvalid
	case errorEngine:
		return greenlight.CodeInternal
	}
	return greenlight.CodeUnsupported
}

// runCode is loadCode for a Run: a model that loaded fails on its inputs.
func runCode(err error) greenlight.Code {
	switch codeOf(err) {
	case errorNotImplemented:
		return greenlight.CodeUnsupported
	case errorEngine:
		return greenlight.CodeInternal
	}
	return greenlight.CodeInvalid
}

func codeOf(err error) uintptr {
	var s *status
	if errors.As(err, &s) {
		return s.code
	}
	return 0
}
