"""The numbers that stand for accounts and workers in a share record.

A number is given with the first *accepted* share, never at authorize: strangers can send names
without end, but every one that costs us two records has to cost them a share first. The log is
the only memory: a start reads it back, so that a name keeps its number for ever.

An account is a name together with the script it is paid to. Where the operator changes
`payout.address`, a farm's name becomes a new account, and old shares stay with the old one.
"""

from __future__ import annotations

from stratum.ledger.errors import LogDamaged
from stratum.ledger.log import Log
from stratum.ledger.records import RecordType

#: 0 is nobody, so that a forgotten field in a record shows.
_FIRST_ID = 1


class Accounts:
    """Raises LogDamaged at construction where the log's records are not ours to understand."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._accounts: dict[tuple[str, bytes], int] = {}
        self._workers: dict[tuple[int, str], int] = {}
        self._rebuild()

    def ids(self, account: str, script_pubkey: bytes, worker: str) -> tuple[int, int]:
        """(account_id, worker_id) for a share that is about to be kept.

        A name seen for the first time is written to the log first. Raises what Log.append()
        raises, StorageFull above all; then nothing is numbered, and the share is not kept.
        """
        account, worker = _plain(account), _plain(worker)
        account_id = self._accounts.get((account, script_pubkey))
        if account_id is None:
            account_id = self._add_account(account, script_pubkey)
        worker_id = self._workers.get((account_id, worker))
        if worker_id is None:
            worker_id = self._add_worker(account_id, worker)
        return account_id, worker_id

    def _add_account(self, account: str, script_pubkey: bytes) -> int:
        account_id = _FIRST_ID + len(self._accounts)
        body = {"id": account_id, "name": account, "script": script_pubkey, "version": 1}
        self._log.append(RecordType.ACCOUNT, body)
        self._accounts[account, script_pubkey] = account_id
        return account_id

    def _add_worker(self, account_id: int, worker: str) -> int:
        worker_id = _FIRST_ID + len(self._workers)
        body = {"account": account_id, "id": worker_id, "name": worker}
        self._log.append(RecordType.WORKER, body)
        self._workers[account_id, worker] = worker_id
        return worker_id

    def _rebuild(self) -> None:
        for index, record in self._log.bodies(RecordType.ACCOUNT, RecordType.WORKER):
            body = record.body
            try:
                if record.leaf.type is RecordType.ACCOUNT:
                    self._accounts[body["name"], body["script"]] = body["id"]
                else:
                    self._workers[body["account"], body["name"]] = body["id"]
            except KeyError as exc:
                raise LogDamaged(f"record {index} of the log has no {exc}") from exc


def _plain(name: str) -> str:
    """The name as UTF-8 can hold it.

    JSON lets a peer send half a surrogate pair; a rig must not stop the books by its name.
    """
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()
