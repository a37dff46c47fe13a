"""A pool's hand on the other end of the client's conversation, for its tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stratum.protocol.upstream import (
    Phase,
    Upstream,
    UpstreamSettings,
)
from stratum.protocol.upstream_events import (
    NotifyReceived,
    UpstreamEvent,
    UpstreamJob,
)

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "wire_vectors.json").read_text())
NOTIFY = VECTORS["blocks"][0]["notify"]["params"]
MASK = 0x1FFFE000


class Wire:
    """A pool's hand on the other end: says lines, and hears what the client sent."""

    def __init__(self, **changes: Any) -> None:
        self.client = Upstream(UpstreamSettings("user.w1", **changes))
        self.now = 1000.0
        self.client.connected(self.now)

    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.client.outgoing().splitlines()]

    def raw(self, line: str) -> list[UpstreamEvent]:
        return self.client.receive(line.encode() + b"\n", self.now)

    def say(self, method: str, *params: Any) -> list[UpstreamEvent]:
        return self.raw(json.dumps({"id": None, "method": method, "params": params}))

    def answer(self, request: dict[str, Any], result: Any, **more: Any) -> list[UpstreamEvent]:
        return self.raw(json.dumps({"id": request["id"], "result": result, "error": None} | more))

    def answer_configure(self, mask: str = "1fffe000") -> None:
        result = {"version-rolling": True, "version-rolling.mask": mask}
        self.answer(self.heard()[0], result)

    def answer_subscribe(self, extranonce1: str = "29387c9b", size: int = 8) -> list[UpstreamEvent]:
        subscriptions = [["mining.set_difficulty", "5e55"], ["mining.notify", "5e55"]]
        return self.answer(self.heard()[0], [subscriptions, extranonce1, size])

    def answer_authorize(self, result: Any = True, **more: Any) -> list[UpstreamEvent]:
        asked = [line for line in self.heard() if line["method"] == "mining.authorize"]
        return self.answer(asked[0], result, **more)

    def shake_hands(self, extranonce1: str = "29387c9b") -> list[UpstreamEvent]:
        if self.client.phase is Phase.CONFIGURE:
            self.answer_configure()
        return [*self.answer_subscribe(extranonce1), *self.answer_authorize()]

    def job(self) -> UpstreamJob:
        return only_job(self.say("mining.notify", *NOTIFY))

    def submit(self, job: UpstreamJob, nonce: int = 7) -> int:
        return self.client.submit(job, bytes(8), job.ntime, nonce, 0, self.now)


def only_job(events: list[UpstreamEvent]) -> UpstreamJob:
    [job] = [event.job for event in events if isinstance(event, NotifyReceived)]
    return job


def ready(**changes: Any) -> Wire:
    wire = Wire(**changes)
    wire.shake_hands()
    return wire
