"""A rig in a test: says lines, hears lines, hashes.

It builds its header from what the wire told it and nothing else, the way cgminer does, so that
pool and rig can only agree if both are right. Every line it hears goes past an Ear first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import hashing
from stratum.bitcoin.target import target_from_nbits
from stratum.mining.conduct import CloseSession
from stratum.mining.session import Session
from stratum.units import DIFF1_TARGET, DifficultyScale
from tests.mining.ear import Ear, Line

MASK = 0x1FFFE000


@dataclass(frozen=True, slots=True)
class HeardJob:
    """mining.notify as it came, with the difficulty that was in force."""

    job_id: str
    prevhash: str
    coinb1: bytes
    coinb2: bytes
    branch: tuple[bytes, ...]
    version: int
    nbits: int
    ntime: int
    clean_jobs: bool
    difficulty: Fraction

    @property
    def share_target(self) -> int:
        return int(Fraction(DIFF1_TARGET) / self.difficulty)

    @property
    def network_target(self) -> int:
        return target_from_nbits(self.nbits)


@dataclass(frozen=True, slots=True)
class Share:
    """A submit's parameters."""

    worker_name: str
    job_id: str
    extranonce2: str
    ntime: str
    nonce: str
    version_bits: str | None = None

    @property
    def params(self) -> list[str]:
        fields = [self.worker_name, self.job_id, self.extranonce2, self.ntime, self.nonce]
        return fields if self.version_bits is None else [*fields, self.version_bits]


