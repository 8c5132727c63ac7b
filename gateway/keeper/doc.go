// Package keeper keeps one gateway process running for a control plane: it
// adopts the one that an earlier control plane left, starts one where there is
// none, and starts it again at once when it dies. The gateway lives on when
// the keeper ends; only Stop ends it.
//
// A gateway belongs to a state folder when its command line names the folder's
// control socket; a pid or a file that names one is never believed alone.
package keeper
