package client

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
)

// The files in a state folder by which a control plane is found.
const (
	socketName = "control.sock"
	recordName = "control.json"
)

// discoverTimeout is for a control plane of this machine to answer.
const discoverTimeout = 2 * time.Second

// Discover makes a client for the control plane of a state folder: by its
// socket control.sock, or by the address in control.json where the socket
// does not open. The error is ErrNotRunning when there is none.
func Discover(state string) (*Client, error) {
	c, err := bySocket(state)
	if err == nil || greenlight.CodeOf(err) == greenlight.CodeRefused {
		return c, err
	}
	if c := recorded(filepath.Join(state, recordName)); c != nil {
		return c, nil
	}
	return nil, notRunning(state, err)
}

// bySocket is a client for whoever opened the socket of a state folder.
func bySocket(state string) (*Client, error) {
	path, err := keeper.SocketPath(state, socketName)
	if err != nil {
		return nil, err
	}
	c, err := New("unix://"+path, "")
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("unix", path, discoverTimeout)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return c, conn.Close()
}

// recorded is a client for the control plane that wrote a record, or nil: it
// may have ended since, and another may have its address now.
func recorded(path string) *Client {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var record struct {
		PID     int    `json:"pid"`
		Address string `json:"address"`
	}
	if json.Unmarshal(text, &record) != nil || record.Address == "" {
		return nil
	}
	c, err := New(record.Address, "")
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), discoverTimeout)
	defer cancel()
	status, err := c.Status(ctx)
	if err != nil || status.Control.PID != record.PID {
		c.Close()
		return nil
	}
	return c
}
