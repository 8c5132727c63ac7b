package cli

import (
	"path/filepath"
	"testing"
)

// A plan that moves with its project finds it again.
func TestSeenFrom(t *testing.T) {
	root := t.TempDir()
	m := measuredSystem{Description: filepath.Join(root, "a", "greenlight.yaml"), Body: filepath.Join(root, "a", "b.json"), Service: "a"}
	kept := m.seenFrom(filepath.Join(root, "docs", "plan"))
	if kept.Description != "../../a/greenlight.yaml" || kept.Body != "../../a/b.json" || kept.Data != "" {
		t.Errorf("kept as %+v", kept)
	}
	if found := kept.foundFrom(filepath.Join(root, "docs", "plan")); found.Description != m.Description || found.Body != m.Body || found.Data != "" {
		t.Errorf("found as %+v, want %+v", found, m)
	}
}
