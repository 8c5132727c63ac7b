// Package measure finds out what so many replicas of a service carry: it
// gives a system of its own more and fewer of them, saturates it, and keeps
// only what shows the replicas and not the generator, the gateway or the
// machine's other work.
package measure
