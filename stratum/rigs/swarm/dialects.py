"""How five kinds of firmware speak: order, ids, blanks, and the shape of a submit line.

Taken down from their sources and from captures (the reference's §7). What a dialect never does is
ask for a difficulty: that would change the load it is here to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from hashing.tallies import (
    PUT_EXTRANONCE2,
    PUT_ID,
    PUT_JOB_ID,
    PUT_NONCE,
    PUT_NTIME,
    PUT_VERSION_BITS,
)


class Asked(Enum):
    """What a request of the handshake is about."""

    CONFIGURE = auto()
    SUBSCRIBE = auto()
    AUTHORIZE = auto()
    ELSE = auto()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: USER stands for the worker name, SESSION for a session to resume."""

    about: Asked
    id: int | str
    text: str

    def line(self, user: str, session_id: str) -> bytes:
        session = f', "{session_id}"' if session_id else ""
        return self.text.replace("SESSION", session).replace("USER", user).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Dialect:
    """`submit` has words where values go; ids of shares begin at `first_id`."""

    name: str
    asks: tuple[Ask, ...]
    submit: str
    first_id: int
    is_pipelined: bool = False  # asks everything at once, else each after the answer before
    same_id: bool = False
    ntime_roll: int = 0

    @property
    def awaited(self) -> int:
        """How many answers make it ready: ckpool leaves what it doesn't know unanswered, so the
        questions about anything else come last and wait for nothing."""
        return sum(ask.about is not Asked.ELSE for ask in self.asks)

    @property
    def rolls_version(self) -> bool:
        return "VERSION_BITS" in self.submit

    def submit_line(self, user: str) -> bytes:
        """As the core wants it."""
        line = self.submit.encode() + b"\n"
        for word, byte in _WORDS:
            line = line.replace(word, byte)
        return line.replace(b"USER", user.encode())


_WORDS = (
    (b"EXTRANONCE2", PUT_EXTRANONCE2),
    (b"VERSION_BITS", PUT_VERSION_BITS),
    (b"JOB", PUT_JOB_ID),
    (b"NTIME", PUT_NTIME),
    (b"NONCE", PUT_NONCE),
    (b"NUMBER", PUT_ID),
)

_CGMINER = Dialect(
    "cgminer",
    (
        Ask(
            Asked.SUBSCRIBE,
            0,
            '{"id": 0, "method": "mining.subscribe", "params": ["cgminer/4.11.1"SESSION]}',
        ),
        Ask(
            Asked.AUTHORIZE,
            1,
            '{"id": 1, "method": "mining.authorize", "params": ["USER", "x"]}',
        ),
    ),
    '{"params": ["USER", "JOB", "EXTRANONCE2", "NTIME", "NONCE"], "id": NUMBER,'
    ' "method": "mining.submit"}',
    first_id=2,
)

_MINERD = Dialect(
    "minerd",
    (
        Ask(
            Asked.SUBSCRIBE,
            1,
            '{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"SESSION]}',
        ),
        Ask(
            Asked.AUTHORIZE,
            2,
            '{"id": 2, "method": "mining.authorize", "params": ["USER", "x"]}',
        ),
    ),
    '{"method": "mining.submit", "params": ["USER", "JOB", "EXTRANONCE2", "NTIME", "NONCE"],'
    ' "id":4}',
    first_id=4,
    same_id=True,
)

#: ntime follows the clock (miner.c:10409).
_BFGMINER = Dialect(
    "bfgminer",
    (
        Ask(
            Asked.SUBSCRIBE,
            0,
            '{"id": 0, "method": "mining.subscribe", "params": ["bfgminer/5.5.0"SESSION]}',
        ),
        Ask(
            Asked.AUTHORIZE,
            "auth",
            '{"id": "auth", "method": "mining.authorize", "params": ["USER", "x"]}',
        ),
    ),
    '{"params": ["USER", "JOB", "EXTRANONCE2", "NTIME", "NONCE"], "id": NUMBER,'
    ' "method": "mining.submit"}',
    first_id=1,
    ntime_roll=60,
)

_ESP_MINER = Dialect(
    "esp-miner",
    (
        Ask(
            Asked.CONFIGURE,
            1,
            '{"id":1,"method":"mining.configure","params":[["version-rolling"],'
            '{"version-rolling.mask":"ffffffff"}]}',
        ),
        Ask(
            Asked.SUBSCRIBE,
            2,
            '{"id":2,"method":"mining.subscribe","params":["bitaxe/BM1370/v2.9.0"]}',
        ),
        Ask(Asked.AUTHORIZE, 3, '{"id":3,"method":"mining.authorize","params":["USER","x"]}'),
        Ask(Asked.ELSE, 4, '{"id":4,"method":"mining.extranonce.subscribe","params":[]}'),
    ),
    '{"id":NUMBER,"method":"mining.submit","params":["USER","JOB","EXTRANONCE2","NTIME","NONCE",'
    '"VERSION_BITS"]}',
    first_id=5,
    is_pipelined=True,
)

#: Its submit lines are not on record; ids as strings stand in for the clients that send those.
_BOSMINER = Dialect(
    "bosminer",
    (
        Ask(
            Asked.CONFIGURE,
            0,
            '{"id":0,"method":"mining.configure","params":[["version-rolling"],'
            '{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":16}]}',
        ),
        Ask(
            Asked.SUBSCRIBE,
            1,
            '{"id":1,"method":"mining.subscribe","params":["bosminer-plus-am1-s9 0.9.0-26ba61b9",'
            "null,null,null]}",
        ),
        Ask(Asked.AUTHORIZE, 2, '{"id":2,"method":"mining.authorize","params":["USER",""]}'),
    ),
    '{"id":"NUMBER","method":"mining.submit","params":["USER","JOB","EXTRANONCE2","NTIME","NONCE",'
    '"VERSION_BITS"]}',
    first_id=3,
    ntime_roll=60,
)

DIALECTS = {
    dialect.name: dialect for dialect in (_CGMINER, _MINERD, _BFGMINER, _ESP_MINER, _BOSMINER)
}
