package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
)

const (
	startTimeout = 15 * time.Second
	askTimeout   = 2 * time.Second
	askPause     = 2 * time.Millisecond
)

// inherited are the variables that a gateway takes over: what finds programs,
// folders, proxies and certificates, what tunes the Go runtime, and no secret.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR",
	"GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG", "GOTRACEBACK", "GOCOVERDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}

func environment() []string {
	var list []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			list = append(list, name+"="+value)
		}
	}
	return list
}

// revive puts a gateway in the place of one that died.
func (k *Keeper) revive(ctx context.Context) {
	k.acting.Lock()
	defer k.acting.Unlock()
	if ctx.Err() != nil {
		return
	}
	began := time.Now()
	err := k.obtain(ctx)
	if err == nil {
		k.options.Log.Info("the gateway is back", "pid", k.Status().PID, "after", time.Since(began).Round(time.Millisecond))
	} else if ctx.Err() == nil {
		k.fail(err)
	}
}

// obtain takes on the gateway that answers, or starts one. It is called with
// acting held.
func (k *Keeper) obtain(ctx context.Context) error {
	p, s, err := k.answering(ctx)
	if err != nil {
		return err
	}
	if p != nil {
		k.take(p, s)
		return nil
	}
	return k.start(ctx)
}

// start starts a gateway and waits until it serves. When ctx ends first, it is
// left to itself: whoever keeps it next finds it.
func (k *Keeper) start(ctx context.Context) error {
	err := k.startOn(ctx, k.listenAddress())
	if err == nil || ctx.Err() != nil {
		return err
	}
	// One that was just being started when its control plane was killed.
	if p, s, err := k.answering(ctx); err == nil && p != nil {
		k.take(p, s)
		return nil
	}
	if _, broken := gateway.LoadConfig(k.file(configName)); broken != nil {
		k.options.Log.Error("the gateway's configuration cannot be read and is set aside; it is made anew", "error", broken)
		if err := os.Rename(k.file(configName), k.file(configName+".broken")); err != nil {
			return err
		}
		return k.startOn(ctx, k.listenAddress())
	}
	if in := inUse(k.listenAddress()); in != nil && k.anyPort() {
		k.options.Log.Warn("the port that the gateway had is taken; it gets another", "address", k.listenAddress())
		return k.startOn(ctx, k.options.Listen)
	}
	return err
}

func (k *Keeper) startOn(ctx context.Context, listen string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p, from, err := k.spawn(listen)
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "the gateway cannot be started: %w", err)
	}
	s, err := k.awaitServing(ctx, p)
	if err == nil {
		k.take(p, s)
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	how := end(p)
	if !errors.Is(err, errEnded) {
		how = err.Error()
	}
	return k.explain(listen, how, lastLines(k.file(logName), from))
}

// spawn executes the program, detached from this process.
func (k *Keeper) spawn(listen string) (p *process, logFrom int64, err error) {
	output, logFrom, err := openLog(k.file(logName))
	if err != nil {
		return nil, 0, err
	}
	defer output.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, 0, err
	}
	defer null.Close()
	child, err := os.StartProcess(k.options.Program, k.commandLine(listen), &os.ProcAttr{
		Dir: k.options.State, Env: environment(), Files: []*os.File{null, output, output}, Sys: ownSession(),
	})
	if err != nil {
		return nil, 0, err
	}
	p, err = openProcess(child.Pid)
	return p, logFrom, errors.Join(err, child.Release())
}

func (k *Keeper) commandLine(listen string) []string {
	args := []string{k.options.Program, "gateway", "--config", k.file(configName), "--process-file", k.file(processName),
		"--listen", listen, controlFlag, k.control}
	if k.options.Public {
		args = append(args, "--public")
	}
	return args
}

// awaitServing waits until p is the one who answers on the control socket and
// is on file.
func (k *Keeper) awaitServing(ctx context.Context, p *process) (*gateway.Status, error) {
	late, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("it does not answer within %v", startTimeout))
	defer cancel()
	for {
		if s, err := k.ask(late); err == nil && s.PID == p.pid && s.Successor == 0 && k.onFile(p) {
			return s, nil
		}
		if p.ended() {
			return nil, errEnded
		}
		if !sleep(late, askPause) {
			return nil, context.Cause(late)
		}
	}
}

// onFile tells whether the process file names p: its address is known then
// even when nobody has kept it.
func (k *Keeper) onFile(p *process) bool {
	r, err := gateway.ReadProcess(k.file(processName))
	return err == nil && r.PID == p.pid
}

func (k *Keeper) ask(ctx context.Context) (*gateway.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return k.client.Status(ctx)
}

// end kills a process and says how it ended.
func end(p *process) string {
	p.signal(syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	if p.awaitEnd(ctx) != nil {
		return "it does not end even when killed"
	}
	return p.reap()
}

// explain makes the error of a start that failed.
func (k *Keeper) explain(listen, how, said string) error {
	const unavailable = greenlight.CodeUnavailable
	switch err := inUse(listen); {
	case errors.Is(err, syscall.EADDRINUSE):
		return greenlight.Errorf(unavailable, "the gateway cannot listen on %s: another program does; end that one, or choose another address with --gateway HOST:PORT", listen)
	case errors.Is(err, syscall.EACCES):
		return greenlight.Errorf(unavailable, "the gateway may not listen on %s: ports below 1024 want more rights; choose another address with --gateway HOST:PORT", listen)
	case err != nil:
		return greenlight.Errorf(unavailable, "the gateway cannot listen on %s: %w; choose another address with --gateway HOST:PORT", listen, err)
	case said == "":
		return greenlight.Errorf(unavailable, "the gateway does not start: %s; its log is %s", how, k.file(logName))
	}
	return greenlight.Errorf(unavailable, "the gateway does not start: %s; it said: %s", how, said)
}

// inUse gives why nobody can listen on an address now, nil when one can.
func inUse(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return ln.Close()
}

// listenAddress is the one to start on: with port 0 it is that which was in
// use last, so that who knows it finds the gateway there.
func (k *Keeper) listenAddress() string {
	if !k.anyPort() {
		return k.options.Listen
	}
	last := k.Status().Address
	if last == "" { // of a gateway that was killed while nobody kept it
		last = k.addressOnFile()
	}
	_, port, err := net.SplitHostPort(last)
	if err != nil {
		return k.options.Listen
	}
	return net.JoinHostPort(k.host(), port)
}

// addressOnFile is where the gateway that the process file names listens, or
// did; "" without one.
func (k *Keeper) addressOnFile() string {
	r, err := gateway.ReadProcess(k.file(processName))
	if err != nil {
		return ""
	}
	return k.address(&gateway.Status{Listeners: r.Listeners})
}

func (k *Keeper) host() string {
	host, _, _ := net.SplitHostPort(k.options.Listen) // checked by New
	return host
}

func (k *Keeper) anyPort() bool {
	_, port, _ := net.SplitHostPort(k.options.Listen) // checked by New
	return port == "0"
}
