package load_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

// turns does its operations in turns: right, wrong, broken.
type turns struct{ done, open, expired *atomic.Int64 }

func (c turns) Do() error {
	time.Sleep(time.Millisecond)
	switch c.done.Add(1) % 3 {
	case 1:
		return nil
	case 2:
		return &load.AnswerError{Err: errors.New("wrong")}
	}
	return io.ErrUnexpectedEOF
}

func (c turns) Expire() { c.expired.Add(1) }
func (c turns) Close()  { c.open.Add(-1) }

func TestOperation(t *testing.T) {
	c := turns{new(atomic.Int64), new(atomic.Int64), new(atomic.Int64)}
	operation := &load.Operation{Name: "turn", Target: "a wheel", Protocol: "hand", Connect: func(context.Context) (load.Connection, error) {
		c.open.Add(1)
		return c, nil
	}}
	r, err := load.Run(t.Context(), load.Options{Operation: operation, Clients: 1, Duration: 100 * time.Millisecond, Timeout: time.Minute, KeepGoing: true})
	if err != nil {
		t.Fatal(err)
	}
	n := c.done.Load()
	right, wrong, broken := (n+2)/3, (n+1)/3, n/3
	if n < 3 || r.Requests != n || r.Errors != wrong+broken || r.Statuses["DONE"] != right || r.Statuses["FAILED"] != wrong ||
		r.ErrorKinds[load.KindStatus] != wrong || r.ErrorKinds[load.KindClosed] != broken {
		t.Errorf("%d turns: %+v", n, r)
	}
	// One that breaks is opened again, one that answers wrongly is not.
	if r.Connections < broken || r.Connections > broken+1 || c.open.Load() != 0 {
		t.Errorf("%d connections for %d that broke; %d are left", r.Connections, broken, c.open.Load())
	}
	if r.Failure != "wrong" || r.Target != "a wheel" || r.Protocol != "hand" || len(r.Routes) == 0 || r.Routes[0].Name != "turn" {
		t.Errorf("%q of %s by %s: %+v", r.Failure, r.Target, r.Protocol, r.Routes)
	}
}

func TestOperationThatDoesNotBegin(t *testing.T) {
	o := load.Options{Clients: 1, Duration: time.Second, Timeout: time.Second}
	if _, err := load.Run(t.Context(), o); greenlight.CodeOf(err) != greenlight.CodeInvalid {
		t.Errorf("nothing to do: %v", err)
	}
	o.Operation = &load.Operation{Name: "turn", Target: "a wheel", Connect: func(context.Context) (load.Connection, error) {
		return nil, errors.New("it is stuck")
	}}
	if _, err := load.Run(t.Context(), o); greenlight.CodeOf(err) != greenlight.CodeUnavailable || err.Error() != "a wheel does not answer: connecting: it is stuck" {
		t.Errorf("no connection: %v", err)
	}
}
