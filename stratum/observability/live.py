"""One look at the process that serves rigs: what only it knows, for the books beside it.

Asked over its own Unix socket (`GET /live`), never by strangers. Statistics are not in it: those
are made from the log, by the process that asks. Times are Unix seconds, money sats, hashes hex
in display order; a name that a peer chose is passed on as it came, and whoever shows it escapes
it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiohttp import web

from stratum.observability.status import BlockRow, EventRow, JobRow, NodeRow
from stratum.observability.web import LocalServer, application, json_answer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    _Row = TypeVar("_Row", bound=DataclassInstance)

#: Rows of sessions in one look; `rigs` tells of the others. Ten thousand rows would cost the
#: event loop more than the shares of those rigs do.
SESSIONS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One connection with an authorized worker."""

    worker: str
    agent: str
    difficulty: float
    connected_at: float
    listen: int  # which [[listen]] table it came by, from 0


@dataclass(frozen=True, slots=True)
class Live:
    """Everything at one moment; newest blocks and events first."""

    version: str
    network: str
    now: float
    started_at: float
    fault: str = ""  # why rigs get no work; empty when they do
    connections: int = 0
    rigs: int = 0  # connections with an authorized worker
    shares: Mapping[str, int] = field(default_factory=dict)  # by verdict, since the start
    listens: Sequence[str] = ()  # host:port, where rigs connect
    job: JobRow | None = None
    nodes: Sequence[NodeRow] = ()
    blocks: Sequence[BlockRow] = ()
    events: Sequence[EventRow] = ()
    sessions: Sequence[SessionRow] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain maps, lists and numbers under the names above."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Self:
        """Keys that are not known are passed over: the two may be of different versions.

        Raises TypeError where one is missing, or is no table where it should be.
        """
        fields = dict(answer)
        if fields.get("job") is not None:
            fields["job"] = _row(JobRow, fields["job"])
        for key, kind in _ROWS.items():
            fields[key] = tuple(_row(kind, row) for row in fields.get(key, ()))
        return _row(cls, fields)


_ROWS: dict[str, type[Any]] = {
    "nodes": NodeRow,
    "blocks": BlockRow,
    "events": EventRow,
    "sessions": SessionRow,
}


def _row(kind: type[_Row], fields: Mapping[str, Any]) -> _Row:
    known = {each.name for each in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in fields.items() if name in known})


def live_server(look: Callable[[], Live]) -> LocalServer:
    """Answers `GET /live` with a look of its own each time."""

    async def get_live(_: web.Request) -> web.Response:
        return json_answer(look().as_json())

    app = application()
    app.router.add_get("/live", get_live)
    return LocalServer(app)
