// Package greenlight holds what every other package of Greenlight speaks of:
// the vocabulary, and errors with a code that says whose turn it is.
package greenlight

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an error is, so that a protocol can choose
// a status and a program an exit code.
type Code string

// The codes. An error without one is CodeInternal.
const (
	CodeInvalid     Code = "invalid"     // what was given is wrong; giving it again will not help
	CodeNotFound    Code = "not_found"   // what was named does not exist
	CodeUnsupported Code = "unsupported" // well-formed, but Greenlight cannot do it
	CodeRefused     Code = "refused"     // a check failed on purpose: a proof, a gate
	CodeUnavailable Code = "unavailable" // not now; again later may help
	CodeInternal    Code = "internal"    // a fault of Greenlight itself
)

// Error is a failure with a code and a message for the person who caused it.
type Error struct {
	Code    Code
	Message string // complete sentence without a full stop; names file, line or field
	Err     error  // cause, for the log; may be nil
}

// Error gives the message, and the cause where the message does not say it.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	if e.Message == "" {
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error; %w keeps its cause for errors.Is and errors.As.
func Errorf(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Err: err}
}

// WithCode gives err a code; nil stays nil.
func WithCode(code Code, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Err: err}
}

// CodeOf is the code of the outermost Error in err's chain: CodeInternal when
// there is none, "" when err is nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
