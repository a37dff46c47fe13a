"""The whole program as a user runs it: real processes, a real full node, real sockets."""
