// Package real runs programs as black boxes on real, shaped links.
//
// A World makes the lab's real runs: processes of the built binary, started and
// killed as a scenario says, on one of two grounds.
//
// A Star is a set of Linux network namespaces, one per host, each joined by a
// veth pair to a bridge in a namespace of its own, so that nothing of the
// machine's network is touched. Uplinks and downlinks are shaped with tc tbf;
// segmentation offloads are off, since segments of 64 KiB upset the shaper. TCP is
// CUBIC, the default of Linux, whatever the machine's is: BBR takes no notice of what a
// full shaper on the sender's own interface drops, and tries the same segments again
// thousands of times a second. A LAN is a further bridge with hosts of its own behind
// a router, which is a host of the star: its members share the router's link. It needs
// root.
//
// Where namespaces cannot be had, all programs share the loopback interface and limit
// themselves: the same models in the same proportions, without headers, queues and loss.
package real
