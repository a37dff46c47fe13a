"""Clients of the reference's §7.1, each with what is odd about it, to a first accepted share."""

from __future__ import annotations

import json

from tests.mining.ear import Line
from tests.mining.rig import Rig, Share
from tests.mining.world import ALICE, World

NAME = ALICE + ".w1"


def _subscribed(rig: Rig, reply: Line) -> None:
    rig.extranonce1 = bytes.fromhex(reply["result"][1])
    rig.worker_name = NAME


def _cgminer_submit(share: Share, request_id: int) -> str:
    """cgminer's member order and spacing."""
    return (
        f'{{"params": {json.dumps(share.params)}, "id": {request_id}, "method": "mining.submit"}}'
    )


def test_cpuminer_uses_one_id_for_all_its_shares_and_may_subscribe_twice(world: World) -> None:
    rig = world.connect()
    (first,) = rig.say('{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}')
    (again,) = rig.say('{"id": 1, "method": "mining.subscribe", "params": []}')
    assert first == again
    _subscribed(rig, first)

    authorize = f'{{"id": 2, "method": "mining.authorize", "params": ["{NAME}", "x"]}}'
    heard = rig.say(authorize)
    assert heard[0] == {"id": 2, "result": True, "error": None}

    for _ in range(3):
        share = rig.mine()
        fields = ", ".join(f'"{field}"' for field in share.params)
        (reply,) = rig.say(f'{{"method": "mining.submit", "params": [{fields}], "id":4}}')
        assert reply == {"id": 4, "result": True, "error": None}


def test_bmminer_asks_for_extranonces_between_subscribe_and_authorize(world: World) -> None:
    rig = world.connect()
    (reply,) = rig.say('{"id": 0, "method": "mining.subscribe", "params": ["bmminer/1.0.0"]}')
    _subscribed(rig, reply)
    (reply,) = rig.say('{"id": 1, "method": "mining.extranonce.subscribe", "params": []}')
    assert reply == {"id": 1, "result": True, "error": None}, "anything else kills the pool entry"
    rig.say(f'{{"id": 2, "method": "mining.authorize", "params": ["{NAME}", "x"]}}')
    (reply,) = rig.say('{"id": 3, "method": "mining.multi_version", "params": [1]}')
    assert reply == {"id": 3, "result": True, "error": None}

    (reply,) = rig.say(_cgminer_submit(rig.mine(), 4))
    assert reply["result"] is True
    methods = [line.get("method") for line in rig.ear.lines]
    assert "mining.multi_version" not in methods, "it would submit whole versions from then on"


def test_nerdqaxe_pipelines_five_requests_in_an_order_of_its_own(world: World) -> None:
    rig = world.connect()
    heard = rig.say(
        '{"id":1,"method":"mining.subscribe","params":["NerdQAxe++/BM1370/v1.0.30"]}',
        '{"id":2,"method":"mining.configure","params":[["version-rolling"],'
        '{"version-rolling.mask":"1fffe000"}]}',
        f'{{"id":3,"method":"mining.authorize","params":["{NAME}","x"]}}',
        '{"id":4,"method":"mining.suggest_difficulty","params":[0.0000001]}',
        '{"id":5,"method":"mining.extranonce.subscribe","params":[]}',
    )
    assert [line["id"] for line in heard if "result" in line] == [1, 2, 3, 4, 5]
    _subscribed(rig, heard[0])
    world.tick()
    assert rig.job.difficulty <= 1e-7
    (reply,) = rig.say(_cgminer_submit(rig.mine(version_bits=0x1FFFE000), 6))
    assert reply["result"] is True


def test_whatsminer_wants_nothing_but_what_it_asked_for(world: World) -> None:
    rig = world.connect()
    (reply,) = rig.say(
        '{"id": 196,"method":"mining.configure","params":[["version-rolling"],'
        '{"version-rolling.mask":"1fffe000"}]}'
    )
    assert reply["result"] == {"version-rolling": True, "version-rolling.mask": "1fffe000"}
    (reply,) = rig.say(
        '{"id": 197,"method":"mining.subscribe","params":["whatsminer/v1.0","3e0a2b7c"]}'
    )
    assert reply["id"] == 197 and reply["result"][2] == 8
    _subscribed(rig, reply)
    rig.say(f'{{"id": 198,"method":"mining.authorize","params":["{NAME}","x"]}}')
    (reply,) = rig.say(_cgminer_submit(rig.mine(version_bits=0), 4321))
    assert reply == {"id": 4321, "result": True, "error": None}
