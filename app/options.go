package app

import "log/slog"

// Options shape a control plane on this machine.
type Options struct {
	State   string // absolute path of the state folder; it is made when it is not there
	Control string // address of API and console, "" only the socket in the state folder
	Gateway string // address of the gateway
	// PublicControl and PublicGateway let other machines connect.
	PublicControl, PublicGateway bool
	// Idle takes over what runs and changes nothing until it is told to.
	Idle bool
	// Program is the command that children are started with, before "gateway"
	// and "serve": this program.
	Program []string
	Version string
	Log     *slog.Logger // nil discards
}
