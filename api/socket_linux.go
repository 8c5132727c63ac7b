package api

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tcpPeer is the user at the other end of a TCP connection between two ends on
// this machine, as the kernel vouches for it: nobody when that end is gone, and
// false only where the kernel does not tell at all. Whatever else goes wrong is
// nobody: it could be provoked.
func tcpPeer(near, far netip.AddrPort) (peer, bool) {
	if p, err := askKernel(far, near); err == nil {
		return p, true
	}
	// No such connection, or a kernel without the question: the list has it
	// if there is one, but is long on a busy machine.
	p, err := findSocket(far, near)
	return p, !errors.Is(err, fs.ErrNotExist)
}

// established is the state of a connection that is open at both ends. Only
// those count that a program has open, too: the kernel calls others root's.
const established = 1

// Sizes and places of the question and its answer, see inet_diag_req_v2 and
// inet_diag_msg in the kernel's linux/inet_diag.h.
const (
	questionSize = unix.SizeofNlMsghdr + 56
	answerSize   = unix.SizeofNlMsghdr + 72
	answerState  = unix.SizeofNlMsghdr + 1
	answerUID    = unix.SizeofNlMsghdr + 64
	answerInode  = unix.SizeofNlMsghdr + 68
)

var errNoSuchSocket = errors.New("no such socket")

// askKernel asks whose the socket with these ends is.
func askKernel(local, remote netip.AddrPort) (peer, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nobody, err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return nobody, err
	}
	if err := unix.Sendto(fd, question(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nobody, err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return nobody, err
	}
	if n < answerSize || binary.NativeEndian.Uint16(answer[4:]) != unix.SOCK_DIAG_BY_FAMILY ||
		answer[answerState] != established || binary.NativeEndian.Uint32(answer[answerInode:]) == 0 {
		return nobody, errNoSuchSocket
	}
	return peer{int(binary.NativeEndian.Uint32(answer[answerUID:]))}, nil
}

func question(local, remote netip.AddrPort) []byte {
	q := make([]byte, 0, questionSize)
	q = binary.NativeEndian.AppendUint32(q, questionSize)
	q = binary.NativeEndian.AppendUint16(q, unix.SOCK_DIAG_BY_FAMILY)
	q = binary.NativeEndian.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, 8)...) // sequence and port: one question, one answer
	family := byte(unix.AF_INET)
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	q = append(q, family, unix.IPPROTO_TCP, 0, 0)
	q = binary.NativeEndian.AppendUint32(q, ^uint32(0)) // any state
	q = binary.BigEndian.AppendUint16(q, local.Port())
	q = binary.BigEndian.AppendUint16(q, remote.Port())
	for _, a := range []netip.Addr{local.Addr(), remote.Addr()} {
		var field [16]byte
		copy(field[:], a.AsSlice())
		q = append(q, field[:]...)
	}
	q = append(q, 0, 0, 0, 0)                              // any interface
	return binary.NativeEndian.AppendUint64(q, ^uint64(0)) // no cookie
}

// findSocket looks for the owner of the socket with these ends in the kernel's
// lists. A program may connect to 127.0.0.1 with a socket of either family.
func findSocket(local, remote netip.AddrPort) (peer, error) {
	if local.Addr().Is4() {
		if p, err := findIn("/proc/net/tcp", local, remote); err != nil || p != nobody {
			return p, err
		}
	}
	p, err := findIn("/proc/net/tcp6", mapped(local), mapped(remote))
	if local.Addr().Is4() && errors.Is(err, fs.ErrNotExist) {
		err = nil // a machine without IPv6
	}
	return p, err
}

func mapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// Fields of a line in /proc/net/tcp, see proc(5).
const fieldLocal, fieldRemote, fieldState, fieldUID, fieldInode = 1, 2, 3, 7, 9

func findIn(list string, local, remote netip.AddrPort) (peer, error) {
	f, err := os.Open(list)
	if err != nil {
		return nobody, err
	}
	defer f.Close()
	from, to := kernelAddress(local), kernelAddress(remote)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= fieldInode || fields[fieldLocal] != from || fields[fieldRemote] != to {
			continue
		}
		uid, err := strconv.Atoi(fields[fieldUID])
		state, _ := strconv.ParseUint(fields[fieldState], 16, 8)
		if err != nil || state != established || fields[fieldInode] == "0" {
			return nobody, nil
		}
		return peer{uid}, nil
	}
	return nobody, lines.Err()
}

// kernelAddress writes an address as the kernel does: 32-bit words in the
// machine's own order, in hex, and the port.
func kernelAddress(a netip.AddrPort) string {
	raw := a.Addr().AsSlice()
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	port := binary.BigEndian.AppendUint16(nil, a.Port())
	return strings.ToUpper(hex.EncodeToString(raw) + ":" + hex.EncodeToString(port))
}
