"""A pool without sockets: a real Site, real templates, a clock that is a number.

Nothing here stands in for a part of the program. Templates are made by hand and every
transaction in them can be parsed; what the pool records, finds and tells is kept in lists; time
passes when a test says so. `connect` gives a Rig (`tests.mining.rig`) that speaks lines to a
Session of its own and really mines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from embit import bech32

import hashing
from stratum.bitcoin.merkle import coinbase_branch
from stratum.bitcoin.networks import REGTEST, Network, subsidy
from stratum.bitcoin.target import target_from_nbits
from stratum.bitcoin.template import Template, witness_commitment
from stratum.bitcoin.transaction import Output, Reader, compact_size, read_transaction
from stratum.events import BlockFound, Event
from stratum.ledger.records import FLAG_BLOCK_CANDIDATE, ShareRecord, share_flags
from stratum.mining.conduct import CloseSession
from stratum.mining.extranonce import Extranonces
from stratum.mining.jobs import Job, Work, microseconds
from stratum.mining.limits import Gatekeeper
from stratum.mining.names import PayeeRule
from stratum.mining.pool import LayoutQuestion, Pool
from stratum.mining.session import Session
from stratum.mining.settings import LimitSettings, PayoutSettings, TierSettings
from stratum.mining.site import AcceptedShare, RefusedShares, Site, make_gate
from tests.mining.rig import Rig

#: 2026-11-20; nothing depends on it.
START = 1_795_000_000.0

#: A block takes 2^16 hashes, a share of `EASY` sixteen: milliseconds, and rarely both at once.
NBITS = 0x1F00FFFF
EASY = 16 / 2**32

HEIGHT = 1000

SLOT_SIZE = 96

#: Records of one world.
LOG_ROOM = 4096


def address(number: int, network: Network = REGTEST) -> str:
    """A P2WPKH address that belongs to nobody."""
    return str(bech32.encode(network.bech32_prefix, 0, number.to_bytes(20, "big")))


OPERATOR = address(1)
ALICE = address(2)
BOB = address(3)


def make_transaction(number: int) -> bytes:
    """A small segwit transaction; the number makes its txid its own."""
    return (
        (2).to_bytes(4, "little")
        + b"\x00\x01"
        + compact_size(1)
        + number.to_bytes(32, "big")
        + bytes(4)
        + b"\x00"
        + b"\xff" * 4
        + compact_size(1)
        + Output(number, b"\x51").serialize()
        + b"\x01\x02\xab\xcd"
        + bytes(4)
    )


def make_template(
    network: Network,
    prevhash: bytes,
    *,
    height: int = HEIGHT,
    transactions: int = 3,
    first: int = 1,
    curtime: int = int(START),
    version: int = 0x20000000,
    version_required: int = 0,
    nbits: int = NBITS,
    segwit: bool = True,
) -> Template:
    """What a node would give, without the node."""
    data = tuple(make_transaction(first + i) for i in range(transactions))
    parsed = [read_transaction(Reader(each)) for each in data]
    txids = tuple(transaction.txid for transaction in parsed)
    fees = 1000 * transactions
    return Template(
        height=height,
        prevhash=prevhash,
        version=version,
        version_required=version_required,
        nbits=nbits,
        network_target=target_from_nbits(nbits),
        curtime=curtime,
        mintime=curtime - 3600,
        coinbasevalue=subsidy(height, network.halving_interval) + fees,
        fees=fees,
        transactions=data,
        txids=txids,
        branch=tuple(coinbase_branch(txids)),
        witness_commitment=witness_commitment([each.wtxid for each in parsed]) if segwit else b"",
        longpollid=None,
    )


def prevhash(number: int) -> bytes:
    return hashing.sha256d(b"block %d" % number)


class World:
    """A site and everything that happened there."""

    def __init__(
        self,
        network: Network = REGTEST,
        *,
        tier: TierSettings | None = None,
        payout: PayoutSettings | None = None,
        limits: LimitSettings | None = None,
        proves_layouts: bool = True,
        gate: Callable[[Network, LimitSettings], hashing.Gate] = make_gate,
    ) -> None:
        self.network = network
        self.now = START
        self.tier = tier or TierSettings(
            "127.0.0.1", 0, difficulty=EASY, min_difficulty=1 / 2**32, vardiff=False
        )
        self._log = bytearray(SLOT_SIZE * LOG_ROOM)
        self._ids: dict[tuple[str, bytes, str], int] = {}  # of workers
        self.refused: list[RefusedShares] = []
        self.found: list[BlockFound] = []
        self.events: list[Event] = []
        self.questions: list[LayoutQuestion] = []
        self.kept: list[Work] = []
        self.rigs: list[Rig] = []
        self.tip = 0
        self._proves_layouts = proves_layouts
        self._transactions = 1

        limits = limits or LimitSettings(lines_per_second=0)
        payout = payout or PayoutSettings("solo", address=address(1, network))
        self.gate = gate(network, limits)
        self.pool = Pool(
            network, "/world/", gate=self.gate, first_work_id=1, keep=self._keep, ask=self._ask
        )
        self._tail = hashing.LogTail(self._log, 0, 0, 0, 0)
        self.gate.attach(self._tail)
        self.has_room = True
        self.site = Site(
            network=network,
            gate=self.gate,
            pool=self.pool,
            payees=PayeeRule(payout, network),
            limits=limits,
            extranonces=Extranonces(b"secret", 0x10000000),
            gatekeeper=Gatekeeper(limits),
            record=self._record,
            identify=self._identify,
            refused=self.refused.append,
            make_room=lambda: False,
            found=self.found.append,
            emit=self.events.append,
        )

    # -- the node --------------------------------------------------------------------------

    def new_block(self, **wishes: Any) -> Job:
        """A block on the chain and the full template after it, to every rig."""
        self.tip += 1
        return self.new_template(**wishes)

    def new_template(self, **wishes: Any) -> Job:
        """A template on the present tip, with other transactions than the one before."""
        self._transactions += 100
        template = make_template(
            self.network,
            prevhash(self.tip),
            height=HEIGHT + self.tip,
            first=self._transactions,
            curtime=int(self.now),
            **wishes,
        )
        return self.take_template(template)

    def take_template(self, template: Template) -> Job:
        job, clean = self.pool.on_template(template, self.now)
        self.broadcast(job, clean)
        return job

    def new_tip(self) -> Job | None:
        """Only the hash of a new block: the empty job, where there is one."""
        parent = prevhash(self.tip)
        self.tip += 1
        job = self.pool.on_tip(prevhash(self.tip), parent, int(self.now) - 600, self.now)
        if job is not None:
            self.broadcast(job, True)
        return job

    # -- the server ------------------------------------------------------------------------

    def connect(self, host: str = "192.0.2.1") -> Rig:
        """A connection that has said nothing yet."""
        session = Session(self.site, 0, self.tier, f"{host}:{len(self.rigs)}", host, self.now)
        self.site.gatekeeper.connected(host)
        rig = Rig(session, lambda: self.now, self.network.scale)
        self.rigs.append(rig)
        return rig

    def ready(
        self, name: str = ALICE + ".rig", password: str = "x", host: str = "192.0.2.1"
    ) -> Rig:
        """A connection that has subscribed, authorized, and got its job where there is one."""
        rig = self.connect(host)
        rig.subscribe()
        rig.authorize(name, password)
        return rig

    def disconnect(self, rig: Rig) -> None:
        self.rigs.remove(rig)
        rig.is_open = False
        rig.session.closed("closed by the rig", self.now)
        self.site.gatekeeper.disconnected(rig.session.address)

    def broadcast(self, job: Job, clean: bool) -> None:
        for rig in self.rigs:
            rig.session.send_job(job, clean, self.now)
            rig.listen()

    def refresh(self) -> Job:
        """What every rig gets at least every 30 s."""
        self.now += 1
        job = self.pool.refresh(self.now)
        assert job is not None
        self.broadcast(job, False)
        return job

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass, and do what the server's timer does then."""
        self.now += seconds
        due = self.gate.due(microseconds(self.now))
        for rig in [rig for rig in self.rigs if rig.session.rig.state.slot in due]:
            try:
                rig.session.on_time(self.now)
            except CloseSession as closing:
                rig.listen()
                self.disconnect(rig)
                rig.closing = str(closing)
        waiting = [rig for rig in self.rigs if rig.session.wants_refresh]
        job = self.pool.refresh(self.now) if waiting else None
        if job is not None:
            for rig in waiting:
                rig.session.send_job(job, False, self.now)
                rig.listen()

    # -- what the site calls ---------------------------------------------------------------

    def _keep(self, work: Work) -> int:
        self.kept.append(work)
        return len(self.kept) - 1

    def _ask(self, question: LayoutQuestion) -> None:
        self.questions.append(question)
        if self._proves_layouts:
            self.pool.layout_answered(question.layout, True)

    def _record(self, share: AcceptedShare) -> tuple[int, int] | None:
        """As the scribe does it, in the order of the log."""
        ids = self._identify(share.account, share.script_pubkey, share.worker_name)
        if ids is None:
            return None
        record = ShareRecord(
            edge_id=0,
            flags=share_flags(candidate=share.meets_network_target, listen=share.tier),
            edge_seq=self._tail.next_edge_seq,
            recv_time_us=share.time_us,
            job_index=share.log_index,
            account_id=ids[0],
            worker_id=ids[1],
            weight=share.weight,
            version=share.version,
            ntime=share.ntime,
            nonce=share.nonce,
            extranonce1=share.extranonce1,
            extranonce2=share.extranonce2,
            best=share.best,
        )
        assert self._tail.append(record.pack())
        self._tail.count_share()
        return ids

    def _identify(self, account: str, script_pubkey: bytes, name: str) -> tuple[int, int] | None:
        if not self.has_room:
            return None
        return 1, self._ids.setdefault((account, script_pubkey, name), len(self._ids) + 1)

    @property
    def has_room(self) -> bool:
        """In the log, for the gate and for Python alike."""
        return self._has_room

    @has_room.setter
    def has_room(self, has_room: bool) -> None:
        self._has_room = has_room
        full = hashing.LogTail(bytearray(), 0, 0, 0, 0)
        self.gate.attach(self._tail if has_room else full)

    @property
    def leaves(self) -> list[ShareRecord]:
        """What the log holds, whoever wrote it."""
        places = [16 + SLOT_SIZE * n for n in range(self._tail.used)]
        return [ShareRecord.unpack(bytes(self._log[at : at + 80])) for at in places]

    @property
    def records(self) -> list[AcceptedShare]:
        """The same with names."""
        names = {worker_id: key for key, worker_id in self._ids.items()}
        return [
            AcceptedShare(
                *names[leaf.worker_id],
                tier=leaf.flags >> 8,
                log_index=leaf.job_index,
                time_us=leaf.recv_time_us,
                weight=leaf.weight,
                version=leaf.version,
                ntime=leaf.ntime,
                nonce=leaf.nonce,
                extranonce1=leaf.extranonce1,
                extranonce2=leaf.extranonce2,
                best=leaf.best,
                meets_network_target=bool(leaf.flags & FLAG_BLOCK_CANDIDATE),
            )
            for leaf in self.leaves
        ]
