"""What the log says of a pool's shares, and what a pool does without room for it."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratum.app import scribe as scribe_module
from stratum.app import service as service_module
from stratum.app.scribe import Scribe
from stratum.events import BlockFate
from stratum.ledger import log as log_module
from stratum.ledger.errors import StorageFull
from stratum.ledger.log import Log
from stratum.ledger.reading import read
from stratum.ledger.records import BodyRecord, RecordType
from stratum.ledger.templates import TemplateStore
from stratum.mining.settings import TierSettings
from stratum.mining.site import RefusedShares
from stratum.mining.verdicts import Verdict
from stratum.protocol.messages import swap_words
from tests.app.auditor import audit
from tests.app.world import TIER, Clock, HandRig, World, a_node, a_pool
from tests.ledger.conftest import file_size_limit, no_failure, until_room

P2WPKH = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
P2PKH = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


class Disk:
    """A disk that is full, or fails for good, while a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.log: Log | None = None
        allocate = os.posix_fallocate

        def open_log(*arguments: Any, **named: Any) -> Log:
            # Small segments: a full disk shows when the one at hand is used up.
            self.log = Log(*arguments, **{**named, "room": 64, "sync_interval": 0.001})
            return self.log

        def maybe(descriptor: int, offset: int, size: int) -> None:
            if self.is_full:
                raise OSError(errno.ENOSPC, "No space left on device")
            allocate(descriptor, offset, size)

        monkeypatch.setattr(service_module, "Log", open_log)
        monkeypatch.setattr(log_module, "RETRY_INTERVAL", 0.0)
        monkeypatch.setattr(os, "posix_fallocate", maybe)

    def fill(self) -> None:
        """No room for another segment, and none left in those there are."""
        self.is_full = True
        while self.log is not None and self.log.make_room():
            self.log.append(RecordType.STATEMENT, {})

    def empty(self) -> None:
        assert self.log is not None
        self.is_full = False
        until_room(self.log)

    def fail(self) -> None:
        assert self.log is not None
        self.log._failure = OSError(errno.EIO, "disk gone")
        self.log.tail.seal()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    name = scribe_module.__name__
    return [
        one.message for one in caplog.records if one.name == name and one.levelno >= logging.WARNING
    ]


def bodies(data_dir: Path, kind: RecordType) -> list[dict[str, object]]:
    records = [record for _, record in read(data_dir) if isinstance(record, BodyRecord)]
    return [record.body for record in records if record.leaf.type is kind]


async def accepted(rig: HandRig, count: int = 1, first: int = 0) -> list[bytes]:
    """Make so many accepted shares; their hashes."""
    shares = [rig.share(nth) for nth in range(first, first + count)]
    for share in shares:
        answer = await rig.submit(share)
        assert answer["result"] is True, answer
    return [share.block_hash for share in shares]


# -- the auditor ---------------------------------------------------------------------------


async def test_every_accepted_share_can_be_hashed_again_from_the_log_alone(
    tmp_path: Path,
) -> None:
    hard = replace(TIER, difficulty=2**-26)
    async with a_pool(tmp_path, listen=(TIER, hard)) as (world, node):
        node.mempool.add(5)
        users = ["farm.one", f"{P2WPKH}.two", f"{P2PKH}.three", P2WPKH, "farm.other.name"]
        hashes: dict[str, list[bytes]] = {}
        for place, user in enumerate(users):
            rig = await world.rig(user, tier=place % 2)
            hashes[user] = await accepted(rig, 3)
        # On the next block, with its transactions, a block of ours among the shares.
        solution = rig.solve(9)
        assert (await rig.submit(solution))["result"] is True
        hashes[users[-1]].append(solution.block_hash)
        while swap_words(bytes.fromhex(rig.job[1])) != solution.block_hash or not rig.job[4]:
            await rig.next_job()
        hashes[users[-1]] += await accepted(rig, 3)

    audited = audit(tmp_path)
    assert len(audited) == sum(map(len, hashes.values()))
    for place, user in enumerate(users):
        account, _, worker = user.partition(".")
        of_user = [one for one in audited if (one.account, one.worker) == (account, worker)]
        assert [one.block_hash for one in of_user] == hashes[user]
        assert {one.share.flags >> 8 for one in of_user} == {place % 2}
        assert {one.share.weight for one in of_user} == {2**6 if place % 2 else 2**4}
    assert [body["hash"] for body in bodies(tmp_path, RecordType.BLOCK)] == [solution.block_hash]


