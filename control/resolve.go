package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/release"
	"github.com/greenlight-dev/greenlight/spec"
	"github.com/greenlight-dev/greenlight/store"
)

// resolved is a description as the store keeps it: nothing in it depends on
// files or variables any more.
type resolved struct {
	System spec.System `json:"system"`
	Source string      `json:"source"`
	// Releases are the digests of the services' releases, by service.
	Releases map[string]string `json:"releases"`
}

// version is a resolved description with what belongs to it.
type version struct {
	resolved
	desired  store.DesiredState          // zero before it is applied
	releases map[string]*release.Release // by service
}

// service finds a service of the version.
func (v *version) service(name string) *spec.Service {
	for i := range v.System.Services {
		if v.System.Services[i].Name == name {
			return &v.System.Services[i]
		}
	}
	return nil
}

// resolve reads a description and makes the releases that it asks for. Nothing
// is written.
func (p *Plane) resolve(environment string, d Description) (*version, error) {
	if !filepath.IsAbs(d.Path) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the description's path %q must be absolute", d.Path)
	}
	file, err := spec.Parse(d.Path, []byte(d.Text))
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(d.Path)
	system, err := file.Resolve(environment, spec.ResolveOptions{Lookup: lookup(file, environment, d.Variables), FS: os.DirFS(folder)})
	if err != nil {
		return nil, err
	}
	if _, err := p.backendOf(system); err != nil {
		return nil, err
	}
	if err := checkExposure(system, p.options.PublicGateway); err != nil {
		return nil, err
	}
	v := &version{
		resolved: resolved{System: *system, Source: d.Path, Releases: make(map[string]string)},
		releases: make(map[string]*release.Release),
	}
	for i := range system.Services {
		s := &system.Services[i]
		r, err := release.New(s, os.DirFS("/"), folder, p.options.State)
		if err != nil {
			return nil, err
		}
		v.releases[s.Name], v.Releases[s.Name] = r, r.Digest()
	}
	return v, nil
}

// lookup gives the variables of whoever handed the description over, and the
// control plane's own only for what secrets name: those are read here.
func lookup(file *spec.File, environment string, given map[string]string) func(string) (string, bool) {
	secrets := make(map[string]bool)
	if system, err := file.Resolve(environment, spec.ResolveOptions{}); err == nil {
		for _, s := range system.Services {
			for _, secret := range s.Secrets {
				secrets[secret.Env] = true
			}
		}
	}
	return func(name string) (string, bool) {
		if value, ok := given[name]; ok || !secrets[name] {
			return value, ok
		}
		return os.LookupEnv(name)
	}
}

// backendOf is what runs a system's replicas.
func (p *Plane) backendOf(system *spec.System) (backend.Backend, error) {
	name := system.Environment.Backend
	if b := p.options.Backends[name]; b != nil {
		return b, nil
	}
	return nil, greenlight.Errorf(greenlight.CodeUnsupported,
		"environment %s wants the backend %s, which this Greenlight does not have yet; set backend: process to run it on this machine",
		system.Environment.Name, name)
}

// keep is the version as the store keeps it.
func (v *version) keep(revision int64) (store.DesiredState, error) {
	data, err := json.Marshal(v.resolved)
	if err != nil {
		return store.DesiredState{}, err
	}
	sum := sha256.Sum256(data)
	return store.DesiredState{Environment: v.System.Environment.Name, Revision: revision, Digest: hex.EncodeToString(sum[:]), Description: data}, nil
}

// load reads a version back from the store.
func (p *Plane) load(ctx context.Context, d store.DesiredState) (*version, error) {
	v := &version{desired: d, releases: make(map[string]*release.Release)}
	if err := json.Unmarshal(d.Description, &v.resolved); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInternal, "revision %d of environment %s cannot be read: %w", d.Revision, d.Environment, err)
	}
	for service, digest := range v.Releases {
		kept, err := p.options.Store.Release(ctx, digest)
		if err != nil {
			return nil, fmt.Errorf("environment %s: %w", d.Environment, err)
		}
		if v.releases[service], err = release.Read(kept.Configuration, digest); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// saveReleases keeps the releases of a version, and their files.
func (p *Plane) saveReleases(ctx context.Context, v *version, actor string) error {
	for name, r := range v.releases {
		if err := p.artifacts.install(ctx, r); err != nil {
			return err
		}
		digest := v.Releases[name]
		_, err := p.options.Store.SaveRelease(ctx, store.Release{Digest: digest, Service: name, Configuration: r.Configuration()},
			greenlight.Event{Actor: actor, Kind: "release.created", Environment: v.System.Environment.Name, Service: name,
				Subject: release.Short(digest), Message: fmt.Sprintf("release %s of %s", release.Short(digest), name)})
		if err != nil {
			return err
		}
	}
	return nil
}
