package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
)

const (
	controlFlag  = "--control"
	listenFlag   = "--listen"
	publicFlag   = "--public"
	killPatience = 5 * time.Second
	// leavePatience is how long a gateway that is to be replaced may take to
	// leave its address; it finishes its requests after that.
	leavePatience = 3 * time.Second
)

// Check tells why no gateway could listen where it is to, before anything is
// done: nil when one of ours does already, or nobody.
func (k *Keeper) Check() error {
	if k.anyPort() {
		return nil
	}
	_, port, _ := net.SplitHostPort(k.options.Listen)
	if k.named() != nil {
		if _, has, _ := net.SplitHostPort(k.addressOnFile()); has == port {
			return nil
		}
	}
	if inUse(k.options.Listen) == nil {
		return nil
	}
	return k.explain(k.options.Listen, "", "")
}

// begin finds or starts the gateway.
func (k *Keeper) begin(ctx context.Context) error {
	k.acting.Lock()
	defer k.acting.Unlock()
	p, s, err := k.answering(ctx)
	if err != nil {
		return err
	}
	if p == nil {
		k.endSilent(ctx)
		return k.obtain(ctx)
	}
	if why := k.unfit(p, s); why != "" {
		k.options.Log.Info("the gateway is started anew: "+why, "pid", p.pid)
		k.replaced(why)
		k.retire(ctx, p)
		return k.start(ctx)
	}
	k.take(p, s)
	k.options.Log.Info("gateway adopted", "pid", p.pid, "address", k.address(s))
	if s.Version != k.options.Version {
		return k.renew(ctx, p, s)
	}
	return nil
}

// answering is who answers on the control socket, nil for nobody. During an
// upgrade it is the successor.
func (k *Keeper) answering(ctx context.Context) (*process, *gateway.Status, error) {
	for range int(askTimeout / askPause) {
		s, err := k.ask(ctx)
		if err != nil {
			return nil, nil, nil
		}
		if s.Successor == 0 {
			p, err := openProcess(s.PID)
			if err == nil && k.ours(p) {
				return p, s, nil
			}
			if err == nil && !p.ended() {
				return nil, nil, greenlight.Errorf(greenlight.CodeUnavailable,
					"process %d answers at %s, but is not the gateway of this state folder; end it", s.PID, k.socket)
			}
		}
		if !sleep(ctx, askPause) {
			break
		}
	}
	return nil, nil, nil
}

// ours tells whether a process is a gateway of this state folder.
func (k *Keeper) ours(p *process) bool {
	args := p.args()
	control, _ := flagValue(args, controlFlag)
	return len(args) > 1 && args[1] == "gateway" && control == k.control
}

// flagValue finds a flag in a command line, "" for one without a value.
func flagValue(args []string, flag string) (value string, ok bool) {
	for i, a := range args {
		if v, found := strings.CutPrefix(a, flag+"="); found {
			return v, true
		}
		if a == flag {
			if i+1 < len(args) {
				value = args[i+1]
			}
			return value, true
		}
	}
	return "", false
}

// unfit says why the gateway that runs is not the one that is wanted, "" when
// it is.
func (k *Keeper) unfit(p *process, s *gateway.Status) string {
	args := p.args()
	_, public := flagValue(args, publicFlag)
	asked, _ := flagValue(args, listenFlag)
	host, _, _ := net.SplitHostPort(asked)
	want := k.options.Listen
	switch {
	case public != k.options.Public && public:
		return "it was public and is not to be"
	case public != k.options.Public:
		return "it was not public and is to be"
	case want == asked, want == k.address(s), k.anyPort() && host == k.host():
		return ""
	}
	return fmt.Sprintf("it listens on %s and is to on %s", k.address(s), want)
}

