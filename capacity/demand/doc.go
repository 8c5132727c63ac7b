// Package demand says how many requests a second to expect in the periods to
// come: from what was measured, or from a stated rate and growth, with planned
// events on top, and with the peak inside each period, for which capacity must
// be planned.
package demand
