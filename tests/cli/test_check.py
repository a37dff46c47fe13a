"""`stratum.app.check` against a node that answers, real sockets and real locks."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from pathlib import Path
from typing import Protocol

import pytest
import zmq

from stratum.app.check import check, data_dir_problems, live_problems
from stratum.bitcoin.networks import MAIN, SIGNET
from stratum.config import PoolConfig
from stratum.ledger.log import Log
from stratum.mining.settings import TierSettings
from stratum.node.devnet import DevNode
from stratum.node.settings import NodeSettings


class World(Protocol):
    """What `conftest.World` is to these tests."""

    results: dict[str, object]
    errors: dict[str, dict[str, object]]

    @property
    def settings(self) -> NodeSettings: ...


async def faults(config: PoolConfig) -> dict[str, str]:
    return {problem.key: str(problem) for problem in await live_problems(config)}


async def test_a_config_that_works_has_no_problems_and_leaves_nothing_behind(
    config: PoolConfig,
) -> None:
    assert await faults(config) == {}
    assert not config.data_dir.exists()


async def test_a_node_that_mines_regtest_is_usable(config: PoolConfig) -> None:
    async with DevNode() as node:
        assert await faults(dataclasses.replace(config, nodes=(node.settings,))) == {}


async def test_a_node_that_is_not_running_is_named(config: PoolConfig) -> None:
    gone = NodeSettings("http://127.0.0.1:1", "u", "p")
    config = dataclasses.replace(config, nodes=(*config.nodes, gone))
    found = await faults(config)
    assert found.keys() == {"node[1]"}
    assert "127.0.0.1:1 refuses the connection" in found["node[1]"]


async def test_wrong_credentials_are_told_from_a_dead_node(config: PoolConfig) -> None:
    stranger = dataclasses.replace(config.nodes[0], password="wrong")
    found = await faults(dataclasses.replace(config, nodes=(stranger,)))
    assert "wrong credentials" in found["node[0]"]


async def test_a_node_on_another_chain_is_named_with_its_chain(
    config: PoolConfig, world: World
) -> None:
    world.results["getblockhash"] = MAIN.genesis_hex
    found = await faults(config)
    assert "is on main, the config says regtest" in found["node[0]"]
    world.results["getblockhash"] = "00" * 32
    found = await faults(config)
    assert "a chain that begins with the block 0000" in found["node[0]"]


async def test_a_node_that_gives_no_template_is_quoted(config: PoolConfig, world: World) -> None:
    world.errors["getblocktemplate"] = {"code": -10, "message": "initial sync"}
    assert "downloading the chain" in (await faults(config))["node[0]"]


async def test_a_template_that_can_not_be_mined_on_is_refused(
    config: PoolConfig, world: World
) -> None:
    world.results["getblocktemplate"] = {"height": 1}
    assert "not usable" in (await faults(config))["node[0]"]


async def test_a_signet_that_signs_its_blocks_is_refused(config: PoolConfig, world: World) -> None:
    template = world.results["getblocktemplate"]
    assert isinstance(template, dict)
    world.results["getblockhash"] = SIGNET.genesis_hex
    world.results["getblocktemplate"] = template | {
        "signet_challenge": "5121" + "02" * 33 + "51ae",
        "rules": ["csv", "!segwit", "!signet", "taproot"],
    }
    found = await faults(dataclasses.replace(config, network=SIGNET))
    assert "BIP 325" in found["node[0]"]


async def test_a_zmq_publisher_is_recognised_and_a_stranger_is_not(
    config: PoolConfig, world: World
) -> None:
    def naming(endpoint: str) -> PoolConfig:
        node = dataclasses.replace(world.settings, zmq_hashblock=endpoint)
        return dataclasses.replace(config, nodes=(node,))

    with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        assert await faults(naming(f"tcp://127.0.0.1:{port}")) == {}

    server = await asyncio.start_server(_speak_http, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await faults(naming(f"tcp://127.0.0.1:{port}"))
    assert "is no ZeroMQ socket" in found["node[0].zmq_hashblock"]

    found = await faults(naming("tcp://127.0.0.1:1"))
    assert "Connection refused" in found["node[0].zmq_hashblock"]


async def _speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


async def test_a_port_that_is_taken_is_named_by_its_key(config: PoolConfig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tier = TierSettings("127.0.0.1", taken.getsockname()[1])
        found = await faults(dataclasses.replace(config, listen=(*config.listen, tier)))
    assert found.keys() == {"listen[1].address"}
    assert "another program listens there" in found["listen[1].address"]


async def test_an_address_of_another_machine_can_not_be_listened_on(config: PoolConfig) -> None:
    tier = TierSettings("192.0.2.1", 3333)  # RFC 5737: in documentation only
    found = await faults(dataclasses.replace(config, listen=(tier,)))
    assert "no interface of this machine" in found["listen[0].address"]


async def test_a_running_pool_is_noticed_and_its_own_ports_are_not_blamed(
    config: PoolConfig,
) -> None:
    failures: list[OSError] = []
    log = Log(config.data_dir, on_failure=failures.append)
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            tier = TierSettings("127.0.0.1", taken.getsockname()[1])
            found = await faults(dataclasses.replace(config, listen=(tier,)))
    finally:
        log.close()
    assert found.keys() == {"data_dir"}
    assert "in use by a running pool" in found["data_dir"]
    assert failures == []


def test_a_data_dir_that_nobody_uses_is_left_as_it_was(tmp_path: Path) -> None:
    assert data_dir_problems(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_data_dir_inside_a_file_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (problem,) = data_dir_problems(tmp_path / "file" / "data")
    assert problem.key == "data_dir"


def test_a_file_with_problems_is_not_tried_out(bad_file: Path) -> None:
    static = check(bad_file)
    assert len(static) == 5
    assert check(bad_file, live=True) == static


def test_a_file_without_problems_is_tried_out_when_asked(good_file: Path) -> None:
    assert check(good_file) == []
    (problem,) = check(good_file, live=True)
    assert problem.key == "node[0]"


def test_a_data_dir_that_can_not_be_made_is_found_without_trying_the_rest(
    good_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    inside = str(tmp_path / "file" / "data")
    good_file.write_text(good_file.read_text().replace(str(tmp_path / "data"), inside))
    (problem,) = check(good_file)
    assert problem.key == "data_dir"
    assert [one.key for one in check(good_file, live=True)].count("data_dir") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["gone.toml", "."])
def test_a_file_that_can_not_be_read_is_the_problem(tmp_path: Path, name: str) -> None:
    (problem,) = check(tmp_path / name)
    assert problem.key == str(tmp_path / name)