// renew brings a gateway of another version to ours: by handing over where it
// was started from the same program, by replacing it otherwise.
func (k *Keeper) renew(ctx context.Context, p *process, s *gateway.Status) error {
	k.options.Log.Info("the gateway is of another version", "has", s.Version, "want", k.options.Version)
	if args := p.args(); len(args) > 0 && args[0] == k.options.Program {
		err := k.handOver(ctx)
		if err == nil {
			k.bury(ctx, p)
		}
		if err != nil && ctx.Err() == nil {
			k.options.Log.Error("the gateway could not be upgraded and goes on as it is", "error", err)
			k.mu.Lock()
			k.status.Note = "it could not be upgraded: " + err.Error()
			k.mu.Unlock()
		}
		return nil
	}
	k.replaced(fmt.Sprintf("it was of version %s", s.Version))
	k.retire(ctx, p)
	return k.start(ctx)
}

// endSilent ends the gateway that the process file names when it lives but does
// not answer: it would keep the address.
func (k *Keeper) endSilent(ctx context.Context) {
	p := k.named()
	if p == nil {
		return
	}
	k.options.Log.Warn("the gateway does not answer and is started anew", "pid", p.pid)
	k.replaced("it did not answer")
	k.retire(ctx, p)
}

// named is the gateway that the process file names, nil when it is gone. One
// that only finishes its requests is named no more.
func (k *Keeper) named() *process {
	r, err := gateway.ReadProcess(k.file(processName))
	if err != nil {
		return nil
	}
	p, err := openProcess(r.PID)
	if err != nil || !k.ours(p) {
		return nil
	}
	return p
}

// silent is the gateway that the process file names when it does not answer.
func (k *Keeper) silent(ctx context.Context) *process {
	p := k.named()
	if p == nil || k.Answers(ctx) {
		return nil
	}
	return p
}

// retire makes a gateway leave its addresses and finish what is under way, and
// returns when another can take its place. It removes its process file and
// then its socket before it closes the others; one that was started before
// both are gone could lose its own.
func (k *Keeper) retire(ctx context.Context, p *process) {
	p.signal(syscall.SIGTERM)
	late, cancel := context.WithTimeout(ctx, leavePatience)
	defer cancel()
	for !p.ended() && (exists(k.file(processName)) || exists(k.socket)) {
		if sleep(late, askPause) {
			continue
		}
		if ctx.Err() == nil {
			k.options.Log.Warn("the gateway does not leave and is killed", "pid", p.pid)
			end(p)
		}
		return
	}
	k.bury(ctx, p)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// stopPatience bounds Stop where its context does not: a gateway gives its
// requests 30 s.
const stopPatience = 35 * time.Second

// Stop ends Run and every gateway process of the state folder: they finish
// their requests until ctx ends, and are killed then. The configuration that
// they kept goes too: what it names is nobody's any more, so the next gateway
// must not send requests there.
func (k *Keeper) Stop(ctx context.Context) error {
	k.mu.Lock()
	k.stopped = true
	if k.quit != nil {
		k.quit()
	}
	k.mu.Unlock()
	k.acting.Lock()
	defer k.acting.Unlock()
	late, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	list := k.census()
	if p := k.silent(ctx); p != nil {
		k.options.Log.Warn("the gateway does not answer and is killed", "pid", p.pid)
		p.signal(syscall.SIGKILL)
	}
	for _, p := range list {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range list {
		if p.awaitEnd(late) != nil {
			k.options.Log.Warn("the gateway has not finished in time and is killed", "pid", p.pid)
		}
	}
	for _, p := range append(list, k.census()...) { // a successor that one has started meanwhile
		end(p)
	}
	return k.clear()
}

// census finds the gateways of this state folder, those among them that only
// finish their requests.
func (k *Keeper) census() []*process {
	var list []*process
	for _, pid := range processes() {
		if p, err := openProcess(pid); err == nil && k.ours(p) {
			list = append(list, p)
		}
	}
	return list
}

// clear forgets the gateway once no process is left.
func (k *Keeper) clear() error {
	if left := k.census(); len(left) > 0 {
		return greenlight.Errorf(greenlight.CodeUnavailable, "the gateway, process %d, does not end even when killed", left[0].pid)
	}
	k.mu.Lock()
	k.process, k.status = nil, Status{}
	k.mu.Unlock()
	var errs []error
	for _, path := range []string{k.file(processName), k.file(configName), k.socket} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
