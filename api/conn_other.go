//go:build !linux

package api

import (
	"net"
	"net/netip"
)

// peerUID cannot be told here.
func peerUID(*net.UnixConn) (uid int, ok bool) { return 0, false }

// tcpPeer cannot be told here.
func tcpPeer(_, _ netip.AddrPort) (peer, bool) { return nobody, false }