async def test_shares_with_rolled_versions_can_be_hashed_again(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.connect()
        options = {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}
        await rig.call("mining.configure", [["version-rolling"], options])
        await rig.ready()
        share = rig.share(version_bits=0x0ABCE000)
        assert (await rig.submit(share))["result"] is True
    (audited,) = audit(tmp_path)
    assert audited.block_hash == share.block_hash
    assert audited.share.version & 0x1FFFE000 == 0x0ABCE000


async def test_books_go_on_over_a_restart(tmp_path: Path) -> None:
    hashes: list[bytes] = []
    async with a_node() as node:
        for _ in range(3):
            async with World(tmp_path, node.settings) as world:
                hashes += await accepted(await world.rig("farm.same"), 2)
    audited = audit(tmp_path)
    assert [one.block_hash for one in audited] == hashes
    assert len({(one.share.account_id, one.share.worker_id) for one in audited}) == 1
    assert len(bodies(tmp_path, RecordType.POLICY)) == 3


async def test_block_and_its_fates_are_written_down(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.rig("farm.finder")
        solution = rig.solve()
        await rig.submit(solution)
        await world.listener.until(world.listener.fates)
    (block,) = bodies(tmp_path, RecordType.BLOCK)
    assert block["hash"] == solution.block_hash
    assert (block["height"], block["worker"]) == (1, "farm.finder")
    (status,) = bodies(tmp_path, RecordType.BLOCK_STATUS)
    assert (status["hash"], status["fate"]) == (solution.block_hash, "accepted")


# -- no room -------------------------------------------------------------------------------


async def test_full_log_refuses_shares_and_submits_blocks(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_pool(tmp_path) as (world, node):
        rig = await world.rig()
        await accepted(rig)
        disk.fill()
        for nth in range(1, 6):
            answer = await rig.submit(rig.share(nth))
            assert answer["error"] == [20, "storage full", None]
        assert len(errors(caplog)) == 1, "not a line for each share"

        solution = rig.solve(7)
        assert (await rig.submit(solution))["error"] == [20, "storage full", None]
        await world.listener.until(world.listener.fates)
        assert world.listener.fates() == [BlockFate.ACCEPTED]
        assert node.chain.tip.block_hash == solution.block_hash

        # The job on the new tip was made without room too; the next one is not.
        disk.empty()
        template = world.template
        while template.prevhash != solution.block_hash:
            await rig.next_job()
            template = world.template
        world.service._last_template -= 100
        world.service._on_template(template)
        job_id = f"{world.service._pool.current.job_id}"  # type: ignore[union-attr]
        while rig.job[0] != job_id:
            await rig.next_job()
        await accepted(rig, first=20)
    assert len(audit(tmp_path)) == 2


async def test_shares_on_a_job_that_is_not_in_the_log_are_refused(
    tmp_path: Path, disk: Disk
) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        rig = await world.rig()
        disk.fill()
        world.service._on_template(replace(world.template, prevhash=b"\x05" * 32))
        await rig.sync()
        disk.empty()
        assert rig.job[1] == swap_words(b"\x05" * 32).hex()
        answer = await rig.submit(rig.share())
        assert answer["error"] == [20, "storage full", None]
    assert audit(tmp_path) == []


async def test_job_that_found_no_room_is_written_down_once_there_is_some(
    tmp_path: Path, disk: Disk
) -> None:
    clock = Clock()
    async with a_pool(tmp_path, clock=clock) as (world, _):
        rig = await world.rig()
        disk.fill()
        world.service._on_template(replace(world.template, prevhash=b"\x05" * 32))
        await rig.sync()
        disk.empty()
        world.service._tick(clock())
        await accepted(rig)
    assert len(audit(tmp_path)) == 1


async def test_full_disk_does_not_stop_the_start(tmp_path: Path, disk: Disk) -> None:
    disk.fill()
    async with a_pool(tmp_path) as (world, node):
        rig = await world.rig()
        assert (await rig.submit(rig.share()))["error"] == [20, "storage full", None]
        solution = rig.solve(1)
        await rig.submit(solution)
        await world.listener.until(world.listener.fates)
        assert node.chain.tip.block_hash == solution.block_hash
    assert list(read(tmp_path)) == []


async def test_log_that_failed_refuses_shares_without_an_exception(
    tmp_path: Path, disk: Disk
) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.rig()
        disk.fail()
        assert (await rig.submit(rig.share()))["error"][0] == 20
        await rig.sync()


@pytest.mark.parametrize("how", ["removed", "replaced by a file"])
async def test_templates_that_cannot_be_saved_stop_no_share(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        shutil.rmtree(tmp_path / "templates")
        if how != "removed":
            (tmp_path / "templates").write_bytes(b"")
        rig = await world.rig()
        world.service._on_template(replace(world.template, prevhash=b"\x05" * 32))
        await rig.sync()
        assert rig.job[8] is True
        await accepted(rig)
        world.later(2)
        await accepted(rig, first=1)
    (error,) = errors(caplog)
    assert "templates for blocks after a crash not saved" in error


async def test_old_templates_make_room_for_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that our own templates fill has room again when they are forgotten."""
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        store = world.service._templates
        save, room = store.save, 2

        def save_where_room(work_id: int, body: dict[str, object]) -> None:
            if len(list((tmp_path / "templates").iterdir())) >= room:
                raise StorageFull("no room")
            save(work_id, body)

        monkeypatch.setattr(store, "save", save_where_room)
        for number in range(1, 6):
            template = replace(world.template, prevhash=bytes([number]) * 32)
            world.service._on_template(template)
            newest = world.service._pool.current
            assert newest is not None
            path = tmp_path / "templates" / f"{newest.work.work_id}.template"
        assert path.exists()


async def test_policy_tells_the_rules(tmp_path: Path) -> None:
    tiers = (TierSettings("127.0.0.1", 0, 1.0, 1.0),)
    async with a_pool(tmp_path, listen=tiers) as (world, _):
        address = world.config.payout.address
    (policy,) = bodies(tmp_path, RecordType.POLICY)
    assert policy == {
        "network": "regtest",
        "scheme": "solo",
        "address": address,
        "unknown_worker": "operator",
        "coinbase_tag": "/baseload/",
        "weight_shift": 32,
    }


async def test_refused_shares_are_counted_by_worker_and_cause(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig, stranger = await world.rig("farm.rig"), await world.rig("farm.new")
        share = rig.share()
        await rig.submit(share)
        for _ in range(2):
            assert (await rig.submit(share))["error"][0] == 22
        name, _, *rest = stranger.share().params
        await stranger.call("mining.submit", [name, "00000000", *rest])
        await stranger.call("mining.submit", ["nobody", *stranger.share().params[1:]])
    refused = bodies(tmp_path, RecordType.REJECT)
    (worker,) = [body for body in refused if body["worker"]]
    assert (worker["listen"], worker["counts"]) == (0, {"duplicate": 2})
    nobodys = [body["counts"] for body in refused if not body["worker"]]
    assert {"unknown_job": 1} in nobodys and {"unauthorized": 1} in nobodys
    (account,) = bodies(tmp_path, RecordType.ACCOUNT)
    assert worker["account"] == account["id"], "strangers get no number"


def test_counts_of_refused_shares_that_find_no_room_stop_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused = RefusedShares("", b"", "", 0, {Verdict.STALE: 2})
    with file_size_limit(0), Log(tmp_path, on_failure=no_failure) as log:
        Scribe(log, TemplateStore(tmp_path)).keep_refused(refused)
    assert "REJECT record not written down" in caplog.text


async def test_log_is_synced_when_the_pool_has_stopped(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        await accepted(await world.rig(), 3)
        assert await world.stop() == 0
        scribe = world.service._scribe
        assert scribe.synced == scribe.records == len(list(read(tmp_path)))
