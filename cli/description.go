package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/spec"
)

// description is a greenlight.yaml that is to be applied or compared.
type description struct {
	path        string // absolute
	file        *spec.File
	text        string
	environment string
	variables   map[string]string // that the text refers to and that are set
}

// openDescription reads the description that an argument means for one of its
// environments, "" for the only one or dev. Mistakes are printed, all at once.
func openDescription(stderr io.Writer, arg, environment string) (*description, error) {
	path, err := descriptionPath(arg)
	if err != nil {
		return nil, err
	}
	file, text, err := parseDescription(path)
	if err != nil {
		return nil, reportMistakes(stderr, path, err)
	}
	d := &description{file: file, text: text, variables: make(map[string]string)}
	if d.environment, err = file.Environment(environment); err != nil {
		return nil, err
	}
	d.path, err = filepath.Abs(path)
	return d, err
}

func parseDescription(path string) (*spec.File, string, error) {
	data, err := readDescriptionText(path)
	if err != nil {
		return nil, "", err
	}
	file, err := spec.Parse(path, data)
	return file, string(data), err
}

// reportMistakes prints the author's mistakes and gives the error that sums
// them up; other errors pass.
func reportMistakes(stderr io.Writer, path string, err error) error {
	var mistakes spec.Errors
	if !errors.As(err, &mistakes) {
		return err
	}
	fmt.Fprintln(stderr, mistakes)
	return greenlight.Errorf(greenlight.CodeInvalid, "%s has %s", path, mistakeCount(len(mistakes)))
}

// resolve checks the description against this machine and collects the
// variables that it takes from here. Secrets must be set here where
// secretsHere says so: that is where the control plane will run.
func (d *description) resolve(stderr io.Writer, secretsHere bool) (*spec.System, error) {
	lookup := func(name string) (string, bool) {
		if !d.refersTo(name) && !secretsHere {
			return "", true
		}
		value, ok := os.LookupEnv(name)
		if ok && d.refersTo(name) {
			d.variables[name] = value
		}
		return value, ok
	}
	system, err := d.file.Resolve(d.environment, spec.ResolveOptions{Lookup: lookup, FS: os.DirFS(filepath.Dir(d.path))})
	if err != nil {
		return nil, reportMistakes(stderr, d.file.Path(), err)
	}
	return system, nil
}

// refersTo tells whether ${NAME} stands in the text. Other names that are
// looked up are those of secrets, which stay here.
func (d *description) refersTo(name string) bool {
	return strings.Contains(d.text, "${"+name+"}") || strings.Contains(d.text, "${"+name+":-")
}

// sent is what the control plane gets.
func (d *description) sent() control.Description {
	return control.Description{Path: d.path, Text: d.text, Variables: d.variables}
}
