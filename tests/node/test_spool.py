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
from stratum.node.devnet_chain import DevChain
from stratum.node.devnet_mempool import DevMempool
from stratum.node.devnet_rpc import DevRpc
from stratum.node.spool import Spool, SpooledBlock, Stage, _height
from tests.node.world import block_on


def _found() -> tuple[SpooledBlock, bytes]:
    mempool = DevMempool()
    mempool.add(5)
    rpc = DevRpc(DevChain(mempool.known), mempool, lambda: 1_800_000_000.0)
    found = block_on(parse_template(rpc.getblocktemplate({"rules": ["segwit"]}), REGTEST))
    return SpooledBlock(found.block_hash, found.height, Stage.FOUND), found.block


def test_written_block_is_read_back_by_the_next_start(tmp_path: Path) -> None:
    block, data = _found()
    Spool(tmp_path).write(block, data)
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


def test_block_left_in_the_spare_file_by_a_kill_is_adopted(tmp_path: Path) -> None:
    block, data = _found()
    Spool(tmp_path)
    (tmp_path / "spare").write_bytes(data)
    again = Spool(tmp_path)
    assert list(again.blocks()) == [block]
    assert again.read(block) == data


def test_spare_is_allocated_for_the_largest_block(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    assert os.stat(tmp_path / "spare").st_blocks * 512 >= 4_000_000
    spool.write(block, data)
    assert not (tmp_path / "spare").exists()
    spool.sync(block)
    assert os.stat(tmp_path / "spare").st_blocks * 512 >= 4_000_000


def test_second_block_before_the_next_spare_is_written_too(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    other = SpooledBlock(b"\1" * 32, 9, Stage.FOUND)
    spool.write(block, data)
    spool.write(other, data)
    assert spool.read(other) == data


@pytest.mark.parametrize("content", [b"", bytes(300), b"junk"])
def test_damaged_file_is_reported_and_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    spool.write(block, data)
    spool.path(block).write_bytes(content)
    assert list(spool.blocks()) == []
    assert "is damaged" in caplog.text
    assert spool.path(block).with_suffix(".damaged").read_bytes() == content
    assert list(spool.blocks()) == []


def test_stage_is_in_the_name_and_survives(tmp_path: Path) -> None:
    block, data = _found()
    spool = Spool(tmp_path)
    spool.write(block, data)
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
