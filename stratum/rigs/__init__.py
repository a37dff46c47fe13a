"""Rigs made of software: the reference miner, virtual rigs, the swarm. They mine, never serve."""
