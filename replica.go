package greenlight

import "time"

// ReplicaState says where a replica is in its life.
type ReplicaState string

// The states of a replica.
const (
	ReplicaStarting ReplicaState = "starting" // running, not ready yet
	ReplicaReady    ReplicaState = "ready"    // takes requests
	ReplicaUnready  ReplicaState = "unready"  // was ready, its check fails now
	ReplicaStopping ReplicaState = "stopping" // asked to stop, finishing requests
	ReplicaFailed   ReplicaState = "failed"   // ended by itself; Reason says how
	ReplicaCrashing ReplicaState = "crashing" // failed again and again; the next start waits
)

// Probe is a check of one replica from outside.
type Probe struct {
	Path      string        // HTTP GET on the replica's address; 2xx is good
	TCP       bool          // only connect, when Path is empty
	Interval  time.Duration // between two checks
	Timeout   time.Duration // of one check
	Failures  int           // bad ones in a row before the replica counts as bad
	Successes int           // good ones in a row before it counts as good
}

// Resources are what one replica may use; 0 is no limit.
type Resources struct {
	MilliCPU    int64 // thousandths of a core
	MemoryBytes int64
}

// ReplicaSpec is everything that a backend needs to run one replica of a
// release. It is complete: two equal specs give equal replicas.
type ReplicaSpec struct {
	ID          string // unique in the environment: "iris-4b7d9aa-1"
	Environment string
	Service     string
	Release     string   // digest of the release it belongs to
	Command     []string // program and arguments; $PORT in an argument becomes the port it was given
	Image       string   // for backends that run containers; Command is empty then
	Dir         string   // working folder
	Env         map[string]string
	Secrets     map[string]SecretRef // resolved by the backend as late as can be, never stored
	Resources   Resources
	Ready       Probe
	Live        Probe
	StartGrace  time.Duration     // to become ready
	StopGrace   time.Duration     // from the request to stop to the kill
	Volumes     map[string]string // name → path as the program sees it; the data outlives releases
}

// SecretRef says where a secret is; exactly one field is set. Its value never
// stands in a file that Greenlight writes.
type SecretRef struct {
	Env  string // a variable of the control plane's environment
	File string // a file that only the owner can read
}

// Replica is one running copy of a release as a backend sees it.
type Replica struct {
	ID          string       `json:"id"`
	Environment string       `json:"environment"`
	Service     string       `json:"service"`
	Release     string       `json:"release"`
	PID         int          `json:"pid,omitempty"`
	Address     string       `json:"address"` // host:port
	State       ReplicaState `json:"state"`
	Reason      string       `json:"reason,omitempty"` // why it is not ready
	Restarts    int          `json:"restarts"`
	Since       time.Time    `json:"since"`               // when it came into this state
	NotBefore   time.Time    `json:"not_before,omitzero"` // ended: a start before this is refused
}

// Event is one change of state: who did what to whom, why, and on what
// evidence. Events are never changed; history, audit and undo read them.
type Event struct {
	ID          int64          `json:"id"` // ascending
	Time        time.Time      `json:"time"`
	Actor       string         `json:"actor"` // "user:ada", "reconciler", "gateway"
	Kind        string         `json:"kind"`  // "replica.started", "scaled", "promoted"
	Environment string         `json:"environment,omitempty"`
	Service     string         `json:"service,omitempty"`
	Subject     string         `json:"subject,omitempty"` // what exactly: a replica, a release
	Message     string         `json:"message"`           // one line of prose
	Evidence    map[string]any `json:"evidence,omitempty"`
}
