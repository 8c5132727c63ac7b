package keeper

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	greenlight "github.com/greenlight-dev/greenlight"
)

// maxSocketPath is what sun_path holds on every Unix (104 bytes on BSD, with
// a zero).
const maxSocketPath = 103

// SocketPath gives where the unix socket called name of a state folder is, the
// same for all who ask: in the folder itself, or, when that path is too long
// for a socket, in a folder of the system's temporary one that belongs to this
// user alone. The state folder must exist.
func SocketPath(state, name string) (string, error) {
	folder, err := filepath.Abs(state)
	if err == nil {
		folder, err = filepath.EvalSymlinks(folder)
	}
	if errors.Is(err, os.ErrNotExist) {
		return "", greenlight.Errorf(greenlight.CodeNotFound, "there is no state folder %s", state)
	}
	if err != nil {
		return "", fmt.Errorf("state folder %s: %w", state, err)
	}
	if path := filepath.Join(folder, name); len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(folder))
	short := filepath.Join(os.TempDir(), "greenlight-"+hex.EncodeToString(sum[:8]))
	path := filepath.Join(short, name)
	if len(path) > maxSocketPath {
		return "", greenlight.Errorf(greenlight.CodeInvalid,
			"the path of socket %s has %d bytes and a socket's has at most %d; set TMPDIR to a shorter one", path, len(path), maxSocketPath)
	}
	return path, ownFolder(short)
}

// ownFolder makes a folder that nobody else can look into. Everybody may write
// beside it, so one that is there already is trusted only when it is ours.
func ownFolder(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("folder for sockets: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("folder for sockets: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !owned(info) {
		return greenlight.Errorf(greenlight.CodeUnavailable,
			"%s, where sockets should be, is not a folder of this user alone; remove it, or set TMPDIR to another folder", path)
	}
	return nil
}
