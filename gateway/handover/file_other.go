//go:build !unix

package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// File duplicates a listener's socket.
func File(ln net.Listener) (*os.File, error) {
	filer, ok := ln.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.New("a " + fmt.Sprintf("%T", ln) + " cannot be handed over")
	}
	return filer.File()
}
