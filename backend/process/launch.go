package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// launchVariable carries the launch's name in the environment of a replica and
// of all that it starts.
const launchVariable = "GREENLIGHT_LAUNCH"

// inherited are the variables that a replica takes over from the control plane:
// what finds programs, homes and the language, and nothing that configures.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"}

// launch starts the process of a replica and records it, before and after: a
// control plane that is killed in between finds the process by its launch.
func (b *Backend) launch(ctx context.Context, r *replica, spec greenlight.ReplicaSpec) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	secrets, err := b.secrets(spec)
	if err != nil {
		return fmt.Errorf("replica %s: %w", spec.ID, err)
	}
	output, from, err := b.outputFor(spec).open()
	if err != nil {
		return greenlight.Errorf(greenlight.CodeInternal, "replica %s: its log: %w", spec.ID, err)
	}
	defer output.Close()
	if err := makeVolumes(spec); err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "replica %s: %w", spec.ID, err)
	}
	port, err := b.ports.take()
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "replica %s: %w", spec.ID, err)
	}
	group, err := b.limit(spec)
	if err == nil {
		err = r.update(func(rec *record) bool { rec.begin(spec, newLaunch(b.instance), port, from, group); return true })
	}
	if err == nil {
		err = b.spawn(r, secrets, output, group)
	}
	if err != nil {
		group.remove()
		b.ports.release(port)
	}
	return err
}

// begin makes the record that of a new start.
func (rec *record) begin(spec greenlight.ReplicaSpec, launch string, port int, logFrom int64, group cgroup) {
	if rec.Launch != "" {
		rec.Restarts++
	}
	rec.Spec, rec.Launch, rec.Leader, rec.Port = spec, launch, leader{}, port
	rec.Cgroups, rec.LogFrom = group.folders, logFrom
	rec.ReadyAt, rec.NotBefore = time.Time{}, time.Time{}
	rec.enter(greenlight.ReplicaStarting, "")
	rec.Started = rec.Since
}

// spawn executes a launch that is on record, and records its process.
func (b *Backend) spawn(r *replica, secrets map[string]string, output *os.File, group cgroup) error {
	rec := r.get()
	pid, err := execute(rec.Spec, rec.Port, b.environment(rec, secrets), output, group)
	if err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "replica %s: %w", r.id, err)
	}
	who, err := identify(pid)
	if err == nil {
		err = r.update(func(rec *record) bool { rec.Leader = who; return true })
	}
	if err != nil {
		killChild(pid)
		b.killMembers(rec)
		return greenlight.Errorf(greenlight.CodeInternal, "replica %s: %w", r.id, err)
	}
	return nil
}

// execute starts the program and gives its pid. It is watched and reaped by
// that, as one that was adopted.
func execute(spec greenlight.ReplicaSpec, port int, environment map[string]string, output *os.File, group cgroup) (int, error) {
	program, err := lookPath(spec.Command[0], spec.Dir, environment["PATH"])
	if err != nil {
		return 0, err
	}
	if err := folder(spec.Dir); err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	attributes := &os.ProcAttr{
		Dir:   spec.Dir,
		Env:   variables(environment),
		Files: []*os.File{null, output, output},
		Sys:   ownSession(),
	}
	return group.start(attributes.Sys, func() (int, error) {
		process, err := os.StartProcess(program, arguments(spec.Command, port), attributes)
		if err != nil {
			return 0, err
		}
		defer process.Release()
		return process.Pid, nil
	})
}

func (b *Backend) secrets(spec greenlight.ReplicaSpec) (map[string]string, error) {
	values := make(map[string]string, len(spec.Secrets))
	for name, ref := range spec.Secrets {
		value, err := b.secret(name, ref)
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	return values, nil
}

// makeVolumes makes the folders for data. A process sees the machine's own
// paths, so a volume is where it says, relative to the working folder.
func makeVolumes(spec greenlight.ReplicaSpec) error {
	for name, path := range spec.Volumes {
		if !filepath.IsAbs(path) {
			path = filepath.Join(spec.Dir, path)
		}
		if err := os.MkdirAll(path, 0o700); err != nil {
			return fmt.Errorf("volume %s: %w", name, err)
		}
	}
	return nil
}

// environment is what a replica sees: the inherited variables, the spec's, the
// secrets, and last what Greenlight says itself.
func (b *Backend) environment(rec record, secrets map[string]string) map[string]string {
	environment := make(map[string]string)
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			environment[name] = value
		}
	}
	for _, more := range []map[string]string{rec.Spec.Env, secrets, {
		"PORT":                   strconv.Itoa(rec.Port),
		"GREENLIGHT_ENVIRONMENT": rec.Spec.Environment,
		"GREENLIGHT_SERVICE":     rec.Spec.Service,
		"GREENLIGHT_RELEASE":     rec.Spec.Release,
		"GREENLIGHT_REPLICA":     rec.Spec.ID,
		launchVariable:           rec.Launch,
	}} {
		for name, value := range more {
			environment[name] = value
		}
	}
	return environment
}

// variables is an environment for exec, the launch first: it is looked for at
// the beginning.
func variables(environment map[string]string) []string {
	list := make([]string, 0, len(environment))
	for name, value := range environment {
		if name != launchVariable {
			list = append(list, name+"="+value)
		}
	}
	slices.Sort(list)
	return append([]string{launchVariable + "=" + environment[launchVariable]}, list...)
}

// arguments puts the port for $PORT and ${PORT}, not for $PORTAL.
func arguments(command []string, port int) []string {
	number := strconv.Itoa(port)
	list := make([]string, len(command))
	for i, argument := range command {
		list[i] = putPort(strings.ReplaceAll(argument, "${PORT}", number), number)
	}
	return list
}

func putPort(s, number string) string {
	const name = "$PORT"
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, name)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if after != "" && wordByte(after[0]) {
			b.WriteString(name)
		} else {
			b.WriteString(number)
		}
		s = after
	}
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// lookPath finds a program as the replica itself would: on its own PATH, and a
// relative one from its own folder.
func lookPath(program, dir, path string) (string, error) {
	if strings.ContainsRune(program, filepath.Separator) {
		found := program
		if !filepath.IsAbs(program) {
			found = filepath.Join(dir, program)
		}
		if err := executable(found); err != nil {
			return "", err
		}
		return filepath.Abs(found)
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue // "." would run whatever lies in the folder
		}
		if found := filepath.Join(folder, program); executable(found) == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("the program %q is not in PATH=%s", program, path)
}

// folder checks a working folder: exec's own error would name the program.
func folder(path string) error {
	info, err := os.Stat(cmp.Or(path, "."))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", path)
	}
	if err != nil {
		return fmt.Errorf("the working folder: %w", err)
	}
	return nil
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the program %s does not exist", path)
	case err != nil:
		return err
	case info.IsDir() || info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is no program: it is %s", path, info.Mode())
	}
	return nil
}
