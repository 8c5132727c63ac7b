package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/greenlight-dev/greenlight/tensor"
)

// externalData reads tensors that are kept in other files. It keeps the last
// file open, since models put nearly all their tensors in one.
type externalData struct {
	fsys fs.FS
	name string
	file fs.File
}

func (e *externalData) close() {
	if e.file != nil {
		e.file.Close()
		e.file = nil
	}
}

// open gives the file at a location as written in the model, and its size.
func (e *externalData) open(location string) (io.ReaderAt, int64, error) {
	name, err := localName(location)
	if err != nil {
		return nil, 0, err
	}
	if e.fsys == nil {
		return nil, 0, fmt.Errorf("its data is in the file %q, but the model was read without its folder", location)
	}
	if e.file == nil || e.name != name {
		e.close()
		f, err := e.fsys.Open(name)
		if err != nil {
			return nil, 0, fmt.Errorf("external data: %w", err)
		}
		e.file, e.name = f, name
	}
	info, err := e.file.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("external data: %w", err)
	}
	r, ok := e.file.(io.ReaderAt)
	if !ok || !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("external data: %q is not a regular file", location)
	}
	return r, info.Size(), nil
}

// localName checks that a location stays inside the model's folder.
func localName(location string) (string, error) {
	name := path.Clean(location)
	switch {
	case location == "":
		return "", errors.New("external data: no location is given")
	case path.IsAbs(location) || strings.HasPrefix(location, `\`) || len(location) > 1 && location[1] == ':':
		return "", fmt.Errorf("external data: %q is not a path relative to the model's folder", location)
	case !fs.ValidPath(name) || strings.Contains(location, ".."+`\`):
		return "", fmt.Errorf("external data: %q leaves the model's folder", location)
	}
	return name, nil
}

// externalTensor reads raw data at an offset of another file.
func (d *decoder) externalTensor(p *tensorProto, l layout) (*tensor.Tensor, error) {
	if p.field != 0 {
		return nil, fmt.Errorf("its data is given twice, in %s and in another file", dataFieldNames[p.field])
	}
	if p.dtype == tensor.String {
		return nil, errors.New("strings cannot be kept in another file")
	}
	file, size, err := d.external.open(p.external["location"])
	if err != nil {
		return nil, err
	}
	offset, err := p.externalRange(rawBytes(p.elements, l), size)
	if err != nil {
		return nil, fmt.Errorf("external data %q: %w", p.external["location"], err)
	}
	t, err := d.newTensor(p)
	if err != nil {
		return nil, err
	}
	packed := t.Bytes()[len(t.Bytes())-rawBytes(p.elements, l):]
	if _, err := io.ReadFull(io.NewSectionReader(file, offset, int64(len(packed))), packed); err != nil {
		return nil, fmt.Errorf("external data %q: %w", p.external["location"], err)
	}
	settleRaw(t, l, packed)
	return t, nil
}

// externalRange checks offset and length against the bytes wanted and the
// size of the file.
func (p *tensorProto) externalRange(want int, size int64) (offset int64, err error) {
	offset, err = externalNumber(p.external, "offset", 0)
	if err != nil {
		return 0, err
	}
	length, err := externalNumber(p.external, "length", int64(want))
	switch {
	case err != nil:
		return 0, err
	case length != int64(want):
		return 0, fmt.Errorf("%s needs %d bytes, its length is %d", p, want, length)
	case offset > size || length > size-offset:
		return 0, fmt.Errorf("%d bytes at offset %d pass the end of the file, which has %d bytes", length, offset, size)
	}
	return offset, nil
}

func externalNumber(entries map[string]string, key string, absent int64) (int64, error) {
	text, ok := entries[key]
	if !ok {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s %q is not a number of bytes", key, shorten(text))
	}
	return n, nil
}
