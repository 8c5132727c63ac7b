package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/release"
)

// artifacts keeps the files of releases: each content once in blobs, named by
// its SHA-256, and a copy below releases/<digest>, which replicas read.
type artifacts struct {
	state string
	// seen is how each working copy looked when its content was last found
	// right. Only one goroutine checks; see drift.
	seen map[string]look
}

// look is what tells without reading that a file was not touched.
type look struct {
	info fs.FileInfo
	read time.Time // when the content was compared
}

// same tells whether a file looks as it did.
func (l look) same(info fs.FileInfo) bool {
	return l.info != nil && os.SameFile(l.info, info) && l.info.Size() == info.Size() && l.info.ModTime().Equal(info.ModTime())
}

// thoroughly is how often a file is read though it seems untouched.
const thoroughly = 10 * time.Minute

func newArtifacts(state string) *artifacts {
	return &artifacts{state: state, seen: make(map[string]look)}
}

func (a *artifacts) blob(sum string) string { return filepath.Join(a.state, "blobs", sum) }

// folder is where a release's files are for its replicas.
func (a *artifacts) folder(digest string) string { return filepath.Join(a.state, "releases", digest) }

func (a *artifacts) copyOf(digest string, f release.File) string {
	return filepath.Join(a.folder(digest), filepath.FromSlash(f.Path))
}

// install copies a release's files from where they were found. What is there
// already stays, if it is what it should be.
func (a *artifacts) install(ctx context.Context, r *release.Release) error {
	digest := r.Digest()
	for _, f := range r.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if got, err := contentOf(a.blob(f.SHA256)); err != nil || got != f.SHA256 {
			if err := copyVerified(f.Source, a.blob(f.SHA256), f.SHA256); err != nil {
				return greenlight.Errorf(greenlight.CodeUnavailable, "keeping %s: %w", f.Source, err)
			}
		}
		info, err := os.Stat(a.copyOf(digest, f))
		if err == nil && info.Size() == f.Size {
			continue // its content is compared when drift is looked for
		}
		if err := a.putBack(digest, f); err != nil {
			return err
		}
	}
	return nil
}

// putBack writes a release's working copy from its blob.
func (a *artifacts) putBack(digest string, f release.File) error {
	if err := copyVerified(a.blob(f.SHA256), a.copyOf(digest, f), f.SHA256); err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "release %s: writing %s: %w", release.Short(digest), f.Path, err)
	}
	return nil
}

// errContent is a copy whose source does not have the content that it should.
var errContent = errors.New("the content is another than it was")

// copyVerified copies a file whose content has the given SHA-256, readable
// only; to has it as a whole or is left as it was.
func copyVerified(from, to, sum string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".copy-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), in)
	if got := hex.EncodeToString(h.Sum(nil)); err == nil && got != sum {
		err = fmt.Errorf("%w: SHA-256 %s, want %s", errContent, release.Short(got), release.Short(sum))
	}
	err = errors.Join(err, out.Chmod(0o444), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	return err
}

// tampered is a working copy that is not as its release says.
type tampered struct {
	Digest string
	File   release.File
	Got    string // SHA-256, or why there is none: "missing"
}

// line is the difference in a line.
func (t tampered) line() string {
	is := t.Got
	if len(is) == len(t.File.SHA256) {
		is = "another: SHA-256 " + release.Short(is)
	}
	return fmt.Sprintf("%s of release %s is %s, want SHA-256 %s", t.File.Path, release.Short(t.Digest), is, release.Short(t.File.SHA256))
}

// check compares a release's working copies with their digests. Copies that
// look untouched are read only now and then.
func (a *artifacts) check(ctx context.Context, digest string, r *release.Release, now time.Time) []tampered {
	var found []tampered
	for _, f := range r.Files {
		if ctx.Err() != nil {
			return nil
		}
		if got, ok := a.checkFile(a.copyOf(digest, f), f.SHA256, now); !ok {
			found = append(found, tampered{digest, f, got})
		}
	}
	return found
}

func (a *artifacts) checkFile(path, sum string, now time.Time) (got string, ok bool) {
	info, err := os.Lstat(path)
	if err != nil {
		delete(a.seen, path)
		return "missing", false
	}
	if !info.Mode().IsRegular() {
		delete(a.seen, path)
		return "no regular file", false
	}
	if before := a.seen[path]; before.same(info) && now.Sub(before.read) < thoroughly {
		return sum, true
	}
	if got, err = contentOf(path); err != nil {
		return err.Error(), false
	}
	if got != sum {
		delete(a.seen, path)
		return got, false
	}
	a.seen[path] = look{info, now}
	return got, true
}

func contentOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// collect removes the releases and blobs that are not among those to keep.
func (a *artifacts) collect(keep map[string]*release.Release) error {
	blobs := make(map[string]bool)
	releases := make(map[string]bool)
	for digest, r := range keep {
		releases[digest] = true
		for _, f := range r.Files {
			blobs[f.SHA256] = true
		}
	}
	return errors.Join(removeOthers(filepath.Join(a.state, "releases"), releases), removeOthers(filepath.Join(a.state, "blobs"), blobs))
}

func removeOthers(folder string, keep map[string]bool) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(folder, e.Name())))
		}
	}
	return err
}
