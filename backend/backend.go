// Package backend is the port to what runs replicas: processes on this
// machine, an orchestrator, a cloud. A backend does single steps and tells what
// it sees; what to do next is decided elsewhere. In particular it does not
// start again by itself what has ended.
//
// Package backendtest checks that an adapter keeps this contract.
package backend

import (
	"context"
	"io"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Backend runs replicas. All methods may be called at any time and from many
// goroutines; calls for one replica take turns. None retries: the caller
// observes, compares and calls again.
//
// What a backend started outlives it. A backend that is opened again finds its
// replicas as they are.
type Backend interface {
	// Name is the adapter's name: "process", "mem".
	Name() string

	// Observe lists the replicas of an environment, or of all environments when
	// it is "": those that start, run and stop, and those that ended by
	// themselves or failed to start. The last stay in the list until they are
	// stopped or started again. The order is by environment, service and id.
	Observe(ctx context.Context, environment string) ([]greenlight.Replica, error)

	// Start runs a replica and returns once it is ready. It is idempotent: for
	// a replica that runs with an equal spec (see Same) it returns that one,
	// after waiting when it is still starting. One that runs with another spec
	// is an error with CodeInvalid; stop it first. One that ended is started
	// again, with one more in Restarts; before its NotBefore that is an error
	// with CodeUnavailable.
	//
	// A replica that ends or is not ready within its StartGrace gives a
	// *StartError; nothing of it runs on, and Observe shows it as failed. When
	// ctx ends or Stop is called first, all is as it was before the call. A
	// spec that cannot run here, or one that is wrong, is refused (CodeInvalid,
	// CodeUnsupported) and leaves nothing.
	Start(ctx context.Context, spec greenlight.ReplicaSpec) (greenlight.Replica, error)

	// Stop asks a replica to end, waits for its StopGrace, kills what is left
	// of it and forgets it. It is idempotent: an id that nobody knows is
	// stopped. A start that is under way is given up first. When ctx ends
	// before the replica, the replica stays stopping and Stop is to be called
	// again.
	Stop(ctx context.Context, environment, id string) error

	// Logs reads what a replica wrote to stdout and stderr, oldest first, as
	// bytes. A replica that was stopped can be read as long as the backend
	// keeps its output; one that never was gives CodeNotFound. ctx ends a read
	// that waits; the caller closes the reader.
	Logs(ctx context.Context, environment, id string, o LogOptions) (io.ReadCloser, error)

	// Run watches and probes the replicas until ctx ends, then returns nil. It
	// calls changed once for each replica that there is, and then after every
	// change of a replica's state, whoever caused it, one call at a time;
	// changed must return soon and may call Observe, but not Start, Stop or
	// Run. Without Run the other methods work, but the
	// probes of running replicas rest and nothing is told. One Run at a time.
	Run(ctx context.Context, changed func(Change)) error
}

// Change is a replica that came into another state.
type Change struct {
	Replica greenlight.Replica // as it is now
	Gone    bool               // stopped and forgotten; Replica is as it was last
}

// LogOptions say what of a replica's output to read; the zero value is all
// there is up to now.
type LogOptions struct {
	Tail   int  // begin with at most so many last lines; 0 is from the beginning
	Follow bool // at the end, wait for more until ctx ends or the reader is closed
}
