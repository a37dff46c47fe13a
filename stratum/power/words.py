"""How a number and its noun stand together."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 rig`, `2,000 rigs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
