"""The key behind session ids: whole, private, and the same for as long as the data_dir lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stratum.app.session_key import session_key
from stratum.errors import ConfigError


def test_key_is_kept(tmp_path: Path) -> None:
    assert session_key(tmp_path) == session_key(tmp_path)
    assert len(session_key(tmp_path)) == 32


def test_every_data_dir_has_its_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    assert session_key(one) != session_key(other)


@pytest.mark.parametrize("torn", [b"", b"k" * 31, b"k" * 33])
def test_torn_key_is_replaced(torn: bytes, tmp_path: Path) -> None:
    (tmp_path / "session.key").write_bytes(torn)
    key = session_key(tmp_path)
    assert key != torn and len(key) == 32
    assert session_key(tmp_path) == key


@pytest.mark.parametrize("left_over", [False, True])
def test_key_is_readable_to_its_owner_only(left_over: bool, tmp_path: Path) -> None:
    """Also where a kill left an unfinished one with a mode of its own."""
    if left_over:
        (tmp_path / "session.unfinished").write_bytes(b"half")
        (tmp_path / "session.unfinished").chmod(0o666)
    before = os.umask(0)
    try:
        session_key(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "session.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["session.key"]


def test_key_that_cannot_be_made_is_the_operators_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data_dir: .*session\.key can't be used"):
        session_key(tmp_path / "absent")
