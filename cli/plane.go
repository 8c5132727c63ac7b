package cli

import (
	"context"
	"log/slog"
)

// PlaneOptions say how a control plane is to run.
type PlaneOptions struct {
	State   string // absolute path of the state folder; it is made when it is not there
	Control string // address of API and console, "" only the socket in the state folder
	Gateway string // address of the gateway
	// PublicControl and PublicGateway let other machines connect.
	PublicControl, PublicGateway bool
	// Idle is a control plane that takes over what runs and changes nothing
	// until it is told to: for greenlight down.
	Idle bool
	// Program is the command that children are started with: this program,
	// before "gateway" and "serve".
	Program []string
	Version string
	Log     *slog.Logger // for what has no place among the events
}

// Plane is a control plane in this process. The state folder's socket answers
// once it was made.
type Plane interface {
	// Run keeps things as they should be until ctx ends, which leaves replicas
	// and gateway running, or until it was told to stop everything.
	Run(ctx context.Context) error
	Close() error
}
