"""The pool: work made from a node's templates, and what a found block pays.

This is one of the two files in which pool and proxy differ. A template becomes a Work, a Work
gets a coinbase per payee, and no rig gets a coinbase layout that the node has not proved in a
proposal: a pool that sends out an invalid layout finds out when it loses a block.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import Any

import hashing
from stratum.bitcoin.block import assemble_block
from stratum.bitcoin.coinbase import coinbase_start, open_coinbase
from stratum.bitcoin.networks import Network
from stratum.bitcoin.template import Template, empty_successor
from stratum.mining.difficulty import MAX_WEIGHT
from stratum.mining.extranonce import EXTRANONCE1_SIZE
from stratum.mining.jobs import Job, JobBook, Work, microseconds
from stratum.mining.kept import work_from_body
from stratum.mining.names import Payee
from stratum.protocol.downstream import EXTRANONCE2_SIZE, VERSION_ROLLING_MASK

#: At most one refresh is made per second, however many rigs want another difficulty.
REFRESH_PACE = 1.0

#: Bitcoin Core, GetNextWorkRequired with fPowAllowMinDifficultyBlocks.
_TESTNET4_EASIEST = 0x1D00FFFF
_TESTNET4_SPACING = 1200

#: A job gets a new ntime this often: every rig hears something well within its 90 s (rule 22).
REFRESH_INTERVAL = 30.0


class LayoutState(Enum):
    """What the node said of a coinbase layout."""

    ASKED = 1
    PROVEN = 2
    WITHHELD = 3


@dataclass(frozen=True, slots=True)
class LayoutQuestion:
    """An unsolved block with a new coinbase layout, for the node's proposal mode."""

    layout: str
    block: bytes


