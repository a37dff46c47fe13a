from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.ledger.accounts import Accounts
from stratum.ledger.errors import LogDamaged
from stratum.ledger.log import Log
from stratum.ledger.reading import read
from stratum.ledger.records import BodyRecord, RecordType
from tests.ledger.conftest import no_failure

SCRIPT = bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6")
OTHER = bytes.fromhex("00141111111111111111111111111111111111111111")

NAMES = st.sampled_from(["farm", "farm.1", "farm.2", "", "ü", "\ud800"])


def written(directory: Path) -> list[tuple[RecordType, dict[str, object]]]:
    return [
        (record.leaf.type, record.body)
        for _, record in read(directory)
        if isinstance(record, BodyRecord)
    ]


def test_first_accepted_share_writes_account_and_worker(
    opened: Callable[[], Log], tmp_path: Path
) -> None:
    accounts = Accounts(opened())
    assert written(tmp_path) == []
    assert accounts.ids("farm", SCRIPT, "farm.1") == (1, 1)
    assert written(tmp_path) == [
        (RecordType.ACCOUNT, {"id": 1, "name": "farm", "script": SCRIPT, "version": 1}),
        (RecordType.WORKER, {"account": 1, "id": 1, "name": "farm.1"}),
    ]


def test_later_shares_write_nothing(opened: Callable[[], Log]) -> None:
    log = opened()
    accounts = Accounts(log)
    accounts.ids("farm", SCRIPT, "farm.1")
    assert accounts.ids("farm", SCRIPT, "farm.1") == (1, 1)
    assert log.next_index == 2
    assert accounts.ids("farm", SCRIPT, "farm.2") == (1, 2)
    assert log.next_index == 3


def test_same_name_paid_elsewhere_is_another_account(opened: Callable[[], Log]) -> None:
    accounts = Accounts(opened())
    assert accounts.ids("farm", SCRIPT, "farm.1") == (1, 1)
    assert accounts.ids("farm", OTHER, "farm.1") == (2, 2)


@settings(max_examples=30)  # every restart waits for a disk
@given(
    st.lists(
        st.none() | st.tuples(NAMES, st.sampled_from([SCRIPT, OTHER]), NAMES),
        max_size=12,
    )
)
def test_numbers_are_for_ever_across_restarts(
    steps: list[tuple[str, bytes, str] | None],
) -> None:
    """None is a restart; whatever was asked before has the same answer after it."""
    given_before: dict[tuple[str, bytes, str], tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as name:
        log = Log(Path(name), on_failure=no_failure)
        accounts = Accounts(log)
        for step in steps:
            if step is None:
                log.close()
                log = Log(Path(name), on_failure=no_failure)
                accounts = Accounts(log)
            else:
                ids = accounts.ids(*step)
                assert given_before.setdefault(step, ids) == ids
        log.close()
    workers = {(ids, worker) for (_, _, worker), ids in given_before.items()}
    assert len({ids[1] for ids, _ in workers}) == len(workers)


def test_record_of_another_making_is_damage(opened: Callable[[], Log]) -> None:
    log = opened()
    log.append(RecordType.ACCOUNT, {"id": 1, "name": "farm"})
    with pytest.raises(LogDamaged, match="record 0 of the log has no 'script'"):
        Accounts(log)
