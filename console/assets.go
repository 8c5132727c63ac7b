package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed static templates
var files embed.FS

// assets serves the static files below a path that names their content, so
// that a browser may keep them for good and an upgrade never mixes old with
// new. Modules import each other by relative paths and stay together.
type assets struct {
	prefix string // "/assets/4b7d9aa01c5e/"
	etag   string
	static http.Handler
}

func newAssets() *assets {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the folder is embedded under this name
	}
	digest := contentDigest(static)
	prefix := "/assets/" + digest + "/"
	return &assets{prefix: prefix, etag: `"` + digest + `"`, static: http.StripPrefix(prefix, http.FileServerFS(static))}
}

// contentDigest is 12 hex digits over the names and contents of all files.
func contentDigest(fsys fs.FS) string {
	h := sha256.New()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		h.Write([]byte(name + "\x00"))
		h.Write(data)
		return err
	})
	if err != nil {
		panic(err) // embedded files can be read
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

func (a *assets) path(name string) string { return a.prefix + name }

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("ETag", a.etag)
	a.static.ServeHTTP(w, r)
}
