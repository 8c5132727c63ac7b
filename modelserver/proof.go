package modelserver

import (
	"fmt"
	"io/fs"

	greenlight "github.com/greenlight-dev/greenlight"
)

// ProofFormat is the "format" of the proof files that this version reads.
const ProofFormat = "greenlight-proof/1"

// MaxProofBytes bounds a proof file.
const MaxProofBytes = 64 << 20

// Tolerance is how far a float may be from the proof's:
// |got−want| ≤ Absolute + Relative×|want|.
type Tolerance struct{ Absolute, Relative float64 }

// DefaultTolerance holds where a proof does not say: single precision over a
// few hundred additions.
var DefaultTolerance = Tolerance{Absolute: 1e-5, Relative: 1e-4}

// Proof is reference inputs with the outputs that the training framework
// itself gave.
type Proof struct {
	Framework   string // "scikit-learn 1.9.1"
	Created     string // a date
	ModelSHA256 string // of the model file the proof was made with; "" is not checked
	Cases       []ProofCase
}

// ProofCase is one call: tensors by name, as many rows as the framework was
// given at once.
type ProofCase struct {
	Name            string
	inputs, outputs []namedTensor
}

// ReadProof reads a proof file; its error is fs.ErrNotExist where there is
// none.
func ReadProof(fsys fs.FS, name string) (*Proof, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxProofBytes {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%s has %d bytes; a proof has at most %d", name, info.Size(), MaxProofBytes)
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	proof, err := ParseProof(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return proof, nil
}

// ParseProof reads the content of a proof file. What is wrong with it is an
// error of code greenlight.CodeInvalid that names the field.
func ParseProof(data []byte) (*Proof, error) {
	r := proofReader{proof: &Proof{}}
	err := decode(data, func(d *decoder) error {
		r.decoder = d
		return d.object(proofFields, r.member)
	})
	switch {
	case err != nil:
	case r.format != ProofFormat:
		err = fmt.Errorf("format is %q, want %q", clip(r.format), ProofFormat)
	case len(r.proof.Cases) == 0:
		err = fmt.Errorf("it has no cases, so it proves nothing")
	}
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	return r.proof, nil
}

type proofReader struct {
	*decoder
	proof  *Proof
	format string
}

var proofFields = []string{"format", "framework", "created", "model_sha256", "cases"}

func (r *proofReader) member(field int) (err error) {
	switch name := proofFields[field]; name {
	case "format":
		r.format, err = r.text(name)
	case "framework":
		r.proof.Framework, err = r.text(name)
	case "created":
		r.proof.Created, err = r.text(name)
	case "model_sha256":
		r.proof.ModelSHA256, err = r.text(name)
	case "cases":
		err = r.list(name, func(int) error {
			c, err := r.proofCase()
			r.proof.Cases = append(r.proof.Cases, c)
			return err
		})
	}
	return err
}

var proofCaseFields = []string{"name", "inputs", "outputs"}

func (r *proofReader) proofCase() (c ProofCase, err error) {
	err = r.object(proofCaseFields, func(field int) (err error) {
		switch name := proofCaseFields[field]; name {
		case "name":
			c.Name, err = r.text(name)
		case "inputs":
			c.inputs, err = r.tensors(name, true)
		case "outputs":
			c.outputs, err = r.tensors(name, true)
		}
		return err
	})
	if err == nil && len(c.outputs) == 0 {
		err = fmt.Errorf("it has no outputs, so it proves nothing")
	}
	return c, err
}

var toleranceFields = []string{"absolute", "relative"}

// tolerance reads {"absolute","relative"}; a missing one is the default's.
func (d *decoder) tolerance() (*Tolerance, error) {
	t := DefaultTolerance
	err := d.object(toleranceFields, func(field int) error {
		v, err := d.s.Float()
		if err != nil {
			return err
		}
		if v < 0 {
			return fmt.Errorf("%s tolerance %v is negative", toleranceFields[field], v)
		}
		if field == 0 {
			t.Absolute = v
		} else {
			t.Relative = v
		}
		return nil
	})
	return &t, err
}
