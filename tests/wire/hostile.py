"""Turns the notation of `wire_hostile.json` into bytes, and what a session does into a word.

A case is written for people: USER, JOB and GOOD… stand for values that only a test has, remarks
follow the line, long payloads are shortened. Most cases are expanded by substitution; those that
are prose are spelled out in `SPELLED`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hashing
from stratum.bitcoin.target import hash_to_int
from stratum.mining.limits import STRIKE
from tests.mining.ear import Line
from tests.mining.rig import HeardJob, Rig, Share
from tests.mining.world import ALICE, World

CASES: list[dict[str, str]] = json.loads(
    (Path(__file__).parents[1] / "data" / "wire_hostile.json").read_text()
)

USER = ALICE
BITS = 0x053AC000

#: Before a rig has a job it can only make one up.
NO_SHARE = Share(USER, "00000100", "00" * 8, "6a1a5c2f", "12345678", "00000000")


@dataclass(slots=True)
class Stage:
    """A rig in the state that a case begins in: S0, S1 or S2."""

    world: World
    rig: Rig
    share: Share | None = None
    old: HeardJob | None = None
    stale: HeardJob | None = None


def stage(state: str) -> Stage:
    """S2 has a job of the previous block (STALE), an earlier one of this block (OLD) and JOB."""
    world = World()
    world.new_block()
    rig = world.connect()
    if state == "S0":
        return Stage(world, rig)
    rig.subscribe("x/1")
    if state == "S1":
        return Stage(world, rig)

    rig.configure()
    rig.authorize(USER)
    for _ in range(10):
        world.new_block()  # until an id has a letter in it
    stale = rig.job
    world.new_block()
    old = rig.job
    world.refresh()
    return Stage(world, rig, _lettered(rig), old, stale)


def _lettered(rig: Rig) -> Share:
    """A share with a letter in its nonce, for the cases about upper case."""
    while True:
        share = rig.mine(version_bits=BITS, above=rig.job.network_target)
        if share.nonce != share.nonce.upper():
            return share


def payload(case: dict[str, str], on: Stage) -> bytes:
    """The bytes of a case."""
    spelled = SPELLED.get(case["n"])
    if spelled is not None:
        data = spelled(on)
        return data if isinstance(data, bytes) else _fill(data, on.share or NO_SHARE) + b"\n"
    text = case["send"]
    end = max(text.rfind("}"), text.rfind("]")) + 1
    line = text[:end] if end else text.removesuffix("\\n")
    return _fill(line, on.share or NO_SHARE) + b"\n"


def _fill(text: str, share: Share) -> bytes:
    values = {
        "GOODEN2": share.extranonce2,
        "GOODNT": share.ntime,
        "GOODNONCE": share.nonce,
        "GOODVB": share.version_bits,
        "JOB": share.job_id,
    }
    for token, value in values.items():
        text = text.replace(f'"{token}"', f'"{value}"')
    return re.sub(r"\bUSER\b", USER, text).encode()


def _submit(share: Share, **fields: Any) -> bytes:
    """A submit with fields of the share replaced by anything."""
    params: list[Any] = list(share.params)
    names = ["name", "job_id", "extranonce2", "ntime", "nonce", "version_bits"]
    for name, value in fields.items():
        params[names.index(name)] = value
    return json.dumps({"id": 4, "method": "mining.submit", "params": params}).encode() + b"\n"


def _good(on: Stage) -> Share:
    assert on.share is not None
    return on.share


def _on_job(on: Stage, job: HeardJob | None) -> bytes:
    assert job is not None
    return _submit(on.rig.mine(job, version_bits=BITS, above=job.network_target))


def _shifted_ntime(on: Stage, ntime: int) -> bytes:
    return _submit(on.rig.mine(version_bits=BITS, ntime=ntime, above=on.rig.job.network_target))


def _of_other_connection(on: Stage) -> bytes:
    other = on.world.ready(USER)
    on.world.pool.refresh(on.world.now + 2)
    return _submit(other.mine(version_bits=0))


def _of_earlier_extranonce1(on: Stage) -> bytes:
    """One that happens to be no share of this connection."""
    other = on.world.ready(USER)
    while True:
        share = other.mine(version_bits=0)
        header = on.rig.header(on.rig.job, bytes.fromhex(share.extranonce2))
        solved = header[:76] + int(share.nonce, 16).to_bytes(4, "little")
        if hash_to_int(hashing.header_hash(solved)) > on.rig.job.share_target:
            return _submit(share)


def _barely_low(on: Stage) -> bytes:
    """Good enough for BFGMiner alone, which takes bdiff for pdiff: 15 ppm too high."""
    job = on.rig.job
    pdiff = job.share_target * 65536 // 65535
    return _submit(on.rig.mine(job, version_bits=BITS, target=pdiff, above=job.share_target))


SUBSCRIBE = '{"id":1,"method":"mining.subscribe","params":[]}'
_PADDING = "y" * 7000

SPELLED: dict[str, Callable[[Stage], bytes | str]] = {
    "H001": lambda on: b"",
    "H002": lambda on: b'{"id"',
    "H004": lambda on: b"A" * 8193,
    "H005": lambda on: b'{"id":1,"method":"mining.submit","params":["' + b"A" * 2**20 + b'"]}\n',
    "H007": lambda on: SUBSCRIBE.encode() + b"\r\n",
    "H008": lambda on: b"  \t" + SUBSCRIBE.encode() + b"  \n",
    "H010": lambda on: SUBSCRIBE + '\n{"id":2,"method":"mining.authorize","params":["USER","x"]}',
    "H011": lambda on: SUBSCRIBE + SUBSCRIBE,
    "H016": lambda on: bytes.fromhex("802e010301001500000010"),
    "H017": lambda on: b"GET / HTTP/1.1\r\nHost: pool\r\n\r\n",
    "H019": lambda on: b"CONNECT 1.2.3.4:3333 HTTP/1.1\r\n\r\n",
    "H020": lambda on: b"PROXY TCP4 9.9.9.9 1.1.1.1 1234 3333\r\n" + SUBSCRIBE.encode() + b"\n",
    "H022": lambda on: b"SSH-2.0-libssh_0.9.6\r\n",
    "H023": lambda on: bytes.fromhex("f9beb4d976657273696f6e0000000000"),
    "H025": lambda on: bytes.fromhex("1f8b0800000000000003"),
    "H026": lambda on: b"\xef\xbb\xbf" + SUBSCRIBE.encode() + b"\n",
    "H028": lambda on: b"\x00" + SUBSCRIBE.encode() + b"\n",
    "H029": lambda on: b'{"id":4,"method":"mining.authorize","params":["a\xff\xfe","x"]}\n',
    "H032": lambda on: SUBSCRIBE[:-1],
    "H055": lambda on: '{"id":' + "9" * 5000 + ',"method":"mining.submit","params":[]}',
    "H058": lambda on: SUBSCRIBE[:-1] + f',"x":"{_PADDING}"}}',
    "H074": lambda on: 100 * _submit(_good(on)),
    "H079": lambda on: SUBSCRIBE,
    "H080": lambda on: SUBSCRIBE,
    "H086": lambda on: json.dumps(
        {"id": 1, "method": "mining.subscribe", "params": ["x/1", on.world.ready().session_id]}
    ),
    "H109": lambda on: (
        '{"id":0,"method":"mining.configure","params":[['
        + ",".join(f'"a{number}"' for number in range(10_000))
        + "],{}]}"
    ),
    "H122": lambda on: '{"id":5,"method":"mining.suggest_target","params":["' + "0" * 64 + '"]}',
    "H124": lambda on: '{"id":5,"method":"mining.suggest_target","params":["' + "f" * 64 + '"]}',
    "H146": lambda on: 2 * _submit(_good(on)),
    "H148": lambda on: _submit(_good(on), nonce=_good(on).nonce.upper()),
    "H149": lambda on: _submit(_good(on), nonce="0x" + _good(on).nonce),
    "H151": lambda on: _submit(_good(on), nonce="1234567"),
    "H166": lambda on: _submit(_good(on), extranonce2="0" * 4096),
    "H167": lambda on: _shifted_ntime(on, on.rig.job.ntime - 1),
    "H169": lambda on: _shifted_ntime(on, int(on.world.now) + 7201),
    "H176": lambda on: _submit(on.rig.mine(version_bits=0x1FFFE000), version_bits="1FFFE000"),
    "H179": lambda on: _submit(on.rig.mine(version_bits=0), version_bits=None),
    "H181": lambda on: _submit(on.rig.mine()),
    "H187": lambda on: _on_job(on, on.stale),
    "H188": lambda on: _on_job(on, on.old),
    "H191": lambda on: _submit(_good(on), job_id=_good(on).job_id.upper()),
    "H193": lambda on: _submit(_good(on), job_id="a" * 5000),
    "H194": _of_other_connection,
    "H196": _barely_low,
    "H197": _of_earlier_extranonce1,
    "H199": lambda on: 2000 * _submit(on.rig.mine_low()),
    "H206": lambda on: '{"id":7,"method":"mining.passthrough","params":[]}',
    "H208": lambda on: '{"id":1,"method":"login","params":{"login":"x","agent":"xmrig"}}',
}


def reactions(rig: Rig, heard: list[Line]) -> list[str]:
    """What the session did, in words of the cases: OK, ERR n, IGN, CLOSE, STRIKE."""
    words = [_word(line) for line in heard if "result" in line]
    if rig.closing is not None:
        words.append("STRIKE" if rig.session.conduct._score >= STRIKE else "CLOSE")
    return words or ["IGN"]


def _word(reply: Line) -> str:
    return "OK" if reply["error"] is None else f"ERR {reply['error'][0]}"


def expected(case: dict[str, str]) -> set[str]:
    """Every reaction that a case allows."""
    text = case["expect"]
    words = set(re.findall(r"ERR -?\d+|OK|IGN|CLOSE|STRIKE", text))
    if "process" in text or "absent" in text:
        words.add("IGN" if "IGN" in text else "OK")
    if "or close" in text or "cap" in text:
        words |= {"CLOSE", "STRIKE"}
    return words
