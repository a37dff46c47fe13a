"""Rigs made of software: the reference miner and virtual rigs. They mine, they never serve."""
