"""What a swarm is to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stratum.rigs.swarm.dialects import DIALECTS, Dialect

#: Ports that the kernel gives out for one source address and one pool, less a margin.
_PORTS_PER_SOURCE = 10_000


def _name_rig(number: int) -> str:
    return f"swarm.rig{number}"


@dataclass(frozen=True, slots=True)
class SwarmSettings:
    """With `rate` each rig's shares are due at random times, whatever the pool does (open loop);
    with `window` so many are in flight and an answer sends the next (closed loop); with neither
    the rigs are idle.
    """

    host: str
    port: int
    rigs: int
    rate: float = 0.0  # shares per second and rig
    window: int = 0
    seconds: float = 60.0
    warm_s: float = 0.0  # under load, before anything is timed
    ramp: float = 2000.0  # connections per second
    sources: int = 0  # addresses 127.x.y.z to come from; 0: the system's choice
    blind: bool = False
    is_even: bool = False  # shares are due in turn instead of at random
    never_read: int = 0  # rigs that stop reading once they have work
    reconnect: bool = False
    dialects: tuple[Dialect, ...] = tuple(DIALECTS.values())
    name: Callable[[int], str] = _name_rig
    seed: int = 1

    def source(self, index: int) -> str:
        """The address that a rig comes from, "" for any."""
        if not self.sources:
            return ""
        place = (1 << 16) + index % self.sources + 1
        return f"127.{place >> 16}.{place >> 8 & 255}.{place & 255}"


def sources_needed(rigs: int) -> int:
    """How many source addresses give every rig a port; 0 where one is enough."""
    return 0 if rigs <= _PORTS_PER_SOURCE else -(-rigs // _PORTS_PER_SOURCE)
