"""One rig as the rules see it: who it is, what it was sent, what it may roll.

Several small states live side by side here, because miners interleave them freely; each is read
by the requests named beside it:

    extranonce1     None until subscribed       submit (25)
    workers, payee  empty until authorized      submit (24), the coinbase it mines on
    version masks   0 until configured          submit (bits outside are 20)
    jobs sent       empty until the first job   submit (21, and the difficulty it is judged by)

What the gate needs of it lies in `state`, memory that C and Python share: the jobs sent, each
with its difficulty, and the counters that vardiff and statistics read. There is no second copy.
"""

from __future__ import annotations

from typing import NamedTuple

import hashing
from stratum.mining.names import Payee
from stratum.protocol.downstream import EXTRANONCE2_SIZE

#: Jobs remembered per rig: 32 minutes of ordinary refreshes on one block.
RING_SIZE = hashing.RING_SIZE

MAX_WORKERS = 1024


class Worker(NamedTuple):
    """A name that was authorized, and who its shares are for."""

    name: str
    payee: Payee


class Rig:
    """The state of one connection that shares are judged by."""

    __slots__ = ("extranonce1", "mask", "payee", "requested_mask", "state", "tier", "workers")

    def __init__(self, tier: int, state: hashing.GateSession) -> None:
        self.tier = tier
        self.state = state
        self.extranonce1: bytes | None = None
        self.workers: list[Worker] = []  # by their index in `state`
        self.payee: Payee | None = None  # of the first worker: what the coinbase pays
        self.requested_mask = 0
        self.mask = 0  # granted last; `state.masks` is the union (wire.md §1.11)

    def subscribe(self, extranonce1: bytes) -> None:
        self.extranonce1 = extranonce1
        self.state.identify(extranonce1, EXTRANONCE2_SIZE, self.tier)

    def authorize(self, name: str, payee: Payee) -> None:
        """One more worker, or one again. The first one's payee is the connection's."""
        if self.payee is None:
            self.payee = payee
            self.state.payee = payee.coinbase_part
        if self.state.worker_index(name) is None:
            self.state.add_worker(name)
            self.workers.append(Worker(name, payee))

    def grant(self, offered_mask: int) -> int:
        """The version bits it may roll of those asked for."""
        self.mask = self.requested_mask & offered_mask
        self.state.masks |= self.mask
        return self.mask
