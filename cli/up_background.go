package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
)

// controlLog is what a control plane in the background writes, in the state
// folder.
const controlLog = "control.log"

// inBackground starts the control plane as a process of its own and applies
// the description to it.
func (u *up) inBackground(ctx context.Context) error {
	if err := makeState(u.state); err != nil {
		return err
	}
	child, err := u.startDetached()
	if err != nil {
		return err
	}
	c, err := awaitPlane(ctx, u.state, child.ended)
	if errors.Is(err, errPlaneEnded) {
		// Someone else may have started one at the same moment.
		if other, discoverErr := client.Discover(u.state); discoverErr == nil {
			return u.handOver(ctx, other)
		}
		return child.failure()
	}
	if err != nil {
		child.stop()
		return err
	}
	err = u.apply(ctx, c)
	var refused *applyError
	switch {
	case errors.As(err, &refused):
		child.stop() // it has nothing to do
		return err
	case err != nil && endsSoon(child.ended):
		return child.failure()
	case err != nil:
		return fmt.Errorf("%w\nit is tried again and again; greenlight status%s shows how it goes, greenlight down%s stops it",
			err, u.argument(), u.argument())
	}
	return nil
}

// detached is a control plane in a process of its own.
type detached struct {
	process *os.Process
	log     string
	from    int64 // where in the log it began
	ended   context.Context
}

// startDetached starts greenlight control in a session of its own, so that no
// terminal takes it along.
func (u *up) startDetached() (*detached, error) {
	program, err := lastingProgram(u.state)
	if err != nil {
		return nil, err
	}
	d := &detached{log: filepath.Join(u.state, controlLog)}
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	defer log.Close()
	if d.from, err = log.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	o := &u.options
	command := exec.Command(program, "control", "--state", u.state, "--gateway", o.gateway, "--control", o.control,
		"--public="+strconv.FormatBool(o.publicGateway), "--public-control="+strconv.FormatBool(o.publicControl))
	command.Stdout, command.Stderr = log, log
	detach(command)
	if err := command.Start(); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "cannot start the control plane: %w", err)
	}
	d.process = command.Process
	ended, end := context.WithCancel(context.Background())
	d.ended = ended
	go func() { // ends with the child or with this process
		defer end()
		_ = command.Wait() // why it ended stands in its log
	}()
	return d, nil
}

// stop ends the control plane and waits for it.
func (d *detached) stop() {
	_ = d.process.Signal(os.Interrupt)
	select {
	case <-d.ended.Done():
	case <-time.After(10 * time.Second):
		_ = d.process.Kill()
	}
}

// failure is the control plane's own account of why it ended.
func (d *detached) failure() error {
	lines := strings.Split(strings.TrimRight(readFrom(d.log, d.from), "\n"), "\n")
	last := lines[len(lines)-1]
	if said, ok := strings.CutPrefix(last, "greenlight: "); ok {
		return greenlight.Errorf(greenlight.CodeUnavailable, "the control plane ended: %s", said)
	}
	return greenlight.Errorf(greenlight.CodeUnavailable, "the control plane ended; the last of %s:%s", shortPath(d.log), tailText(lines))
}

// readFrom reads at most 64 KiB of a file from an offset; what cannot be read
// is empty.
func readFrom(path string, offset int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		offset = max(offset, info.Size()-64<<10)
	}
	data, _ := io.ReadAll(io.NewSectionReader(f, offset, 64<<10))
	return string(data)
}
