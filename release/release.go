// Package release makes releases: what a service is at one moment, its
// configuration and the content of its files, named by the digest of both. It
// is pure: the file system comes in as an fs.FS, and nothing is written.
package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/spec"
)

// Release is an immutable version of a service. Its JSON is what the digest is
// of; nothing that a replica depends on stands elsewhere.
type Release struct {
	Service   string                 `json:"service"`
	Run       []string               `json:"run,omitempty"`
	Image     string                 `json:"image,omitempty"`
	Models    []string               `json:"models,omitempty"` // NAME=PATH, below the release's folder
	Dir       string                 `json:"dir,omitempty"`    // absolute
	Env       map[string]string      `json:"env,omitempty"`
	Secrets   map[string]spec.Secret `json:"secrets,omitempty"` // files by absolute path
	Resources spec.Resources         `json:"resources,omitzero"`
	Ready     spec.Check             `json:"ready"`
	Live      spec.Check             `json:"live"`
	Start     spec.Start             `json:"start"`
	Stop      spec.Stop              `json:"stop"`
	Volumes   map[string]string      `json:"volumes,omitempty"` // absolute, or as the image sees it
	// Tree is the digest of the files below Dir; see treeDigest.
	Tree string `json:"tree,omitempty"`
	// Files are the models' files as they are below the release's folder.
	Files []File `json:"files,omitempty"`
}

// File is one file of a release.
type File struct {
	Path   string `json:"path"` // with slashes, below the release's folder
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`

	// Source is where it was found in the file system, rooted; "" in a release
	// that was read from a store.
	Source string `json:"-"`
}

// New makes the release of a service that a description in folder describes.
// fsys is the whole file system ("/"), as descriptions may name files outside
// their folder; folder is absolute, and skip are absolute folders that are no
// part of any program, as the state folder. Errors name the file and have
// greenlight.CodeInvalid or CodeNotFound.
func New(s *spec.Service, fsys fs.FS, folder string, skip ...string) (*Release, error) {
	r := &Release{
		Service: s.Name, Run: s.Run, Image: s.Image, Env: s.Env, Secrets: absoluteSecrets(s.Secrets, folder),
		Resources: s.Resources, Ready: s.Ready, Live: s.Live, Start: s.Start, Stop: s.Stop,
	}
	dir := absolute(folder, s.Dir)
	for name, v := range s.Volumes {
		if r.Volumes == nil {
			r.Volumes = make(map[string]string, len(s.Volumes))
		}
		if s.Kind() != "image" {
			v.Path = absolute(dir, v.Path)
			skip = append(skip, v.Path)
		}
		r.Volumes[name] = v.Path
	}
	var err error
	switch s.Kind() {
	case "model":
		r.Models, r.Files, err = models(s.Models, fsys, folder)
	case "run":
		r.Dir = dir
		r.Tree, err = treeDigest(fsys, dir, skip)
	}
	if err != nil {
		return nil, greenlight.Errorf(codeOf(err), "service %s: %w", s.Name, err)
	}
	return r, nil
}

// codeOf is the code of err; what a file system says about a file that a
// person named is about what they gave.
func codeOf(err error) greenlight.Code {
	if code := greenlight.CodeOf(err); code != greenlight.CodeInternal {
		return code
	}
	return greenlight.CodeInvalid
}

func absolute(folder, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(folder, name)
}

func absoluteSecrets(secrets map[string]spec.Secret, folder string) map[string]spec.Secret {
	out := maps.Clone(secrets)
	for name, s := range out {
		if s.File != "" {
			s.File = absolute(folder, s.File)
		}
		out[name] = s
	}
	return out
}

// Configuration is the release as JSON: equal releases give equal bytes.
func (r *Release) Configuration() []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // texts and numbers only: cannot fail
	}
	return data
}

// Digest names the release: the SHA-256 of its configuration in hex.
func (r *Release) Digest() string {
	sum := sha256.Sum256(r.Configuration())
	return hex.EncodeToString(sum[:])
}

// Short is a digest as people see it.
func Short(digest string) string { return digest[:min(len(digest), 12)] }

// Read gives a release back from its configuration, and refuses one that was
// changed.
func Read(configuration []byte, digest string) (*Release, error) {
	r := new(Release)
	d := json.NewDecoder(bytes.NewReader(configuration))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInternal, "release %s: %w", Short(digest), err)
	}
	if got := r.Digest(); got != digest {
		return nil, greenlight.Errorf(greenlight.CodeInternal, "release %s: its configuration has the digest %s", Short(digest), Short(got))
	}
	return r, nil
}

// Kind is how the service runs: "model", "run" or "image".
func (r *Release) Kind() string {
	switch {
	case len(r.Models) > 0:
		return "model"
	case len(r.Run) > 0:
		return "run"
	}
	return "image"
}

// Template is what a backend needs to run a replica of the release, but for
// the ID. program is Greenlight's own command line, before "serve"; folder is
// where the release's files are.
func (r *Release) Template(environment, folder string, program []string) greenlight.ReplicaSpec {
	t := greenlight.ReplicaSpec{
		Environment: environment, Service: r.Service, Release: r.Digest(),
		Command: r.Run, Image: r.Image, Dir: r.Dir, Env: r.Env, Secrets: secretRefs(r.Secrets),
		Resources: greenlight.Resources{MilliCPU: int64(r.Resources.CPU), MemoryBytes: int64(r.Resources.Memory)},
		Ready:     probe(r.Ready), Live: probe(r.Live),
		StartGrace: r.Start.Grace.Std(), StopGrace: max(r.Stop.Grace.Std(), time.Millisecond), Volumes: r.Volumes,
	}
	if r.Kind() == "model" {
		t.Command = serve(program, r.Models, folder, t.StopGrace)
		t.Dir = folder
		t.Env = withThreads(t.Env, t.Resources.MilliCPU)
	}
	return t
}

// withThreads lets a model server use as many threads as it has cores: more
// would wake each other up for nothing, and use up together what the kernel
// gives for a period. The runtime itself uses two at least.
func withThreads(env map[string]string, milliCPU int64) map[string]string {
	const name = "GOMAXPROCS"
	if _, given := env[name]; given || milliCPU <= 0 {
		return env
	}
	out := map[string]string{name: strconv.FormatInt((milliCPU+999)/1000, 10)}
	maps.Copy(out, env)
	return out
}

// serve is the command line that serves models. It finishes requests for as
// long as the replica has to stop, less what its end itself takes.
func serve(program, models []string, folder string, stop time.Duration) []string {
	grace := max(stop-stop/10, time.Millisecond)
	command := append(slices.Clone(program), "serve", "--addr", "127.0.0.1:$PORT", "--grace", grace.String())
	for _, m := range models {
		name, file, _ := strings.Cut(m, "=")
		command = append(command, name+"="+path.Join(folder, file))
	}
	return command
}

func secretRefs(secrets map[string]spec.Secret) map[string]greenlight.SecretRef {
	if len(secrets) == 0 {
		return nil
	}
	refs := make(map[string]greenlight.SecretRef, len(secrets))
	for name, s := range secrets {
		refs[name] = greenlight.SecretRef{Env: s.Env, File: s.File}
	}
	return refs
}

func probe(c spec.Check) greenlight.Probe {
	if c.Off {
		return greenlight.Probe{}
	}
	return greenlight.Probe{Path: c.Path, TCP: c.TCP, Interval: c.Interval.Std(), Timeout: c.Timeout.Std(),
		Failures: c.Failures, Successes: c.Successes}
}
