package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
)

// stateName is the state folder's name beside the description.
const stateName = ".greenlight"

// connectOptions are the flags that say which control plane a command means.
type connectOptions struct {
	control, state, tokenFile string
}

const connectHelp = `
The control plane is the one of this folder or the nearest above it that has a
state folder (.greenlight); --state names one, --control an address.
`

func (o *connectOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.control, "control", "", "address of the control plane: HOST:PORT, https://… or unix:///path")
	f.StringVar(&o.state, "state", "", "state folder of the control plane (default: the nearest .greenlight)")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the token for --control (or the variable GREENLIGHT_TOKEN)")
}

// connect makes a client of the control plane that the flags mean, or else of
// the one of the folder dir: "" is this folder or one above it.
func (o *connectOptions) connect(dir string) (*client.Client, error) {
	if o.control != "" && o.state != "" {
		return nil, &usageError{errors.New("--control and --state name two control planes; give one of them")}
	}
	if o.control != "" {
		token, err := readToken(o.tokenFile)
		if err != nil {
			return nil, err
		}
		c, err := client.New(o.control, token)
		if err != nil {
			return nil, &usageError{err}
		}
		return c, nil
	}
	state, err := o.stateFolder(dir)
	if err != nil {
		return nil, err
	}
	return connectState(state, dir)
}

// stateFolder finds the state folder that is meant; it exists.
func (o *connectOptions) stateFolder(dir string) (string, error) {
	if o.state != "" {
		state, err := filepath.Abs(o.state)
		if err != nil {
			return "", err
		}
		if !isFolder(state) {
			return "", greenlight.Errorf(greenlight.CodeNotFound, "--state: there is no folder %s", o.state)
		}
		return state, nil
	}
	if dir != "" {
		return stateOf(dir)
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := here; ; at = filepath.Dir(at) {
		if state := filepath.Join(at, stateName); isFolder(state) {
			return state, nil
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return "", greenlight.Errorf(greenlight.CodeNotFound, "no control plane is running for %s: neither it nor a folder above it has a %s; "+
		"start it with greenlight up, or name it with --state or --control", here, stateName)
}

// stateOf is the state folder beside a description or in its folder.
func stateOf(arg string) (string, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return "", greenlight.Errorf(greenlight.CodeNotFound, "no file or folder %s", arg)
	}
	folder := arg
	if !info.IsDir() {
		folder = filepath.Dir(arg)
	}
	state, err := filepath.Abs(filepath.Join(folder, stateName))
	if err != nil {
		return "", err
	}
	if !isFolder(state) {
		return "", notRunning(arg)
	}
	return state, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// notRunning says that nobody answers for a folder; what "" names is this one.
func notRunning(dir string) error {
	argument := ""
	if dir != "" && dir != "." {
		argument = " " + shellWord(dir)
	}
	return greenlight.Errorf(greenlight.CodeUnavailable, "no control plane is running for %s; start it with greenlight up%s",
		describeFolder(dir), argument)
}

func describeFolder(dir string) string {
	if dir == "" || dir == "." {
		return "this folder"
	}
	return dir
}

// shellWord quotes s only where a shell would take it apart.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:@%+=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return shellQuote(s)
}

// connectState makes a client of the control plane whose state is kept in a
// folder; dir is how the user called it.
func connectState(state, dir string) (*client.Client, error) {
	c, err := client.Discover(state)
	if errors.Is(err, client.ErrNotRunning) {
		if dir == "" {
			dir = shortPath(filepath.Dir(state))
		}
		return nil, notRunning(dir)
	}
	return c, err
}

// shortPath is path as it is typed from here where that is shorter.
func shortPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

// parentOf is the folder that a state folder belongs to.
func parentOf(state string) string {
	if filepath.Base(state) != stateName {
		return state
	}
	return filepath.Dir(state)
}
