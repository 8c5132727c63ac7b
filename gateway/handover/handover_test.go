package handover_test

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway/handover"
)

// successorVariable makes the test binary a successor that does what its
// value says.
const successorVariable = "HANDOVER_TEST_SUCCESSOR"

func TestMain(m *testing.M) {
	if what := os.Getenv(successorVariable); what != "" {
		successor(what)
		return
	}
	os.Exit(m.Run())
}

func successor(what string) {
	in, err := handover.Receive()
	if err != nil {
		panic(err)
	}
	if what == "hangs" {
		time.Sleep(time.Minute)
	}
	ln := in.Listener("front")
	if ln == nil || in.Listener("front") != nil || os.Getenv("GREENLIGHT_HANDOVER") != "" {
		os.Exit(3)
	}
	if err := in.Ready(); err != nil {
		panic(err)
	}
	c, err := ln.Accept()
	if err != nil {
		panic(err)
	}
	_, _ = c.Write([]byte("successor"))
	_ = c.Close()
}

func TestStart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listeners := map[string]net.Listener{"front": ln, "nobody takes": listen(t)}
	accepted := make(chan error, 1)
	go func() {
		_, err := ln.Accept()
		accepted <- err
	}()
	t.Setenv(successorVariable, "takes over")
	pid, err := handover.Start([]string{os.Args[0]}, listeners, 10*time.Second)
	if err != nil || pid <= 0 {
		t.Fatal(pid, err)
	}
	// Its own accept must still end when the listener is closed, and then the
	// successor alone accepts.
	_ = ln.Close()
	select {
	case err := <-accepted:
		if err == nil {
			t.Error("a connection was accepted that nobody made")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Accept goes on after Close")
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	said := make([]byte, 9)
	if _, err := c.Read(said); err != nil || string(said) != "successor" {
		t.Errorf("%q %v", said, err)
	}
}

func listen(t *testing.T) net.Listener {
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func TestStartGivesUp(t *testing.T) {
	t.Setenv(successorVariable, "hangs")
	begun := time.Now()
	_, err := handover.Start([]string{os.Args[0]}, map[string]net.Listener{"front": listen(t)}, 300*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "the successor was not ready within 300ms (signal: killed)") {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestReceiveNothing(t *testing.T) {
	in, err := handover.Receive()
	if in != nil || err != nil {
		t.Error(in, err)
	}
	if in.Predecessor() != 0 || in.Listener("x") != nil || in.Ready() != nil {
		t.Error("nothing is not empty")
	}
	t.Setenv("GREENLIGHT_HANDOVER", "{")
	if _, err := handover.Receive(); err == nil {
		t.Error("nonsense was taken")
	}
}