class Rig:
    """One connection's other end."""

    def __init__(
        self, session: Session, clock: Callable[[], float], scale: DifficultyScale
    ) -> None:
        self.session = session
        self.ear = Ear(scale)
        self.is_open = True
        self.closing: str | None = None
        self.extranonce1 = b""
        self.session_id = ""
        self.worker_name = ""
        self.jobs: list[HeardJob] = []
        self._clock = clock
        self._next_id = 1
        self._extranonce2 = 0

    # -- lines -----------------------------------------------------------------------------

    def say(self, *lines: str | bytes | dict[str, Any]) -> list[Line]:
        """Send lines in one segment; what was heard since, replies included."""
        return self.send(b"".join(encode(line) + b"\n" for line in lines))

    def send(self, data: bytes) -> list[Line]:
        """Send bytes as they are. A session that ends is noted in `closing`."""
        try:
            self.session.receive(data, self._clock())
            # Past so many lines of one read the server gives others a turn.
            while self.session.is_throttled and not self.session.throttled_for:
                self.session.go_on(self._clock())
        except CloseSession as closing:
            self.closing = str(closing)
        return self.listen()

    def go_on(self) -> list[Line]:
        """What the server does when a throttled rig has budget again."""
        self.session.go_on(self._clock())
        return self.listen()

    def listen(self) -> list[Line]:
        """Take what the session has to say."""
        return self.take(self.session.out.take())

    def take(self, data: bytes) -> list[Line]:
        """Hear whole lines, from the session or from a socket."""
        heard = self.ear.hear(data)
        for line in heard:
            if line.get("method") == "mining.notify":
                self._take_job(line["params"])
        return heard

    def ask(self, method: str, params: Any, request_id: Any = None) -> Line:
        """Send one request; its reply."""
        if request_id is None:
            request_id, self._next_id = self._next_id, self._next_id + 1
        heard = self.say({"id": request_id, "method": method, "params": params})
        replies = [line for line in heard if "result" in line]
        assert len(replies) == 1, f"{method} was answered by {heard}"
        assert replies[0]["id"] == request_id
        return replies[0]

    # -- conversation ----------------------------------------------------------------------

    def subscribe(self, *params: Any) -> Line:
        reply = self.ask("mining.subscribe", list(params or ("cgminer/4.11.1",)))
        subscriptions, extranonce1, size = reply["result"]
        assert size == 8
        self.extranonce1 = bytes.fromhex(extranonce1)
        self.session_id = dict(subscriptions)["mining.notify"]
        return reply

    def authorize(self, name: str, password: str = "x") -> Line:
        reply = self.ask("mining.authorize", [name, password])
        if reply["result"] and not self.worker_name:
            self.worker_name = name
        return reply

    def configure(self, mask: int = 0xFFFFFFFF) -> Any:
        wishes = {"version-rolling.mask": f"{mask:08x}"}
        return self.ask("mining.configure", [["version-rolling"], wishes])["result"]

    def submit(self, share: Share, request_id: Any = None) -> Line:
        return self.ask("mining.submit", share.params, request_id)

    def verdict(self, share: Share) -> int | None:
        """0 for an accepted share, else the code of the error."""
        reply = self.submit(share)
        if reply["error"] is None:
            assert reply["result"] is True
            return 0
        assert reply["result"] is None
        return int(reply["error"][0])

    @property
    def job(self) -> HeardJob:
        return self.jobs[-1]

    # -- hashing ---------------------------------------------------------------------------

    def mine(
        self,
        job: HeardJob | None = None,
        *,
        name: str | None = None,
        version_bits: int | None = None,
        ntime: int | None = None,
        target: int | None = None,
        above: int | None = None,
    ) -> Share:
        """Search a share of the job that meets `target`, the job's own if not given.

        `above`: one whose hash is above that, e.g. no block, or not good enough.
        """
        job = job or self.job
        ntime = job.ntime if ntime is None else ntime
        target = job.share_target if target is None else target
        while True:
            extranonce2 = self._extranonce2.to_bytes(8, "little")
            self._extranonce2 += 1
            header = self.header(job, extranonce2, version_bits or 0, ntime)
            nonce = hashing.search_nonce(header, target, 0, 1 << 32)
            if nonce is None:
                continue
            found = hashing.header_hash(header[:76] + nonce.to_bytes(4, "little"))
            if above is None or int.from_bytes(found, "little") > above:
                break
        return Share(
            self.worker_name if name is None else name,
            job.job_id,
            extranonce2.hex(),
            f"{ntime:08x}",
            f"{nonce:08x}",
            None if version_bits is None else f"{version_bits:08x}",
        )

    def mine_block(self, job: HeardJob | None = None, **wishes: Any) -> Share:
        job = job or self.job
        return self.mine(job, target=min(job.network_target, job.share_target), **wishes)

    def mine_low(self, job: HeardJob | None = None) -> Share:
        """A hash that proves nothing."""
        job = job or self.job
        return self.mine(job, target=2**256 - 1, above=job.share_target)

    def header(self, job: HeardJob, extranonce2: bytes, bits: int = 0, ntime: int = 0) -> bytes:
        """The 80 bytes, nonce zero."""
        coinbase = job.coinb1 + self.extranonce1 + extranonce2 + job.coinb2
        root = hashing.sha256d(coinbase)
        for node in job.branch:
            root = hashing.sha256d(root + node)
        words = [job.prevhash[i : i + 8] for i in range(0, 64, 8)]
        return (
            (job.version | bits).to_bytes(4, "little")
            + b"".join(bytes.fromhex(word)[::-1] for word in words)
            + root
            + (ntime or job.ntime).to_bytes(4, "little")
            + job.nbits.to_bytes(4, "little")
            + bytes(4)
        )

    def _take_job(self, params: list[Any]) -> None:
        job_id, prevhash, coinb1, coinb2, branch, version, nbits, ntime, clean_jobs = params
        assert self.ear.difficulty is not None
        job = HeardJob(
            job_id,
            prevhash,
            bytes.fromhex(coinb1),
            bytes.fromhex(coinb2),
            tuple(bytes.fromhex(node) for node in branch),
            int(version, 16),
            int(nbits, 16),
            int(ntime, 16),
            clean_jobs,
            self.ear.difficulty,
        )
        self.jobs.append(job)


def with_name(share: Share, name: str) -> Share:
    return replace(share, worker_name=name)


def encode(line: str | bytes | dict[str, Any]) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line)).encode()
