package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// MaxConfigBytes bounds a configuration.
const MaxConfigBytes = 16 << 20

// ParseConfig reads a configuration and validates it. Unknown fields are
// errors.
func ParseConfig(data []byte) (*Config, error) {
	if len(data) > MaxConfigBytes {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "configuration: %d bytes, at most %d are read", len(data), MaxConfigBytes)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var c Config
	if err := d.Decode(&c); err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, fmt.Errorf("configuration: %w", decodeError(err, d.InputOffset(), data)))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "configuration: more than one JSON value, at byte %d", d.InputOffset())
	}
	return &c, c.Validate()
}

// decodeError says where in data the decoder stopped.
func decodeError(err error, offset int64, data []byte) error {
	var mistyped *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &mistyped):
		return fmt.Errorf("line %d: %s: want %s, got %s", lineAt(data, mistyped.Offset), mistyped.Field, mistyped.Type, mistyped.Value)
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", lineAt(data, syntax.Offset), err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("it ends too early")
	}
	reason := strings.TrimPrefix(err.Error(), "json: ")
	if name, unknown := strings.CutPrefix(reason, "unknown field "); unknown {
		if at := bytes.Index(data, []byte(name)); at >= 0 {
			offset = int64(at)
		}
	}
	return fmt.Errorf("near line %d: %s", lineAt(data, offset), reason)
}

func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(max(0, offset), int64(len(data)))], []byte("\n"))
}

// LoadConfig reads the configuration kept in file. One that does not exist
// gives nil.
func LoadConfig(file string) (*Config, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxConfigBytes+1))
	if err != nil {
		return nil, err
	}
	c, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// writeFileSync replaces file by data so that, whenever the machine stops, it
// holds the old content or the new one.
func writeFileSync(file string, data []byte) (err error) {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in dir durable. Its own failure is not an error: the
// file is in place, and some file systems refuse to sync a folder.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	_ = d.Sync()
	return d.Close()
}
