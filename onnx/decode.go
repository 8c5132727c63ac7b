package onnx

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// The versions that are read: IR 3 (2017) is the first that names opsets the
// way later ones do; the newest are those of onnx 1.23. What a newer version
// changes is not known, so it is refused rather than guessed.
const (
	MinIRVersion = 3
	MaxIRVersion = 14
	MinOpset     = 7
	MaxOpset     = 28
	MaxMLOpset   = 5
)

// MLDomain is the domain of the classical machine learning operators.
const MLDomain = "ai.onnx.ml"

// Open reads the model file name of fsys, or model.onnx inside it when name
// is a folder. Tensors kept in other files are looked up in the same folder.
//
// Names that leave the folder are refused here, symbolic links by fsys: use
// os.Root.FS on the model's folder, which follows none out of it.
func Open(fsys fs.FS, name string, limits Limits) (*Model, error) {
	limits = limits.withDefaults()
	info, err := fs.Stat(fsys, name)
	if err == nil && info.IsDir() {
		name = path.Join(name, "model.onnx")
	}
	data, err := readFile(fsys, name, limits.FileBytes)
	if err != nil {
		return nil, err
	}
	folder, err := fs.Sub(fsys, path.Dir(name))
	if err != nil {
		return nil, err
	}
	m, err := Decode(data, folder, limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.Path = name
	return m, nil
}

func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", name)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s: the file has %d bytes, more than the %d allowed", name, info.Size(), limit)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// Decode reads a model file's bytes. External is the folder that tensors kept
// in other files are read from; nil refuses such tensors. The model keeps no
// reference to data.
//
// The graph that comes back is checked: versions are supported, every value
// is defined once and before it is read, no node calls a local function (they
// are inlined), and every tensor has as many elements as its shape says.
func Decode(data []byte, external fs.FS, limits Limits) (*Model, error) {
	m, err := decode(data, external, limits.withDefaults())
	if err != nil {
		if what := looksLike(data); what != "" {
			return nil, fmt.Errorf("not an ONNX model: the file looks like %s", what)
		}
		return nil, err
	}
	digest := sha256.Sum256(data)
	m.SHA256, m.Size = hex.EncodeToString(digest[:]), int64(len(data))
	return m, nil
}

func decode(data []byte, external fs.FS, limits Limits) (*Model, error) {
	if len(data) == 0 {
		return nil, errors.New("the file is empty")
	}
	if int64(len(data)) > limits.FileBytes {
		return nil, fmt.Errorf("the model has %d bytes, more than the %d allowed", len(data), limits.FileBytes)
	}
	d := newDecoder(limits)
	d.external.fsys = external
	defer d.external.close()
	m, err := d.model(data)
	if err != nil {
		return nil, err
	}
	if err := m.setOpsets(); err != nil {
		return nil, err
	}
	if err := m.inline(limits); err != nil {
		return nil, err
	}
	return m, m.check(limits)
}

// model reads a ModelProto. Field numbers here and below are those of
// onnx-ml.proto.
func (d *decoder) model(data []byte) (*Model, error) {
	m := &Model{Opsets: map[string]int{}, Metadata: map[string]string{}}
	var graph []byte
	var producer, version string
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			m.IRVersion = w.int("ir_version")
		case 2:
			producer = w.text("producer_name")
		case 3:
			version = w.text("producer_version")
		case 4:
			m.Domain = w.text("domain")
		case 5:
			m.Version = w.int("model_version")
		case 6:
			m.Doc = w.text("doc_string")
		case 7:
			graph = w.bytes("graph")
		case 8:
			w.message("opset_import", func(b []byte) error { return d.opset(b, m.Opsets) })
		case 14:
			w.message("metadata_props", func(b []byte) error { return d.property(b, m.Metadata) })
		case 25:
			w.message("functions", func(b []byte) error {
				f, err := d.function(b)
				m.Functions = append(m.Functions, f)
				return err
			})
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	m.Producer = strings.TrimSpace(producer + " " + version)
	if err := m.checkVersion(graph != nil); err != nil {
		return nil, err
	}
	d.ir = m.IRVersion
	var err error
	m.Graph, err = d.graph(graph, 1)
	return m, err
}

