// Command gateway measures and shakes Greenlight's gateway.
//
//	gateway speed GREENLIGHT      against nginx, on one core each, interleaved
//	gateway upgrades GREENLIGHT   hands over again and again under load
//
// GREENLIGHT is the built program. The upstream and the clients are of this
// program, on another core, and as cheap as can be: what is measured is what
// stands between them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench/gateway:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 3 && args[0] == "plain" { // a rival, started by speed
		return plain(ctx, args[1], args[2])
	}
	if len(args) < 2 {
		return fmt.Errorf("usage: gateway speed|upgrades GREENLIGHT [OPTION...]")
	}
	dir, err := os.MkdirTemp("", "bench-gateway")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	switch args[0] {
	case "speed":
		return speed(ctx, dir, args[1], args[2:])
	case "upgrades":
		return upgrades(ctx, dir, args[1], args[2:])
	}
	return fmt.Errorf("there is no command %q", args[0])
}
