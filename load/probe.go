package load

import (
	"crypto/tls"
	"io"
	"net"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// probeTime is what the look before a test waits at most.
const probeTime = 5 * time.Second

// probe connects once: a test of nothing is an error, not a result.
func (o *Options) probe() error {
	if o.Operation != nil {
		return o.probeOperation()
	}
	t := *o.Target
	if o.HTTP2 && t.TLS != nil {
		t.TLS = t.TLS.Clone()
		t.TLS.NextProtos = []string{"h2"}
	}
	h := newHTTP1(&t, min(o.Timeout, probeTime), true)
	defer h.close()
	c, err := h.connection(&answer{})
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s does not answer: %w%s", t.Address, err, advice(err))
	}
	if o.HTTP2 && !speaksHTTP2(c, min(o.Timeout, probeTime)) {
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s speaks no HTTP/2, which --http2 and gRPC need", t.Address)
	}
	return nil
}

// speaksHTTP2 tells whether HTTP/2 is agreed, or answered with it. One who says
// nothing in this time may still speak it.
func speaksHTTP2(c net.Conn, timeout time.Duration) bool {
	if secure, ok := c.(*tls.Conn); ok {
		return secure.ConnectionState().NegotiatedProtocol == "h2"
	}
	// RFC 9113, section 3.4: the preface with empty settings; the answer begins
	// with settings, too.
	const preface, settings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	_ = c.SetDeadline(time.Now().Add(timeout))
	var first [5]byte // its fourth is the kind of frame
	if _, err := io.WriteString(c, preface+settings); err != nil {
		return true
	}
	n, _ := io.ReadFull(c, first[:])
	return n < len(first) || first[3] == settings[3]
}

func (o *Options) probeOperation() error {
	r := &repeater{operation: o.Operation, timeout: min(o.Timeout, 5*time.Second)}
	defer r.close()
	if _, err := r.connection(&answer{}); err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s does not answer: %w", o.Operation.Target, err)
	}
	return nil
}
