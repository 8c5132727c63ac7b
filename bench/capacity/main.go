// Command capacity holds capacity plans against measurements. It makes a plan
// of each of three small services from what 1 to 4 replicas carry, and then
// measures 8.
//
//	capacity validate [-rounds 3] [-each 3s] [-only cpu|proxy|lock] GREENLIGHT
//	capacity serve cpu|proxy|lock     a replica, on $PORT
//	capacity stage                    what all replicas of proxy and lock share, on a free port
//
// GREENLIGHT is the built program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench/capacity:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && args[0] == "validate":
		return validate(ctx, args[1:])
	case len(args) == 2 && args[0] == "serve":
		return serveReplica(ctx, args[1])
	case len(args) == 1 && args[0] == "stage":
		return serveStage(ctx)
	}
	return errors.New("want validate, serve or stage")
}
