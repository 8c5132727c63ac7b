// Package examples holds the examples' models, so that the binary can write
// them without a network.
package examples

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed penguins/model.onnx penguins/proof.json penguins/request.json
//go:embed digits/model.onnx digits/proof.json digits/request.json
//go:embed co2/model.onnx co2/proof.json co2/request.json
var files embed.FS

// Names are the examples, the one to begin with first.
func Names() []string { return []string{"penguins", "digits", "co2"} }

// Files are an example's files by name: the model, its proof and a request.
func Files(example string) (map[string][]byte, error) {
	for _, name := range Names() {
		if name != example {
			continue
		}
		content := make(map[string][]byte)
		for _, file := range []string{"model.onnx", "proof.json", "request.json"} {
			data, err := files.ReadFile(path.Join(name, file))
			if err != nil {
				return nil, err
			}
			content[file] = data
		}
		return content, nil
	}
	return nil, fmt.Errorf("no example is called %q; there are %s", example, strings.Join(Names(), ", "))
}
