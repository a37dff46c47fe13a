"""A real log in a directory, and what a recount of it says its books must hold."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

from stratum.ledger.accounts import Accounts
from stratum.ledger.log import Log
from stratum.ledger.reading import read
from stratum.ledger.records import RecordType, ShareRecord, share_flags
from tests.ledger.conftest import PATIENCE_S, no_failure, share, until_room
from tests.ledger.worksums import NOON


class KeptLog:
    """Writes what serve would write. `clock` is what its records say; a test moves it on."""

    def __init__(self, directory: Path, room: int = 512) -> None:
        self.clock = float(NOON)
        self._log = Log(
            directory,
            on_failure=no_failure,
            sync_interval=0.001,
            room=room,
            now_us=lambda: self.us,
        )
        self._accounts = Accounts(self._log)

    @property
    def us(self) -> int:
        return int(self.clock * 1e6)

    @property
    def count(self) -> int:
        return self._log.next_index

    def share(
        self,
        name: str = "farm.rig1",
        count: int = 1,
        *,
        weight: int = 1024,
        tier: int = 0,
        best: int = 0x2A80,
    ) -> None:
        account, _, worker = name.partition(".")
        until_room(self._log)
        account_id, worker_id = self._accounts.ids(account, b"\x51", worker)
        for _ in range(count):
            until_room(self._log)
            self._log.append_share(
                share(
                    self._log.next_index,
                    edge_seq=self._log.next_edge_seq,
                    recv_time_us=self.us,
                    account_id=account_id,
                    worker_id=worker_id,
                    weight=weight,
                    flags=share_flags(listen=tier),
                    best=best,
                )
            )

    def reject(self, name: str = "", tier: int = 0, **counts: int) -> None:
        """Of a worker that has had a share, or of nobody."""
        account_id = worker_id = 0
        if name:
            account, _, worker = name.partition(".")
            account_id, worker_id = self._accounts.ids(account, b"\x51", worker)
        body = {"account": account_id, "worker": worker_id, "listen": tier, "counts": counts}
        self.record(RecordType.REJECT, **body)

    def block(self, height: int, fate: str = "accepted") -> None:
        block_hash = height.to_bytes(32, "little")
        self.record(RecordType.BLOCK, hash=block_hash, height=height, worker="farm.rig1", sats=50)
        self.record(RecordType.BLOCK_STATUS, hash=block_hash, fate=fate, reason="")

    def record(self, kind: RecordType, **body: Any) -> None:
        until_room(self._log)
        self._log.append(kind, body)

    def sync(self) -> None:
        """Wait until readers may see everything."""
        give_up = time.monotonic() + PATIENCE_S
        while self._log.synced_count < self._log.next_index:
            assert time.monotonic() < give_up, "the log was not synced"
            self._log.hurry()
            time.sleep(0.001)

    def close(self) -> None:
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def recount(directory: Path) -> dict[str, Counter[tuple[int, ...]]]:
    """Shares, work and rejects of a log by (worker, tier), one record after the other."""
    counted: dict[str, Counter[tuple[int, ...]]] = {
        "shares": Counter(),
        "work": Counter(),
        "rejected": Counter(),
    }
    for _, record in read(directory):
        if isinstance(record, ShareRecord):
            key = (record.worker_id, record.flags >> 8 & 0xFF)
            counted["shares"][key] += 1
            counted["work"][key] += record.weight
        elif record.leaf.type is RecordType.REJECT:
            key = (record.body["worker"], record.body["listen"])
            counted["rejected"][key] += sum(record.body["counts"].values())
    return counted
