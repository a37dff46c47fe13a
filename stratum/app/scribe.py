"""The scribe, between the game and the log: what is written down, and when.

`mining` hands out values and knows no ledger, the ledger keeps records and knows no game; the
translation is here. A Work is kept before any rig hears of it, a share before it is answered.
"""

from __future__ import annotations

import logging
import time

import hashing
from stratum.config import PoolConfig
from stratum.errors import OutsideError
from stratum.events import BlockFate, BlockFateChanged, BlockFound
from stratum.ledger.accounts import Accounts
from stratum.ledger.errors import LogFailed, StorageFull
from stratum.ledger.log import Log
from stratum.ledger.records import RecordType, ShareRecord, share_flags
from stratum.ledger.templates import TemplateStore
from stratum.mining.jobs import NOT_KEPT, Work
from stratum.mining.kept import work_to_body
from stratum.mining.site import AcceptedShare, RefusedShares
from stratum.node.faults import FaultLog

logger = logging.getLogger(__name__)

_EDGE = 0  # one process takes all shares


class Scribe:
    """The writing side of one pool's log."""

    def __init__(self, log: Log, templates: TemplateStore) -> None:
        self._templates = templates
        self.attach(log)
        self._unsaved: list[Work] = []
        self._refused = FaultLog(logger, "keeping shares")

    def attach(self, log: Log) -> None:
        """Write to this log from now on; somebody else may have written to it meanwhile."""
        self._log = log
        self._accounts = Accounts(log)

    @property
    def records(self) -> int:
        return self._log.next_index

    @property
    def synced(self) -> int:
        return self._log.synced_count

    def keep_policy(self, config: PoolConfig) -> None:
        """The rules that the records after this one were made under."""
        payout = config.payout
        self._keep_fact(
            RecordType.POLICY,
            {
                "network": config.network.name,
                "scheme": payout.scheme,
                "address": payout.address,
                "unknown_worker": payout.unknown_worker,
                "coinbase_tag": payout.coinbase_tag,
                "weight_shift": config.network.scale.shift,
            },
        )

    def keep_work(self, work: Work) -> int:
        """Write a Work's record: the rule of its coinbases. Returns its log index."""
        self._unsaved.append(work)
        index = self._append_job(work)
        if index == NOT_KEPT:
            logger.error("job of height %s not written down", work.template.height)
        return index

    def keep_again(self, work: Work) -> None:
        """Write down now what could not be kept before: its next shares can be credited."""
        if work.log_index == NOT_KEPT:
            work.log_index = self._append_job(work)

    def _append_job(self, work: Work) -> int:
        try:
            return self._log.append(RecordType.JOB, _job_body(work))
        except (StorageFull, LogFailed):
            return NOT_KEPT

    def save_templates(self, live: set[int]) -> None:
        """Save the templates of Works kept since the last call, and drop those not `live`.

        After the broadcast: megabytes must not delay a job, and all they are for is a block on
        a job from before a crash.
        """
        unsaved, self._unsaved = self._unsaved, []
        if not unsaved:
            return
        try:
            self._templates.forget(live)  # first: on a full disk that makes the room
            for work in unsaved:
                if work.work_id in live:
                    self._templates.save(work.work_id, work_to_body(work))
        except (StorageFull, OSError) as exc:
            logger.error("templates for blocks after a crash not saved: %s", exc)

    def keep_share(self, share: AcceptedShare) -> tuple[int, int] | None:
        """Append one accepted share; its account's and its worker's number.

        None where it can't be kept and must not be answered true.
        """
        if share.log_index == NOT_KEPT:
            return None
        worker = _worker(share.worker_name)
        try:
            ids = self._accounts.ids(share.account, share.script_pubkey, worker)
            self._log.append_share(
                ShareRecord(
                    edge_id=_EDGE,
                    flags=share_flags(candidate=share.meets_network_target, listen=share.tier),
                    edge_seq=self._log.next_edge_seq,
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
            )
        except (StorageFull, LogFailed) as exc:
            self._refused.fault(f"shares are refused: {exc}", time.monotonic(), logging.ERROR)
            return None
        self._refused.clear()
        return ids

    def keep_worker(self, account: str, script_pubkey: bytes, name: str) -> tuple[int, int] | None:
        """The numbers of a worker's account and of itself; None where a new one can't be kept."""
        try:
            return self._accounts.ids(account, script_pubkey, _worker(name))
        except (StorageFull, LogFailed):
            return None

    def keep_refused(self, refused: RefusedShares) -> None:
        """Write down how many shares of a worker were refused, by cause.

        Numbers are given with accepted shares only: what strangers send is nobody's, account 0
        and worker 0.
        """
        account_id = worker_id = 0
        if refused.account:
            account_id, worker_id = self._accounts.ids(
                refused.account, refused.script_pubkey, _worker(refused.worker_name)
            )
        self._keep_fact(
            RecordType.REJECT,
            {
                "account": account_id,
                "worker": worker_id,
                "listen": refused.tier,
                "counts": {verdict.value: count for verdict, count in refused.counts.items()},
            },
        )

    def keep_block(self, found: BlockFound) -> None:
        self._keep_fact(
            RecordType.BLOCK,
            {
                "hash": found.block_hash,
                "height": found.height,
                "worker": found.worker_name,
                "sats": found.sats,
            },
        )

    def keep_fate(self, changed: BlockFateChanged) -> None:
        if changed.fate is not BlockFate.FOUND:
            self._keep_fact(
                RecordType.BLOCK_STATUS,
                {"hash": changed.block_hash, "fate": changed.fate.value, "reason": changed.reason},
            )

    def _keep_fact(self, kind: RecordType, body: dict[str, object]) -> None:
        try:
            self._log.append(kind, body)
        except (OutsideError, LogFailed, ValueError) as exc:
            logger.error("%s record not written down: %s", kind.name, exc)


def _worker(worker_name: str) -> str:
    return worker_name.partition(".")[2]


def _job_body(work: Work) -> dict[str, object]:
    """What an auditor needs to hash the shares of this job again.

    coinb2 is a rule, not ten thousand scripts: one output of coinbasevalue to the account's
    script, then the commitment, where there is one (DESIGN §8.3).
    """
    template = work.template
    return {
        "work_id": work.work_id,
        "height": template.height,
        "prevhash": template.prevhash,
        "nbits": template.nbits,
        "version": work.version,
        "curtime": template.curtime,
        "branch": list(template.branch),
        "coinbasevalue": template.coinbasevalue,
        "fees": template.fees,
        "coinb1": work.coinbase.coinb1,
        "witness_commitment": template.witness_commitment,
        "txids": hashing.sha256(b"".join(template.txids)),
    }
