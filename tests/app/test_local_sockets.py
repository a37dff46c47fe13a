from __future__ import annotations

import os
import stat
from pathlib import Path

import aiohttp
import pytest

from stratum.app.local_sockets import Meeting
from stratum.errors import ConfigError
from stratum.observability.live import Live, live_server


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def long_directory(tmp_path: Path) -> Path:
    path = tmp_path / ("x" * 120) / ("y" * 120)
    path.mkdir(parents=True)
    return path


def test_socket_is_for_the_pools_own_user_only(tmp_path: Path) -> None:
    with Meeting(tmp_path, "a.sock") as meeting, meeting.listen():
        mode = (tmp_path / "a.sock").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600


def test_what_an_earlier_run_left_is_replaced(tmp_path: Path) -> None:
    with Meeting(tmp_path, "a.sock") as meeting:
        meeting.listen().close()
        assert not meeting.answers()
        with meeting.listen():
            assert meeting.answers()


def test_nobody_answers_where_nothing_is(tmp_path: Path) -> None:
    with Meeting(tmp_path, "a.sock") as meeting:
        assert not meeting.answers()


async def test_two_meet_in_a_directory_whose_name_is_longer_than_a_socket_address(
    tmp_path: Path,
) -> None:
    directory = long_directory(tmp_path)
    before = descriptors()
    with Meeting(directory, "a.sock") as here:
        server = live_server(lambda: Live("0", "regtest", 0.0, 0.0))
        await server.start(here.listen())
        with Meeting(directory, "a.sock") as there:
            connector = aiohttp.UnixConnector(there.path)
            async with (
                aiohttp.ClientSession(connector=connector) as http,
                http.get("http://serve/live") as reply,
            ):
                assert reply.status == 200
        await server.stop()
    assert (directory / "a.sock").is_socket()
    assert descriptors() <= before


@pytest.mark.parametrize("length", range(100, 112))
def test_every_length_around_the_limit_works(tmp_path: Path, length: int) -> None:
    base = Path(os.path.relpath(tmp_path, "/tmp"))
    directory = Path("/tmp") / base / ("d" * (length - len(f"/tmp/{base}//a.sock")))
    directory.mkdir()
    with Meeting(directory, "a.sock") as meeting, meeting.listen():
        assert len(str(directory / "a.sock")) == length
        assert meeting.answers()


def test_directory_that_cannot_be_used_is_the_operators_to_mend(tmp_path: Path) -> None:
    with Meeting(tmp_path / "gone", "a.sock") as meeting:
        with pytest.raises(ConfigError, match="data_dir: can't listen on"):
            meeting.listen()
    with pytest.raises(ConfigError, match="data_dir: .*No such file"):
        Meeting(tmp_path / ("z" * 120), "a.sock")
