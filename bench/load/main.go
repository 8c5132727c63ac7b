// Command load measures Greenlight's load generator beside others.
//
//	load stall GREENLIGHT    a target that stands still 1 s in every 10: who sees it?
//	load pacing GREENLIGHT   what the generator adds at 2,000 requests a second
//	load speed GREENLIGHT    requests a second from one core, interleaved
//	load same GREENLIGHT     comparisons of a target with itself, and with one 5 % slower
//
// GREENLIGHT is the built program. Rivals are looked for in the PATH: wrk,
// wrk2, vegeta, hey, fortio, k6; one that is missing is named and left out.
// The target is of this program, on another core, and as cheap as can be.
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
		fmt.Fprintln(os.Stderr, "bench/load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: load stall|pacing|speed|same GREENLIGHT [OPTION...]")
	}
	commands := map[string]func(context.Context, string, []string) error{"stall": stall, "pacing": pacing, "speed": speed, "same": same}
	command := commands[args[0]]
	if command == nil {
		return fmt.Errorf("there is no command %q", args[0])
	}
	return command(ctx, args[1], args[2:])
}
