package onnx

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// The kinds of file that people hand in by mistake, by their first bytes.
// None of these beginnings can start a ModelProto.
var lookalikes = []struct{ prefix, what string }{
	{"version https://git-lfs", "a Git LFS pointer: fetch the real file with `git lfs pull`"},
	{"PK\x03\x04", "a zip archive, which PyTorch (.pt) and Keras (.keras) use: export the model to ONNX"},
	{"\x80\x02", "a Python pickle: export the model to ONNX (skl2onnx for scikit-learn)"},
	{"\x80\x03", "a Python pickle: export the model to ONNX (skl2onnx for scikit-learn)"},
	{"\x80\x04", "a Python pickle: export the model to ONNX (skl2onnx for scikit-learn)"},
	{"\x80\x05", "a Python pickle: export the model to ONNX (skl2onnx for scikit-learn)"},
	{"\x89HDF\r\n", "an HDF5 file, which Keras (.h5) uses: export the model to ONNX"},
	{"\x1f\x8b", "a gzip archive: unpack it first"},
	{"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"},
	{"\xfd7zXZ", "an xz archive: unpack it first"},
	{"GGUF", "a GGUF file: export the model to ONNX"},
	{"CBM1", "a CatBoost model: save it with format=\"onnx\""},
	{"\x93NUMPY", "a NumPy array"},
	{"\x7fELF", "a program"},
	{"MZ", "a Windows program"},
	{"%PDF", "a PDF document"},
}

// looksLike names what a file that is not ONNX seems to be; "" when unknown.
func looksLike(data []byte) string {
	for _, l := range lookalikes {
		if bytes.HasPrefix(data, []byte(l.prefix)) {
			return l.what
		}
	}
	if len(data) > 8 && string(data[4:8]) == "TFL3" {
		return "a TensorFlow Lite model: convert it with tf2onnx"
	}
	head := bytes.TrimSpace(data[:min(len(data), 512)])
	switch {
	case len(head) == 0:
		return ""
	case !isText(head):
		return ""
	case head[0] == '<':
		return "an HTML or XML page, perhaps an error page saved under the model's name"
	case head[0] == '{' || head[0] == '[':
		return "JSON"
	}
	return "a text file"
}

func isText(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && len(head) >= utf8.UTFMax {
			return false
		}
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return false
		}
		head = head[n:]
	}
	return true
}
