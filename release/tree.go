package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Bounds of a program's folder.
const (
	MaxTreeFiles = 50_000
	// MaxTreeBytes are read for the digest; files beyond count by their size
	// and time of change.
	MaxTreeBytes = 256 << 20
)

// skipped folders hold what is made from the rest, or by programs as they run.
var skipped = []string{".git", ".greenlight", "node_modules", "venv", ".venv", "__pycache__"}

// treeDigest is the digest of the names, modes and contents of the files below
// an absolute folder. What is skipped by name, the folders in skip, and what is
// neither file, folder nor link is left out; links count by where they lead. A
// file that cannot be read counts as one beyond MaxTreeBytes does.
func treeDigest(fsys fs.FS, dir string, skip []string) (string, error) {
	t := &tree{fsys: fsys, root: strings.TrimPrefix(dir, "/"), skip: skip, sum: sha256.New(), left: MaxTreeBytes}
	if t.root == "" {
		t.root = "."
	}
	if err := fs.WalkDir(fsys, t.root, t.visit); err != nil {
		return "", err
	}
	return hex.EncodeToString(t.sum.Sum(nil)), nil
}

type tree struct {
	fsys  fs.FS
	root  string
	skip  []string
	sum   hash.Hash
	files int
	left  int64 // bytes that may still be read
}

func (t *tree) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if d.IsDir() {
		if name != t.root && (slices.Contains(skipped, d.Name()) || slices.Contains(t.skip, "/"+name)) {
			return fs.SkipDir
		}
		return nil
	}
	if t.files++; t.files > MaxTreeFiles {
		return greenlight.Errorf(greenlight.CodeInvalid,
			"folder /%s holds more than %d files; set dir to the folder of the program alone", t.root, MaxTreeFiles)
	}
	inside := strings.TrimPrefix(name, t.root+"/")
	switch {
	case d.Type()&fs.ModeSymlink != 0:
		target, err := fs.ReadLink(t.fsys, name)
		if err != nil {
			return err
		}
		t.add("link", inside, target)
	case d.Type().IsRegular():
		return t.file(name, inside, d)
	}
	return nil
}

// add takes an entry in. Quoting keeps names from running into each other.
func (t *tree) add(kind, name, content string) { fmt.Fprintf(t.sum, "%s %q %q\n", kind, name, content) }

func (t *tree) file(name, inside string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	mode := "file"
	if info.Mode()&0o111 != 0 {
		mode = "program"
	}
	if info.Size() <= t.left {
		if content, err := t.content(name, info.Size()); err == nil {
			t.left -= info.Size()
			t.add(mode, inside, content)
			return nil
		}
	}
	t.add(mode, inside, fmt.Sprintf("%d bytes of %d", info.Size(), info.ModTime().UnixNano()))
	return nil
}

// content is the digest of a file that is expected to have so many bytes.
func (t *tree) content(name string, size int64) (string, error) {
	f, err := t.fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, size)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
