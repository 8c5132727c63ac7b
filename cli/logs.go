package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
)

type logsOptions struct {
	connectOptions
	follow, json bool
	tail         int
	replica      string
}

func newLogs(env Env) *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:   "logs [SERVICE]",
		Short: "Show what the replicas wrote",
		Long: `Show what the replicas of SERVICE wrote on standard output and standard error, or
those of all services. SERVICE is a name, or ENVIRONMENT/NAME where several
environments have it. Each line begins with its replica; --json prints one object
a line. -f goes on with new lines and new replicas.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight logs iris -f
  greenlight logs iris --replica iris-4b7d9aa-1 --tail 20
  greenlight logs --json | jq -r .text`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLogs(cmd.Context(), env, o, optionalArgument(args, ""))
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until Ctrl-C")
	f.IntVar(&o.tail, "tail", 100, "last lines of each replica to begin with; 0 is all")
	f.StringVar(&o.replica, "replica", "", "only this replica")
	f.BoolVar(&o.json, "json", false, "print one JSON object a line")
	completeServices(cmd, "")
	return cmd
}

func runLogs(ctx context.Context, env Env, o logsOptions, arg string) error {
	if o.tail < 0 {
		return &usageError{errors.New("--tail cannot be negative")}
	}
	if o.replica != "" && arg == "" {
		return &usageError{errors.New("--replica wants its SERVICE too")}
	}
	c, err := o.connect("")
	if err != nil {
		return err
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	names := servicesOf(s)
	if arg != "" {
		name, err := chooseService(s, arg)
		if err != nil {
			return err
		}
		names = []serviceName{name}
	}
	return readLogs(ctx, c, names, o, newLogPrinter(env.Stdout, o.json))
}

// readLogs prints one service after the other, or all at once when they are
// followed.
func readLogs(ctx context.Context, c *client.Client, names []serviceName, o logsOptions, p *logPrinter) error {
	q := control.LogQuery{Replica: o.replica, Tail: o.tail, Follow: o.follow}
	if !o.follow {
		for _, n := range names {
			if err := c.Logs(ctx, n.environment, n.service, q, p.print); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	for _, n := range names {
		wait.Go(func() {
			if err := c.Logs(ctx, n.environment, n.service, q, p.print); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// logPrinter prints lines of many replicas, each whole.
type logPrinter struct {
	mu       sync.Mutex
	w        io.Writer
	json     bool
	palette  palette
	terminal bool
	width    int // of the longest replica's name so far
}

func newLogPrinter(w io.Writer, asJSON bool) *logPrinter {
	return &logPrinter{w: w, json: asJSON, palette: paletteFor(w), terminal: isTerminal(w)}
}

func (p *logPrinter) print(line control.LogLine) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		return writeJSONLine(p.w, line)
	}
	text := line.Text
	if p.terminal {
		text = tame(text)
	}
	p.width = max(p.width, utf8.RuneCountInString(line.Replica))
	_, err := fmt.Fprintf(p.w, "%s %s\n", p.palette.paint(replicaColour(line.Replica), fmt.Sprintf("%-*s |", p.width, line.Replica)), text)
	return err
}

// replicaColour is the same for a replica each time.
func replicaColour(id string) colour {
	colours := []colour{cyan, green, magenta, yellow, blue}
	h := fnv.New32a()
	_, _ = io.WriteString(h, id)
	return colours[h.Sum32()%uint32(len(colours))]
}
