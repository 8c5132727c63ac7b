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
// There are two ways from a door to an exchange. A clientConn serves HTTP/1.1
// without TLS itself, for as long as requests are simple: a usual method, a
// path of plain bytes, a body of known length up to 64 KiB, and a head that is
// strictly as RFC 9112 has it (requestHead). It forwards the bytes of the head
// (forward.go) and relays those of the answer (relay.go), and makes no
// http.Request. With the first request that is anything else, the connection
// goes to net/http for good, the bytes of that request unread
// (handedListener), and from there through httputil.ReverseProxy: HTTP/2,
// gRPC, WebSocket, chunked and large bodies, HTTP/1.0, Expect, and whatever is
// odd or an attack. A request is therefore never interpreted by two parsers,
// and TestWaysAgreeOnRequests, TestWaysAgreeOnAnswers and the fuzz targets
// FuzzWays and FuzzAnswers hold both ways to the same outcome, seen from the
// client and from the target.
//
// The folder handover passes listening sockets to a successor and knows
// nothing of HTTP.
package gateway
