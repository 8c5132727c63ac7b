package load

import "fmt"

// Machine is what the processors of the machine did that a service, its
// gateway and the generator share.
type Machine struct {
	Cores   int     `json:"cores"`
	Idle    float64 `json:"idle"`    // cores that had nothing to do, mean
	Gateway float64 `json:"gateway"` // cores that the gateway used, mean
}

func (m *Machine) busy() float64 { return 1 - m.Idle/float64(max(m.Cores, 1)) }

// others is what programs that are no part of the test used.
func (m *Machine) others(replicas, generator float64) float64 {
	return max(0, float64(m.Cores)-m.Idle-m.Gateway-replicas-generator)
}

// busiest names who uses most of a machine that has nothing left.
func (m *Machine) busiest(replicas, generator float64) (Limit, string) {
	users := []struct {
		limit Limit
		name  string
		cores float64
	}{
		{LimitReplicas, "the replicas' CPU", replicas},
		{LimitGateway, "the gateway", m.Gateway},
		{LimitGenerator, "the generator", generator},
		{LimitMachine, "the machine: other programs", m.others(replicas, generator)},
	}
	most := users[0]
	for _, u := range users[1:] {
		if u.cores > most.cores {
			most = u
		}
	}
	return most.limit, fmt.Sprintf("%s: %.2f of the machine's %d cores, of which nothing is left", most.name, most.cores, m.Cores)
}

func (m *Machine) text(replicas, generator float64) string {
	return fmt.Sprintf("the machine: %s of %d cores in use; replicas %.2f, gateway %.2f, generator %.2f, others %.2f",
		percent(m.busy()), m.Cores, replicas, m.Gateway, generator, m.others(replicas, generator))
}
