"""One job on its way to every rig.

Nearly all rigs are plain: ready, on this block, their difficulty unchanged. The gate notes for
all of them at once which job they get and at which difficulty, and what is left to do for each is
one write of bytes that those with the same payee share. The others take the way that their
Session knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stratum.mining.jobs import Job
from stratum.mining.site import Site
from stratum.net.answers import write_each
from stratum.net.connection import Connection

#: Connections between two pauses: 2 ms of writes, then 4 ms for everybody's shares. 18,000 rigs
#: have an ordinary job within a second.
SLICE = 200
PAUSE = 0.004


class Spread:
    """Construction notes the job for every plain rig; then they must be written to."""

    def __init__(
        self, site: Site, seats: Sequence[Connection | None], job: Job, clean_jobs: bool
    ) -> None:
        self._job = job
        self._clean = clean_jobs
        if site.pool.offers_everyone(job.work):
            others = set(site.gate.push_job(job.number, job.work.weight_limit))
        else:
            others = set(range(len(seats)))
        self._at = 0  # slices: so many of both lists together have been served
        self._plain: list[Connection] = []
        self._others: list[Connection] = []
        for slot, connection in enumerate(seats):
            if connection is not None:
                (self._others if slot in others else self._plain).append(connection)

    def write_all(self) -> None:
        """To everybody at once: a new tip."""
        write_each(self._pieces(self._plain))
        for connection in self._others:
            connection.give(self._job, self._clean)

    def write_slice(self) -> float:
        """To the next few; the pause until the slice after it, 0 when all have been served."""
        plain, others, at = self._plain, self._others, self._at
        self._at += SLICE
        # One that was given a newer job in a pause must not get this one after it.
        number = self._job.number
        now = plain[at : at + SLICE]
        due = (c for c in now if c.session and c.session.rig.state.newest == number)
        write_each(self._pieces(due))
        for connection in others[max(at - len(plain), 0) : max(self._at - len(plain), 0)]:
            connection.give(self._job, self._clean)
        return PAUSE if self._at < len(plain) + len(others) else 0.0

    def _pieces(self, connections: Iterable[Connection]) -> Iterator[tuple[Connection, bytes]]:
        """Each with its line; neighbours with one payee share it.

        Where each has its own, a line lives for one write, and the next is made in its place:
        ten thousand that are kept are ten thousand that the cache has not."""
        job, clean = self._job, self._clean
        line = paid = b""
        for connection in connections:
            session = connection.session
            payee = session.rig.payee if session is not None else None
            if payee is None:
                continue
            if payee.coinbase_hex != paid:
                paid = payee.coinbase_hex
                line = job.notify(payee, clean)
            yield connection, line
