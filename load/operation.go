package load

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Operation is what a test repeats where that is no request: a script on a
// database, say.
type Operation struct {
	Name     string // in results, as what is asked and how
	Target   string // without secrets
	Protocol string
	// Connect opens a connection, which one client keeps. Clients call it at
	// the same time.
	Connect func(ctx context.Context) (Connection, error)
}

// Connection carries out one operation after the other.
type Connection interface {
	// Do carries out one. After an AnswerError the connection goes on; after
	// any other error it is closed.
	Do() error
	// Expire makes the operation that is under way fail. It is called from
	// another goroutine, also when none is.
	Expire()
	Close()
}

// AnswerError is an operation that was answered, but not with success.
type AnswerError struct{ Err error }

func (e *AnswerError) Error() string { return e.Err.Error() }
func (e *AnswerError) Unwrap() error { return e.Err }

// The status of an operation's outcome. Where there was no answer, it has none.
const (
	operationDone = grpcStatus + len(grpcCodes) + iota
	operationFailed
	endOfStatuses
)

// mix is the operation as that which every request of a run sends.
func (o *Operation) mix() *Mix {
	return &Mix{requests: []*compiled{{fixed: []byte{}}}, routes: []string{o.Name}}
}

// repeater carries out operations on a connection of its own, which it opens
// with the first one and again when it was closed.
type repeater struct {
	operation *Operation
	timeout   time.Duration
	conn      atomic.Pointer[Connection]
}

func (r *repeater) expire() {
	if c := r.conn.Load(); c != nil {
		(*c).Expire()
	}
}

func (r *repeater) close() {
	if c := r.conn.Swap(nil); c != nil {
		(*c).Close()
	}
}

func (r *repeater) do(*compiled, *values) answer {
	var a answer
	c, err := r.connection(&a)
	if err == nil {
		err = c.Do()
	}
	var answered *AnswerError
	switch {
	case err == nil:
		a.status = operationDone
		return a
	case errors.As(err, &answered):
		a.status, a.kind = operationFailed, KindStatus
	default:
		a.kind = kindOf(err)
		r.close()
	}
	a.said = err.Error()
	return a
}

func (r *repeater) connection(a *answer) (Connection, error) {
	if c := r.conn.Load(); c != nil {
		return *c, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	c, err := r.operation.Connect(ctx)
	if err != nil {
		return nil, &dialError{err}
	}
	a.connected = true
	r.conn.Store(&c)
	return c, nil
}
