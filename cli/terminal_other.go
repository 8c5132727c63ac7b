//go:build !unix

package cli

// terminalSize knows no terminals here.
func terminalSize(any) (columns, rows int, ok bool) { return 0, 0, false }