class Pool:
    """Work from templates. Pure: the caller brings templates and the time."""

    def __init__(
        self,
        network: Network,
        coinbase_tag: str,
        *,
        gate: hashing.Gate,
        first_work_id: int,
        keep: Callable[[Work], int],
        ask: Callable[[LayoutQuestion], None],
    ) -> None:
        """`gate` is told of every job and of what is forgotten; `keep` writes a Work down before
        any rig hears of it and returns its log index; `ask` has a layout proved and brings the
        answer to `layout_answered`."""
        self._network = network
        self._tag = coinbase_tag.encode("ascii")
        self._gate = gate
        self._keep = keep
        self._ask = ask
        self._book = JobBook(first_work_id)
        self._layouts: dict[str, LayoutState] = {}
        self._kinds: set[str] = set()  # of the scripts that were asked for
        self._twist = 0
        self._tip_time: tuple[bytes, int | None] = (b"", None)
        self._transactions: dict[bytes, bytes] = {}  # txid → bytes, shared by the Works of a block
        self.current: Job | None = None
        self.generation = 0
        self.jobs_made = 0

    # -- work ------------------------------------------------------------------------------

    def on_template(self, template: Template, now: float) -> tuple[Job, bool]:
        """A template of the active node. Returns the job made of it and whether rigs must drop
        what they have (the previous block changed)."""
        clean = self.current is None or self.prevhash != template.prevhash
        if clean:
            self._new_generation(now)
        job = self._start_work(self._interned(template), now)
        return job, clean

    def on_tip(
        self, tip: bytes, parent: bytes, mediantime: int, now: float, tip_time: int | None = None
    ) -> Job | None:
        """A new best block, before its template: the empty-block job, where that is safe.

        Only on a tip whose parent is the block we were working on: anything else (a reorg, a
        missed block) waits for the full template, which is under way.
        """
        self._tip_time = (tip, tip_time)
        current = self.current
        if current is None or parent != self.prevhash or tip == self.prevhash:
            return None
        template = empty_successor(
            current.work.template,
            tip,
            mediantime + 1,
            current.work.ntime(microseconds(now)),
            self._network,
        )
        if template is None:
            return None
        self._new_generation(now)
        return self._start_work(template, now)

    def refresh(self, now: float) -> Job | None:
        """The same template with the time of now under a new id; None before any work.

        Made anew at most once a second: asked sooner, the job made last is given again.
        """
        job = self.current
        if job is None or now - job.made < REFRESH_PACE:
            return job
        ntime = job.work.bounded(max(job.work.ntime(microseconds(now)), job.ntime + 1))
        fresh = self._book.new_job(job.work, ntime, now) if ntime > job.ntime else None
        if fresh is None:
            return self._start_work(job.work.template, now, job.work.received)
        self._serve(fresh)
        return fresh

    def job(self, job_id: str) -> Job | None:
        """A job that this process made and has not forgotten."""
        return self._book.job(job_id)

    def find(self, job_id: str) -> Work | None:
        """The Work of a job id, also of the previous block and from before a restart."""
        return self._book.find(job_id)

    @property
    def prevhash(self) -> bytes | None:
        return self.current.work.template.prevhash if self.current else None

    @property
    def live_work_ids(self) -> set[int]:
        return set(self._book.works)

    @property
    def live_prevhashes(self) -> set[bytes]:
        """The previous blocks of jobs that a rig may still name."""
        return {work.template.prevhash for work in self._book.works.values()}

    # -- coinbase layouts ------------------------------------------------------------------

    def offers(self, work: Work, payee: Payee) -> bool:
        """Whether a rig may work on the coinbase that pays it: the node has proved its layout.

        Where nobody has asked yet, the question is put now.
        """
        kind = _script_kind(payee.script_pubkey)
        self._kinds.add(kind)
        layout = _layout(kind, work.template)
        state = self._layouts.get(layout)
        if state is None:
            self._layouts[layout] = LayoutState.ASKED
            self._ask(LayoutQuestion(layout, self._proposal(work, payee)))
            # The answer may have been there at once, e.g. in a simulation.
            state = self._layouts[layout]
        return state is LayoutState.PROVEN

    def offers_everyone(self, work: Work) -> bool:
        """Whether every payee that rigs have had so far may be offered it."""
        return all(
            self._layouts.get(_layout(kind, work.template)) is LayoutState.PROVEN
            for kind in self._kinds
        )

    def layout_answered(self, layout: str, proven: bool) -> None:
        """The node's answer to an `ask`."""
        self._layouts[layout] = LayoutState.PROVEN if proven else LayoutState.WITHHELD

    def ask_again(self, layout: str) -> None:
        """No answer came (no node, or the tip moved): the next rig in need asks anew."""
        self._layouts.pop(layout, None)

    def assemble(self, work: Work, payee: Payee, header: bytes, extranonce: bytes) -> bytes:
        """The whole block for a solved header, whatever the node thinks of its layout."""
        coinbase = work.coinbase.paid_to(payee.coinbase_part)
        return assemble_block(header, coinbase.serialize(extranonce), work.template.transactions)

    # -- across restarts -------------------------------------------------------------------

    def restore(self, bodies: Iterable[Mapping[str, Any]], now: float) -> tuple[int, int]:
        """Take back the Works that an earlier process kept.

        Returns how many, and how many could not be read, e.g. from another version: those are
        left out.
        """
        taken = unreadable = 0
        for body in bodies:
            try:
                work = work_from_body(body, now)
                work.template = self._interned(work.template)
            except (KeyError, TypeError, ValueError):
                unreadable += 1
                continue
            self._book.restore(work)
            taken += 1
        return taken, unreadable

    def resume(
        self, jobs: Iterable[tuple[int, int, float]], current: int | None, layouts: Iterable[str]
    ) -> None:
        """Go on as the process that is handing its rigs over: after `restore`, and before any
        template. `jobs` are those that rigs may name: number, ntime and when each was made."""
        present = None if current is None else self._book.works.get(current >> 8)
        if present is None:
            return
        self.generation = self._gate.generation = 1
        for number, ntime, made in jobs:
            work = self._book.works.get(number >> 8)
            if work is None:
                continue
            is_present = work.template.prevhash == present.template.prevhash
            work.revive(int(is_present), self._weight_limit(work.template))
            job = self._book.revive(work, number & 0xFF, ntime, made)
            self._gate.add_job(number, ntime, work.gate_work)
            if number == current:
                self.current = job
        for layout in layouts:
            self._layouts[layout] = LayoutState.PROVEN
            self._kinds.add(layout.partition("+")[0])

    @property
    def jobs(self) -> Collection[Job]:
        """Every job that a rig may still name."""
        return self._book.jobs

    @property
    def proven_layouts(self) -> list[str]:
        return [layout for layout, s in self._layouts.items() if s is LayoutState.PROVEN]

    # -- inside ----------------------------------------------------------------------------

    def _start_work(self, template: Template, now: float, received: float | None = None) -> Job:
        """`received` is when the template came, where that was not now."""
        mask = VERSION_ROLLING_MASK & ~template.version_required
        max_ntime = self._max_ntime(template)
        follows = self.current if self.prevhash == template.prevhash else None
        is_capped = follows is not None and max_ntime is not None and follows.ntime >= max_ntime
        self._twist = self._twist + 1 if is_capped else 0
        work = Work(
            self._book.new_work_id(),
            self.generation,
            template,
            template.version & ~mask,
            mask,
            now if received is None else received,
            open_coinbase(
                template.height,
                coinbase_start(
                    template.height, self._twisted_tag(), EXTRANONCE1_SIZE + EXTRANONCE2_SIZE
                ),
                template.coinbasevalue,
                template.witness_commitment,
            ),
            self._weight_limit(template),
            max_ntime,
        )
        work.log_index = self._keep(work)
        self._book.add_work(work)
        self._forget(now)

        ntime = work.ntime(microseconds(now))
        if follows is not None:
            ntime = work.bounded(max(ntime, follows.ntime + 1))
        job = self._book.new_job(work, ntime, now)
        assert job is not None, "a new Work has all its ids"
        self._serve(job)
        return job

    def _serve(self, job: Job) -> None:
        """This is the job to work on from now; the gate knows it before any rig does."""
        self._gate.add_job(job.number, job.ntime, job.work.gate_work)
        self.jobs_made += 1
        self.current = job

    def _forget(self, now: float) -> None:
        self._book.forget(self.generation, now)
        self._gate.keep_jobs(self._book.numbers)

    def _twisted_tag(self) -> bytes:
        """Two jobs on one previous block never have the same content, or rigs that restart their
        extranonce2 would submit every share twice (rule 14). Time tells them apart, and where it
        can't, the tag does."""
        return b"%d%b" % (self._twist, self._tag) if self._twist else self._tag

    def _weight_limit(self, template: Template) -> int:
        """On main no share is harder than a block. Elsewhere the network's own difficulty falls
        to 1 whenever a block is late, and rigs would flood."""
        if self._network.is_test:
            return MAX_WEIGHT
        scale = self._network.scale
        return scale.settle(Fraction(scale.weight_of_target(template.network_target)))

    def _max_ntime(self, template: Template) -> int | None:
        """Testnet4 lets a block come 20 minutes after its parent only at the lowest difficulty.

        So a job of normal difficulty must not be rolled past that. Where the parent's time is
        not known yet, the template's own is certain to be good.
        """
        if self._network.name != "testnet4" or template.nbits == _TESTNET4_EASIEST:
            return None
        tip, tip_time = self._tip_time
        if tip != template.prevhash or tip_time is None:
            return template.curtime
        return max(tip_time + _TESTNET4_SPACING, template.mintime)

    def _new_generation(self, now: float) -> None:
        self.generation += 1
        self._gate.generation = self.generation
        # An objection may have been to the template: a new block, a new question.
        self._layouts = {
            layout: state
            for layout, state in self._layouts.items()
            if state is not LayoutState.WITHHELD
        }
        self._transactions.clear()
        self._forget(now)

    def _interned(self, template: Template) -> Template:
        """Templates of one block repeat most transactions: keep one copy of each."""
        known = self._transactions
        shared = tuple(
            known.setdefault(txid, data)
            for txid, data in zip(template.txids, template.transactions, strict=True)
        )
        return replace(template, transactions=shared)

    def _proposal(self, work: Work, payee: Payee) -> bytes:
        extranonce = bytes(EXTRANONCE1_SIZE + EXTRANONCE2_SIZE)
        checked = hashing.check_share(
            work.share_job,
            extranonce,
            work.version,
            work.template.curtime,
            0,
            bytes(32),
            payee.coinbase_part,
        )
        return self.assemble(work, payee, checked.header, extranonce)


def _layout(kind: str, template: Template) -> str:
    """Names what a node could object to in a coinbase's form, whoever is paid."""
    return kind + ("+commitment" if template.witness_commitment else "")


def _script_kind(script_pubkey: bytes) -> str:
    return _SCRIPT_KINDS.get((len(script_pubkey), script_pubkey[:1]), "other")


_SCRIPT_KINDS = {
    (25, b"\x76"): "p2pkh",
    (23, b"\xa9"): "p2sh",
    (22, b"\x00"): "p2wpkh",
    (34, b"\x00"): "p2wsh",
    (34, b"\x51"): "p2tr",
}
