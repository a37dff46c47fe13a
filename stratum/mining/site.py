"""What all sessions of one server share, and what they tell the outside.

A Site is handed to every Session. Facts leave through callables that `app` wires: an accepted
share's record, a count of refused ones, a found block, and the events of `stratum.events`. None
of them may block. Shares that the gate judges by itself leave no trace here but in its counters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import hashing
from stratum.bitcoin.networks import Network
from stratum.events import BlockFound, Emit
from stratum.mining.departed import Departed
from stratum.mining.duplicates import MAX_SHARES, Duplicates
from stratum.mining.extranonce import Extranonces
from stratum.mining.limits import MAX_JUNK_RUN, Gatekeeper, line_cost
from stratum.mining.names import PayeeRule
from stratum.mining.pool import Pool
from stratum.mining.rig import Rig
from stratum.mining.settings import LimitSettings
from stratum.mining.verdicts import NUMBER, Verdict

if TYPE_CHECKING:
    from stratum.mining.session import Session

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
    time_us: int  # Unix time, when its bytes were read
    weight: int
    version: int  # as hashed, rolled bits included
    ntime: int
    nonce: int
    extranonce1: bytes
    extranonce2: bytes
    best: int  # how good its hash was, see units.best_of
    meets_network_target: bool


@dataclass(frozen=True, slots=True)
class RefusedShares:
    """How many shares of one worker were refused, by cause; `account` is empty where no worker
    with an accepted share is behind them."""

    account: str
    script_pubkey: bytes
    worker_name: str
    tier: int
    counts: dict[Verdict, int]


def make_gate(network: Network, limits: LimitSettings) -> hashing.Gate:
    """The gate of a site: it judges plain shares by the same rules as `judge`."""
    cost, burst = line_cost(limits.lines_per_second)
    return hashing.Gate(
        scale_shift=network.scale.shift,
        line_cost_us=cost,
        line_burst_us=burst,
        junk_limit=MAX_JUNK_RUN if limits.ban_score else 0,
        share_limit=MAX_SHARES,
    )


@dataclass(slots=True)
class Site:
    """Everything that is one for all rigs."""

    network: Network
    gate: hashing.Gate
    pool: Pool
    payees: PayeeRule
    limits: LimitSettings
    extranonces: Extranonces
    gatekeeper: Gatekeeper
    record: Callable[[AcceptedShare], tuple[int, int] | None]  # its worker's ids; None: no room
    identify: Callable[[str, bytes, str], tuple[int, int] | None]  # the same of a worker alone
    refused: Callable[[RefusedShares], None]
    make_room: Callable[[], bool]  # the log's segment is full: whether there is another
    found: Callable[[BlockFound], None]
    emit: Emit
    is_strict: bool = False  # answers wait for the log's sync
    log_end: Callable[[], int] = lambda: 0  # records in the log,
    log_synced: Callable[[], int] = lambda: 0  # and how many of them outlive a power cut
    hurry: Callable[[], None] = lambda: None  # the next sync is waited for
    notice: str = ""  # shown to rigs that connect while there is no fresh work
    duplicates: Duplicates = field(default_factory=Duplicates)
    departed: Departed = field(default_factory=Departed)
    rigs: int = 0  # sessions that are subscribed and authorized
    waiting: set[Session] = field(default_factory=set)  # for a job, or for another one
    _targets: dict[int, bytes] = field(default_factory=dict)
    _nobodys: Counter[tuple[int, Verdict]] = field(default_factory=Counter)

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """Shares judged since the start."""
        return dict(zip(Verdict, self.gate.verdicts, strict=True))

    def accept(self, weight: int) -> None:
        """Count a share that Python accepted; the gate counts its own."""
        self.gate.count(NUMBER[Verdict.ACCEPTED])
        self.gate.credit(weight)

    def number_worker(self, rig: Rig, worker: int) -> bool:
        """Give a worker its number: a share of it is about to be accepted by the gate."""
        assert rig.payee is not None
        name, payee = rig.workers[worker]
        ids = self.identify(payee.account, rig.payee.script_pubkey, name)
        if ids is not None:
            rig.state.number_worker(worker, *ids)
        return ids is not None

    def refuse(self, rig: Rig, worker: int | None, verdict: Verdict) -> None:
        """Count a refused share, for the worker with this index where there is one."""
        self.gate.count(NUMBER[verdict])
        rig.state.reject(worker, NUMBER[verdict])
        if worker is None:
            self._nobodys[rig.tier, verdict] += 1

    def report_nobodys(self) -> None:
        """Tell the books what was refused without a worker to refuse it to."""
        nobodys, self._nobodys = self._nobodys, Counter()
        for tier in sorted({tier for tier, _ in nobodys}):
            counts = {verdict: count for (at, verdict), count in nobodys.items() if at == tier}
            self.refused(RefusedShares("", b"", "", tier, counts))

    def share_target(self, weight: int) -> bytes:
        """A weight's target, 32 bytes little-endian; rigs share few weights, so each is kept."""
        target = self._targets.get(weight)
        if target is None:
            if len(self._targets) >= _TARGETS_KEPT:
                self._targets.clear()
            target = self.network.scale.target(weight).to_bytes(32, "little")
            self._targets[weight] = target
        return target
