package enginetest

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing/fstest"
)

// casesRoot is where the ONNX project keeps its node cases, in its
// repository, its source archives and the wheels that still hold them.
const casesRoot = "onnx/backend/test/data/node"

// OpenCases opens the backend cases in a folder, a .tar.gz or a wheel (.whl,
// .zip). It gives the file system and the folder in it that CaseNames wants.
func OpenCases(name string) (fs.FS, string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", err
	}
	var fsys fs.FS
	switch {
	case info.IsDir():
		fsys = os.DirFS(name)
	case strings.HasSuffix(name, ".whl"), strings.HasSuffix(name, ".zip"):
		fsys, err = zip.OpenReader(name)
	default:
		fsys, err = readTarGz(name)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	for _, root := range []string{casesRoot, "."} {
		if names, err := CaseNames(fsys, root); err == nil && len(names) > 0 {
			return fsys, root, nil
		}
	}
	return nil, "", fmt.Errorf("%s holds no cases: want %s/*/model.onnx", name, casesRoot)
}

// maxUnpacked bounds what an archive unpacks to.
const maxUnpacked = 1 << 30

// readTarGz unpacks the cases of an archive into memory.
func readTarGz(name string) (fs.FS, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	files := make(fstest.MapFS)
	archive := tar.NewReader(io.LimitReader(unzipped, maxUnpacked))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		at := strings.Index(h.Name, casesRoot)
		if h.Typeflag != tar.TypeReg || at < 0 {
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		files[path.Clean(h.Name[at:])] = &fstest.MapFile{Data: data}
	}
}
