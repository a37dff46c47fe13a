from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.bitcoin.networks import REGTEST
from stratum.bitcoin.script import push_number
from stratum.bitcoin.template import parse_template
from stratum.errors import ConfigError
from stratum.node.devnet_chain import DevChain
from stratum.node.devnet_mempool import DevMempool
from stratum.node.devnet_rpc import DevRpc
from stratum.node.spool import Spool, SpooledBlock, Stage, _height
from tests.ledger.conftest import file_size_limit
from tests.node.world import block_on


def _found() -> tuple[SpooledBlock, bytes]:
    mempool = DevMempool()
    mempool.add(5)
    rpc = DevRpc(DevChain(mempool.known), mempool, lambda: 1_800_000_000.0)
    found = block_on(parse_template(rpc.getblocktemplate({"rules": ["segwit"]}), REGTEST))
    return SpooledBlock(found.block_hash, found.height, Stage.FOUND), found.block


def _keep(spool: Spool, block: SpooledBlock, data: bytes) -> None:
    spool.sync(spool.write(block, data))


def test_written_block_is_read_back_by_the_next_start(tmp_path: Path) -> None:
    block, data = _found()
    _keep(Spool(tmp_path), block, data)
    again = Spool(tmp_path)
    assert list(again.blocks()) == [block]
    assert again.read(block) == data


def test_block_is_whole_after_a_kill_right_behind_the_write(tmp_path: Path) -> None:
    block, data = _found()
    (tmp_path / "data").write_bytes(data)
    script = f"""
import os, signal
from pathlib import Path
from stratum.node.spool import *
spool = Spool(Path({str(tmp_path / "spool")!r}))
data = Path({str(tmp_path / "data")!r}).read_bytes()
block = SpooledBlock(bytes.fromhex({block.block_hash.hex()!r}), {block.height}, Stage.FOUND)
spool.write(block, data)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", script], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list(Spool(tmp_path / "spool").blocks()) == [block]


@pytest.mark.parametrize("name", ["writing", "spare"])
def test_block_that_a_kill_left_without_its_name_is_adopted(tmp_path: Path, name: str) -> None:
    block, data = _found()
    Spool(tmp_path)
    (tmp_path / name).write_bytes(data)
    again = Spool(tmp_path)
    assert list(again.blocks()) == [block]
    assert again.read(block) == data
    assert again.has_spare


def test_spare_is_allocated_for_the_largest_block(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    assert os.stat(tmp_path / "spare").st_blocks * 512 >= 4_000_000
    _keep(spool, block, data)
    assert not spool.has_spare
    spool.make_spare()
    assert os.stat(tmp_path / "spare").st_blocks * 512 >= 4_000_000


def test_second_block_before_the_next_spare_is_written_too(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    other = SpooledBlock(b"\1" * 32, 9, Stage.FOUND)
    _keep(spool, block, data)
    _keep(spool, other, data)
    assert spool.read(other) == data


def test_block_written_while_the_next_spare_is_made_is_not_touched_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    (tmp_path / "spare").unlink()  # another block took it
    allocate = os.posix_fallocate

    def find_meanwhile(descriptor: int, offset: int, size: int) -> None:
        _keep(spool, block, data)
        allocate(descriptor, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", find_meanwhile)
    spool.make_spare()
    assert spool.path(block).read_bytes() == data
    assert list(Spool(tmp_path).blocks()) == [block]
    assert spool.has_spare


def test_spare_that_comes_in_the_middle_of_a_write_is_not_taken_for_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    (tmp_path / "spare").unlink()
    truncate = os.truncate

    def spare_arrives(descriptor: int, size: int) -> None:
        spool.make_spare()
        truncate(descriptor, size)

    monkeypatch.setattr(os, "truncate", spare_arrives)
    _keep(spool, block, data)
    assert spool.read(block) == data
    assert (tmp_path / "spare").stat().st_size == 4_000_000


def test_zeros_behind_a_block_are_cut_and_nothing_else_is(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    _keep(spool, block, data)
    spool.path(block).write_bytes(data + bytes(4_000_000 - len(data)))
    assert list(spool.blocks()) == [block]
    assert spool.read(block) == data
    spool.path(block).write_bytes(data + bytes(9) + b"1")
    assert list(spool.blocks()) == []


def test_full_disk_is_told_and_keeps_nobody_from_what_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    block, data = _found()
    _keep(Spool(tmp_path), block, data)
    with file_size_limit(1_000_000):
        spool = Spool(tmp_path)
        assert "no room is kept for the next block" in caplog.text
        assert not spool.has_spare
        assert list(spool.blocks()) == [block]
        with pytest.raises(OSError):
            spool.make_spare()
    assert {path.suffix for path in tmp_path.iterdir()} == {".found"}
    spool.make_spare()
    assert spool.has_spare


def test_directory_that_can_not_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Not a directory"):
        Spool(tmp_path / "file" / "spool")


def test_block_is_synced_under_whatever_name_it_has_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    descriptor = spool.write(block, data)
    moved = spool.move(block, Stage.ACCEPTED)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda one: synced.append(os.fstat(one).st_ino))
    spool.sync(descriptor)
    assert synced == [spool.path(moved).stat().st_ino, tmp_path.stat().st_ino]


def test_blocks_to_be_submitted_come_first_then_the_oldest(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    stages = [(10, Stage.ACCEPTED), (9, Stage.ORPHANED), (11, Stage.FOUND), (2, Stage.FOUND)]
    for height, stage in stages:
        _keep(spool, SpooledBlock(block.block_hash, height, stage), data)
    assert [one.height for one in spool.blocks()] == [2, 11, 9, 10]


def test_blocks_in_work_are_left_to_who_works_on_them(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    _keep(spool, block, data)
    assert list(spool.blocks(in_work={block.block_hash})) == []


def test_file_that_is_moved_while_it_is_read_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    _keep(spool, block, data)
    read = Path.read_bytes

    def move_first(path: Path) -> bytes:
        monkeypatch.undo()
        spool.move(block, Stage.ACCEPTED)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", move_first)
    assert list(spool.blocks()) == []
    assert "damaged" not in caplog.text
    assert [one.stage for one in spool.blocks()] == [Stage.ACCEPTED]


@pytest.mark.parametrize("content", [b"", bytes(300), b"junk"])
def test_damaged_file_is_reported_and_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    _keep(spool, block, data)
    spool.path(block).write_bytes(content)
    assert list(spool.blocks()) == []
    assert "is damaged" in caplog.text
    assert spool.path(block).with_suffix(".damaged").read_bytes() == content
    assert list(spool.blocks()) == []


def test_stage_is_in_the_name_and_survives(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    _keep(spool, block, data)
    moved = spool.move(block, Stage.ACCEPTED)
    assert list(Spool(tmp_path).blocks()) == [moved]
    spool.remove(moved)
    assert list(Spool(tmp_path).blocks()) == []


def test_strange_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", "1-zz.found", f"x-{'0' * 64}.found", f"1-{'0' * 64}.other"):
        (tmp_path / name).write_text("mine")
    assert list(Spool(tmp_path).blocks()) == []
    assert (tmp_path / "notes.txt").read_text() == "mine"


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_height_is_read_back_from_a_coinbase_script(height: int) -> None:
    assert _height(push_number(height) + b"rest") == height
