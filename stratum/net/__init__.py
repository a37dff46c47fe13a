"""Sockets: the Stratum server's listeners and connections, and the client's connection."""
