package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// exitPipe is what a shell shows for a program that SIGPIPE has ended.
const exitPipe = 128 + int(syscall.SIGPIPE)

// readers watches whether what is printed into a pipe is still read.
type readers struct {
	gone atomic.Bool
	stop context.CancelFunc
}

// watchReaders ends ctx when nobody reads the output any more, as head does
// after its lines. SIGPIPE would end the process at once, and leave running
// what a command has started.
func watchReaders(ctx context.Context, env *Env) (context.Context, *readers) {
	r := &readers{}
	ctx, r.stop = context.WithCancel(ctx)
	// The runtime ends a process of which nobody asked for the signal. Ignoring
	// it instead would be inherited by what is started.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	env.Stdout, env.Stderr = r.watch(env.Stdout), r.watch(env.Stderr)
	return ctx, r
}

func (r *readers) watch(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	if info, err := f.Stat(); err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return w
	}
	return &readByOthers{f, r}
}

// readByOthers is a pipe.
type readByOthers struct {
	w io.Writer
	r *readers
}

func (p *readByOthers) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		p.r.gone.Store(true)
		p.r.stop()
	}
	return n, err
}

// untilHangup ends ctx also when the terminal is closed, for what must not
// leave running what it has started. nohup is respected.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}
