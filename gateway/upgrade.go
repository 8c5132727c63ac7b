package gateway

import (
	"net"
	"os"
	"time"

	"github.com/greenlight-dev/greenlight/gateway/handover"
)

// upgradeTimeout bounds how long a successor may take to be ready.
const upgradeTimeout = 15 * time.Second

func listenerFile(ln net.Listener) (*os.File, error) { return handover.File(ln) }

// Upgrade starts a successor, hands it the listening sockets and, when it
// accepts connections, lets Run finish what is under way and return. When it
// fails, this process goes on as before.
func (g *Gateway) Upgrade() (pid int, err error) {
	g.applying.Lock()
	defer g.applying.Unlock()
	select {
	case <-g.handedOver:
		return 0, errHandedOver
	default:
	}
	argv := g.options.Successor
	if argv == nil {
		argv = os.Args
	}
	pid, err = handover.Start(argv, g.sockets(), upgradeTimeout)
	if err != nil {
		g.options.Log.Error("upgrade failed; this process goes on", "error", err)
		return 0, err
	}
	g.mu.Lock()
	g.successor = pid
	g.control.leave()
	g.mu.Unlock()
	close(g.handedOver)
	g.options.Log.Info("handed over", "successor", pid)
	return pid, nil
}

// sockets are all the listeners, by the key that a successor asks for.
func (g *Gateway) sockets() map[string]net.Listener {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make(map[string]net.Listener)
	for _, d := range g.doors {
		all["listen "+d.name+" "+d.asked] = d.listener
	}
	if g.control != nil {
		all["control "+g.options.Control] = g.control.listener
	}
	return all
}

// takeOver tells the predecessor that this process serves, and notes when it
// has ended.
func (g *Gateway) takeOver() error {
	from := g.options.Inherited
	if from == nil {
		return nil
	}
	g.mu.Lock()
	g.predecessor = from.Predecessor()
	g.mu.Unlock()
	if err := from.Ready(); err != nil {
		return err
	}
	g.work.Go(func() {
		from.WaitGone()
		g.mu.Lock()
		g.predecessor = 0
		g.mu.Unlock()
	})
	g.work.Go(func() {
		<-g.living.Done()
		from.Close()
	})
	return nil
}
