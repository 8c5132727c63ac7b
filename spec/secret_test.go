package spec_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/greenlight-dev/greenlight/spec"
)

// TestSecretsAreNeverShown breaks files that hold a secret in every place and
// looks for it in the messages. (It cannot be hidden where breaking the file
// tears it from the key secrets.)
func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "hunter2"
	checked := 0
	for _, template := range []string{
		"name: shop\nservices:\n  web:\n    run: x\n    secrets:\n      A: hunter2\n      B: {env: hunter2!}\n      C: \"hunter2\"\n    replicas: 2\n",
		"name: shop\nservices:\n  web:\n    run: x\n    secrets: {A: hunter2, B: [hunter2], C: {hunter2: x}}\n",
		"name: shop\nservices: {web: {run: x, secrets: {A: 'hunter2', B: {value: hunter2}}}}\n",
		"name: shop\nservices:\n  web:\n    run: x\n    secrets:\n      A: |\n        hunter2\n        hunter2\n      B: >-\n        hunter2\n",
		"name: shop\nservices:\n  web:\n    run: x\n    secrets: &s\n      A: hunter2\n  api:\n    run: y\n    secrets: *s\n",
		"name: shop\nservices: {web: {run: x}}\nenvironments:\n  dev:\n    services:\n      web:\n        secrets:\n        - hunter2\n        - A=hunter2\n",
	} {
		for at := range len(template) + 1 {
			if inKey(template, at) || strings.HasSuffix(template[:at], "hunter") || inSecret(template, at, secret) {
				continue
			}
			for _, put := range []string{"", "{", "}", "[", "]", ":", ": ", "\n", "\t", "'", "\"", "&", "*", "!", "|", "- ", " ", "#", ","} {
				text := template[:at] + put + template[at:]
				if put == "" && at < len(template) {
					text = template[:at] + template[at+1:]
				}
				_, err := spec.Parse(spec.FileName, []byte(text))
				if err == nil || tornFrom(text, secret) {
					continue
				}
				checked++
				asJSON, _ := json.Marshal(errorsOf(t, text))
				if all := fmt.Sprint(err) + string(asJSON); strings.Contains(all, secret) {
					t.Errorf("%q at %d of\n%s\nshows it:\n%v", put, at, template, err)
				}
			}
		}
	}
	if checked < 5000 {
		t.Errorf("only %d broken files", checked)
	}
}

// tornFrom tells whether the text is YAML in which the secret stands outside
// a key like secrets.
func tornFrom(text, secret string) bool {
	var v any
	return yaml.Unmarshal([]byte(text), &v) == nil && outside(v, secret)
}

func outside(v any, secret string) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if strings.Contains(key, secret) || !strings.HasPrefix(key, "secret") && outside(value, secret) {
				return true
			}
		}
		return false
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return outside(item, secret) })
	}
	return strings.Contains(fmt.Sprint(v), secret)
}

// inKey tells a place within the word secrets.
func inKey(text string, at int) bool { return inSecret(text, at, "secrets") }

// inSecret tells a place at or within one of the words.
func inSecret(text string, at int, word string) bool {
	from := max(0, at-len(word))
	return strings.Contains(text[from:min(len(text), at+len(word))], word)
}
