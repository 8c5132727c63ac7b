package app

import (
	"errors"
	"fmt"
)

// cleanups undo what was acquired, the last first.
type cleanups []cleanup

type cleanup struct {
	what string
	undo func() error
}

func (c *cleanups) add(what string, undo func() error) { *c = append(*c, cleanup{what, undo}) }

// run undoes everything, once.
func (c *cleanups) run() error {
	var err error
	for i := len(*c) - 1; i >= 0; i-- {
		if failed := (*c)[i].undo(); failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", (*c)[i].what, failed))
		}
	}
	*c = nil
	return err
}
