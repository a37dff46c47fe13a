"""What all sessions of one server share, and what they tell the outside.

A Site is handed to every Session. Facts leave through three callables that `app` wires: an
accepted share's record, a found block, and the events of `stratum.events`. None of them may
block; `record` answers False where the log has no room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stratum.bitcoin.networks import Network
from stratum.events import BlockFound, Emit
from stratum.mining.departed import Departed
from stratum.mining.duplicates import DuplicateTable
from stratum.mining.extranonce import Extranonces
from stratum.mining.limits import Gatekeeper
from stratum.mining.names import PayeeRule
from stratum.mining.pool import Pool
from stratum.mining.settings import LimitSettings
from stratum.mining.verdicts import Verdict

#: More than vardiff's grid has; strangers who pin odd difficulties must not fill memory.
_TARGETS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class AcceptedShare:
    """All that the books keep of a share; enough to hash it again with its job's record."""

    account: str
    script_pubkey: bytes
    worker_name: str
    tier: int  # index of the [[listen]] table
    log_index: int  # of the job's record
    weight: int
    version: int  # as hashed, rolled bits included
    ntime: int
    nonce: int
    extranonce1: bytes
    extranonce2: bytes
    block_hash: bytes  # internal order
    meets_network_target: bool


@dataclass(slots=True)
class Totals:
    """Counters since the start; metrics read them, nothing waits on them."""

    verdicts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    weight: int = 0  # of accepted shares


@dataclass(slots=True)
class Site:
    """Everything that is one for all rigs."""

    network: Network
    pool: Pool
    payees: PayeeRule
    limits: LimitSettings
    extranonces: Extranonces
    gatekeeper: Gatekeeper
    record: Callable[[AcceptedShare], bool]
    found: Callable[[BlockFound], None]
    emit: Emit
    notice: str = ""  # shown to rigs that connect while there is no fresh work
    duplicates: DuplicateTable = field(default_factory=DuplicateTable)
    departed: Departed = field(default_factory=Departed)
    totals: Totals = field(default_factory=Totals)
    _targets: dict[int, bytes] = field(default_factory=dict)

    def share_target(self, weight: int) -> bytes:
        """A weight's target, 32 bytes little-endian; rigs share few weights, so each is kept."""
        target = self._targets.get(weight)
        if target is None:
            if len(self._targets) >= _TARGETS_KEPT:
                self._targets.clear()
            target = self.network.scale.target(weight).to_bytes(32, "little")
            self._targets[weight] = target
        return target
