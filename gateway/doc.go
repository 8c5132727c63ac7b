// Package gateway is the front door of a system: a reverse proxy in a process
// of its own, which the control plane configures and which lives without it.
//
// It is cut along the way of a request and by what changes when:
//
//   - Config is what was asked for: plain data, validated as a whole.
//   - A table is a Config compiled for look-up. It never changes; applying a
//     configuration swaps one pointer, so a request sees the old or the new
//     one, never a mixture.
//   - What must outlive a change of configuration (requests under way,
//     connections, ejections, buckets, counters) lives in targets and vitals,
//     which the next table takes over where name and address stayed the same.
//   - An exchange is one request on its way: admitted by its route, held,
//     sent to a target, perhaps retried, measured. It is the only place where
//     these meet.
//   - An upstream is how one target is spoken to; a door is one listening
//     address with its server. Both know nothing of routes.
//
// The folder handover passes listening sockets to a successor and knows
// nothing of HTTP.
package gateway
