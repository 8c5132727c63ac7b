package process

import (
	"bytes"
	"io"
	"os"
	"syscall"

	greenlight "github.com/greenlight-dev/greenlight"
)

// maxSecret is what Linux takes as one variable (MAX_ARG_STRLEN), less the name.
const maxSecret = 100 << 10 // bytes

// secret reads a secret's value, without a line end. It goes from here into the
// new process's environment and nowhere else.
func (b *Backend) secret(name string, ref greenlight.SecretRef) (string, error) {
	if ref.Env != "" {
		value, ok := b.options.LookupEnv(ref.Env)
		if !ok {
			return "", greenlight.Errorf(greenlight.CodeInvalid,
				"secret %s: the variable %s is not set where greenlight runs", name, ref.Env)
		}
		return value, nil
	}
	value, err := secretFile(ref.File)
	if err != nil {
		return "", greenlight.Errorf(greenlight.CodeInvalid, "secret %s: %w", name, err)
	}
	return value, nil
}

func secretFile(path string) (string, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold us
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return "", greenlight.Errorf(greenlight.CodeInvalid,
			"%s is %s; make it a file that only its owner can read (chmod 600)", path, info.Mode())
	}
	value, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return "", err
	}
	value = bytes.TrimRight(value, "\r\n")
	if len(value) > maxSecret || bytes.IndexByte(value, 0) >= 0 {
		return "", greenlight.Errorf(greenlight.CodeInvalid,
			"%s holds more than %d bytes or a zero byte, which no variable can", path, maxSecret)
	}
	return string(value), nil
}
