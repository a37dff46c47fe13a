"""What each real client sends, byte for byte, up to its first accepted share.

The transcripts are `wire_golden.json`. A literal keeps its spacing and member order; only the
account, a submit's values and a wished difficulty are the test's own: they must be worth
something here, and a share must be found in no time.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stratum.bitcoin.networks import MAIN
from stratum.mining.settings import TierSettings
from tests.mining.ear import Line
from tests.mining.rig import HeardJob, Rig, Share
from tests.mining.world import ALICE, World, address

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "wire_golden.json").read_text()
)
EXAMPLE_USER = "bc1qexampleuser"
EASY_WISH = r"\1[0.0000001]"
_EASIER = re.compile(r'(suggest_difficulty", ?"params": ?)\[\d+\]')
TLS_HELLO = bytes.fromhex("1603010200010001fc0303")

CGMINER = "cgminer-4.11.1 (default build, no vmask)"
S19 = "Antminer S17/S19/S21 stock"
NICEHASH = "NiceHash (marketplace buyer/proxy)"


class Client:
    """Plays one side of a transcript."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rig: Rig = world.connect()
        self.name = ""
        self.accepted = 0

    def play(self, direction: str, text: str) -> None:
        literal = text.split("   (")[0]
        if direction in (">", ">?") and literal.startswith("{"):
            self._say(literal)
        elif "ClientHello" in literal:
            self.rig.send(TLS_HELLO)
            assert self.rig.closing == "TLS on the plain port"
            self.world.disconnect(self.rig)
            assert self.world.site.gatekeeper.refusal("192.0.2.1", self.world.now) is None
            self.rig = self.world.connect()

    def submit(self, bits: int | None = None) -> None:
        """For transcripts that end before their first share."""
        text = '{"params": ["W", "J", "E", "T", "N"], "id": 1000, "method": "mining.submit"}'
        if bits is not None:
            text = text.replace('"N"', '"N", "V"')
        self._say(text)

    def _say(self, literal: str) -> None:
        literal = _EASIER.sub(EASY_WISH, literal.replace(EXAMPLE_USER, ALICE))
        literal = literal.replace("00000000ffff", "0fffffffffff")
        request = json.loads(literal)
        method, params = request["method"], request["params"]
        if method == "mining.submit":
            literal = _with_values(literal, params, self._mine(params))
        if method == "mining.get_transactions":
            literal = literal.replace('"1"', f'"{self.rig.job.job_id}"')

        heard = self.rig.say(literal)
        if request["id"] is None:
            assert [line for line in heard if "result" in line] == []
        else:
            self._check_reply(method, params, heard[0], request["id"])

    def _check_reply(self, method: str, params: list[Any], reply: Line, request_id: Any) -> None:
        assert reply["id"] == request_id and type(reply["id"]) is type(request_id)
        if method == "mining.subscribe":
            self.rig.extranonce1 = bytes.fromhex(reply["result"][1])
            self.rig.session_id = dict(reply["result"][0])["mining.notify"]
            assert reply["result"][2] == 8
        elif method == "mining.configure":
            asked = int(params[1]["version-rolling.mask"], 16)
            assert reply["result"] == {
                "version-rolling": True,
                "version-rolling.mask": f"{asked & 0x1FFFE000:08x}",
            }
        elif method == "mining.get_transactions":
            assert reply["error"] is not None
        else:
            assert reply["result"] is True and reply["error"] is None
        if method == "mining.authorize":
            self.name = self.rig.worker_name = params[0]
        self.accepted += method == "mining.submit"

    def _mine(self, params: list[str]) -> Share:
        bits = None if len(params) < 6 else 0x053AC000 if self.rig.session.rig.mask else 0
        return self.rig.mine(name=self.name, version_bits=bits)


def _with_values(literal: str, params: list[str], share: Share) -> str:
    for old, new in zip(params, share.params, strict=True):
        literal = literal.replace(f'"{old}"', f'"{new}"', 1)
    assert json.loads(literal)["params"] == share.params
    return literal


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("with_options", [False, True])
def test_client_gets_to_its_first_accepted_share(
    world: World, name: str, with_options: bool
) -> None:
    client = Client(world)
    lines = GOLDEN[name]["lines"]
    for direction, text in lines:
        if direction == ">" or (direction == ">?" and with_options):
            client.play(direction, text)
            world.tick()
    if not client.accepted:
        client.submit()
    assert client.accepted == 1 and len(world.records) == 1


def test_transcripts_are_the_eight_of_the_reference() -> None:
    assert len(GOLDEN) == 8


def test_esp_miner_pipelines_its_whole_handshake(world: World) -> None:
    rig = world.connect()
    literals = [text.split("   (")[0] for _, text in GOLDEN["ESP-Miner (Bitaxe)"]["lines"][:3]]
    heard = rig.say(*(literal.replace(EXAMPLE_USER, ALICE) for literal in literals))
    assert [line["id"] for line in heard] == [1, 2, 3, None, None]


def test_antminer_s9_uses_its_two_bits_after_a_late_configure(world: World) -> None:
    client = Client(world)
    for direction, text in GOLDEN["Antminer S9 stock, AsicBoost/low-power firmware"]["lines"]:
        client.play(direction, text)
    share = client.rig.mine(name=client.name, version_bits=0x00C00000)
    assert client.rig.verdict(share) == 0


def test_cgminer_gets_its_extranonce_back_on_reconnect(world: World) -> None:
    client = Client(world)
    for direction, text in GOLDEN[CGMINER]["lines"]:
        client.play(direction, text)
    first = client.rig
    world.disconnect(first)

    back = world.connect()
    (reply,) = back.say(
        f'{{"id": 9, "method": "mining.subscribe", "params": ["cgminer/4.11.1", '
        f'"{first.session_id}"]}}'
    )
    assert reply["result"][1] == first.extranonce1.hex()


def test_antminer_s19_with_a_session_of_another_pool_gets_a_fresh_one(world: World) -> None:
    text = GOLDEN[S19]["lines"][-1][1].removeprefix("reconnect: ")
    (reply,) = world.connect().say(text)
    assert reply["id"] == 149 and len(reply["result"][1]) == 8


def test_nicehash_is_told_a_difficulty_it_accepts_on_a_port_made_for_it() -> None:
    world = World(MAIN, tier=TierSettings("127.0.0.1", 0, 500_000.0, 500_000.0))
    world.new_block(nbits=0x1702068F)
    rig = world.connect()
    for direction, text in GOLDEN[NICEHASH]["lines"]:
        if direction == ">":
            rig.say(text.split("   (")[0].replace(EXAMPLE_USER, address(2, MAIN)))
    job: HeardJob = rig.job
    assert job.difficulty >= 500_000