func (m *Model) checkVersion(hasGraph bool) error {
	switch {
	case !hasGraph && m.IRVersion == 0:
		return errors.New("neither a graph nor an IR version: not an ONNX model")
	case m.IRVersion < MinIRVersion || m.IRVersion > MaxIRVersion:
		return fmt.Errorf("IR version %d is not supported, only %d to %d are: convert the model or export it again",
			m.IRVersion, MinIRVersion, MaxIRVersion)
	case !hasGraph:
		return errors.New("the model has no graph")
	}
	return checkOpsets(m.Opsets)
}

// canonicalDomain folds the two spellings of the default domain.
func canonicalDomain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// opset reads an OperatorSetIdProto into the versions by domain.
func (d *decoder) opset(data []byte, into map[string]int) error {
	domain, version := "", int64(0)
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			domain = canonicalDomain(w.name("opset_import.domain"))
		case 2:
			version = w.int("opset_import.version")
		}
	}
	if w.err != nil {
		return w.err
	}
	if version < 1 || version > 1<<30 {
		return fmt.Errorf("opset_import: domain %q has version %d", domain, version)
	}
	if old, ok := into[domain]; ok && old != int(version) {
		return fmt.Errorf("opset_import: domain %q is imported at versions %d and %d", domain, old, version)
	}
	into[domain] = int(version)
	return nil
}

func checkOpsets(opsets map[string]int) error {
	if v, ok := opsets[""]; ok && (v < MinOpset || v > MaxOpset) {
		return fmt.Errorf("opset %d of ai.onnx is not supported, only %d to %d are: convert the model or export it again",
			v, MinOpset, MaxOpset)
	}
	if v := opsets[MLDomain]; v > MaxMLOpset {
		return fmt.Errorf("opset %d of %s is not supported, only 1 to %d are: convert the model or export it again",
			v, MLDomain, MaxMLOpset)
	}
	return nil
}

// property reads a StringStringEntryProto into a map.
func (d *decoder) property(data []byte, into map[string]string) error {
	var key, value string
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			key = w.name("key")
		case 2:
			value = w.text("value")
		}
	}
	into[key] = value
	return w.err
}

// function reads a FunctionProto.
func (d *decoder) function(data []byte) (*Function, error) {
	f := &Function{Opsets: map[string]int{}}
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			f.Name = w.name("name")
		case 4:
			f.Inputs = append(f.Inputs, w.name("input"))
		case 5:
			f.Outputs = append(f.Outputs, w.name("output"))
		case 6:
			f.AttributeNames = append(f.AttributeNames, w.name("attribute"))
		case 7:
			w.message("node", func(b []byte) error { return d.node(b, &f.Nodes, 1) })
		case 9:
			w.message("opset_import", func(b []byte) error { return d.opset(b, f.Opsets) })
		case 10:
			f.Domain = canonicalDomain(w.name("domain"))
		case 11:
			w.message("attribute_proto", func(b []byte) error {
				a, err := d.attribute(b, 1)
				f.AttributeDefaults = append(f.AttributeDefaults, a)
				return err
			})
		case 13:
			f.Overload = w.name("overload")
		}
	}
	err := cmp.Or(w.err, checkOpsets(f.Opsets))
	if err == nil && len(f.AttributeNames)+len(f.AttributeDefaults) > d.limits.Attributes {
		err = fmt.Errorf("it has more than %d attributes", d.limits.Attributes)
	}
	if err != nil {
		return nil, fmt.Errorf("function %q: %w", cmp.Or(f.Name, peek(data, 1)), err)
	}
	return f, nil
}
