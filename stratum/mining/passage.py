"""What a session and a pool are made of, for the process that takes them over (DESIGN §8.5).

Plain values go in and out: numbers, text, bytes and lists of them. What can be had from the log
and from the kept templates is not here: the jobs' content, the shares already seen. A rig must not
be able to tell that it is served by another process, so everything that its next line is judged
by comes along: its extranonce1 and names, its masks, each job it was sent and the difficulty it
was sent with, the bytes of a line it had begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from stratum.mining.departed import Remains, jobs_of, revive_jobs
from stratum.mining.jobs import microseconds
from stratum.mining.names import Payee
from stratum.mining.pool import Pool
from stratum.mining.session import Session
from stratum.mining.settings import TierSettings
from stratum.mining.site import Site


def save_pool(pool: Pool) -> dict[str, Any]:
    """The jobs that rigs may still name, and which of them is the present one."""
    jobs = [[job.number, job.ntime, microseconds(job.made)] for job in pool.jobs]
    current = pool.current.number if pool.current else None
    return {"jobs": jobs, "current": current, "layouts": pool.proven_layouts}


def resume_pool(pool: Pool, saved: Mapping[str, Any]) -> None:
    """After `pool.restore`: its Works are those of an earlier process, and now live on."""
    jobs = [(number, ntime, made / 1_000_000) for number, ntime, made in saved["jobs"]]
    pool.resume(jobs, saved["current"], saved["layouts"])


def save_site(site: Site) -> dict[str, Any]:
    """What belongs to no session: rigs that have just left may come back for their jobs."""
    return {
        "departed": [
            [extranonce1, microseconds(when), r.script_pubkey, r.masks, r.jobs]
            for extranonce1, when, r in site.departed.entries
        ],
        "next_extranonce1": site.extranonces.next_value,
    }


def resume_site(site: Site, saved: Mapping[str, Any]) -> None:
    for extranonce1, when, script_pubkey, masks, jobs in saved["departed"]:
        remains = Remains(script_pubkey, masks, jobs)
        site.departed.leave(extranonce1, remains, when / 1_000_000)
    site.extranonces.next_value = saved["next_extranonce1"]


def save_session(session: Session) -> dict[str, Any]:
    """The session between two reads, with nothing left to write."""
    rig, state, difficulty = session.rig, session.rig.state, session.difficulty
    return {
        "tier": rig.tier,
        "peer": session.peer,
        "address": session.address,
        "user_agent": session.user_agent,
        "connected_at": microseconds(session.connected_at),
        "last_line": state.last_line_us,
        "extranonce1": rig.extranonce1,
        "requested_mask": rig.requested_mask,
        "mask": rig.mask,
        "masks": state.masks,
        "workers": [
            [worker.name, worker.payee.account, worker.payee.script_pubkey, *state.worker_ids(at)]
            for at, worker in enumerate(rig.workers)
        ],
        "weight": state.weight,
        "jobs": jobs_of(rig),
        "has_job": session.has_job,
        "junk_run": state.junk_run,
        "wishes": [_pair(wish) for wish in difficulty.wishes],
        "wanted_weight": difficulty.weight,
        "is_untried": difficulty.is_untried,
        "unread": session.unread,
    }


def restore_session(
    site: Site, tiers: Sequence[TierSettings], saved: Mapping[str, Any], now: float
) -> Session:
    """The same session in this process. Raises KeyError, TypeError, ValueError or IndexError for
    what `save_session` does not give."""
    tier = saved["tier"]
    session = Session(site, tier, tiers[tier], saved["peer"], saved["address"], now)
    try:
        _restore(site, session, saved, now)
    except BaseException:
        session.rig.state.close()
        raise
    return session


def _restore(site: Site, session: Session, saved: Mapping[str, Any], now: float) -> None:
    rig, state = session.rig, session.rig.state
    session.user_agent = saved["user_agent"]
    session.connected_at = saved["connected_at"] / 1_000_000
    if saved["extranonce1"] is not None:
        site.extranonces.adopt(saved["extranonce1"])
        rig.subscribe(saved["extranonce1"])
    rig.requested_mask, rig.mask = saved["requested_mask"], saved["mask"]
    for at, (name, account, script_pubkey, *ids) in enumerate(saved["workers"]):
        rig.authorize(name, Payee(account, script_pubkey))
        state.number_worker(at, *ids)
    revive_jobs(rig, saved["jobs"])
    state.masks, state.weight = saved["masks"], saved["weight"]
    state.junk_run, state.last_line_us = saved["junk_run"], saved["last_line"]
    session.difficulty.resume(
        [_fraction(wish) for wish in saved["wishes"]],
        saved["wanted_weight"],
        saved["is_untried"],
        now,
    )
    session.go_on_as(saved["has_job"], saved["unread"], now)


def _pair(wish: Fraction | None) -> list[int] | None:
    return None if wish is None else [wish.numerator, wish.denominator]


def _fraction(pair: Sequence[int] | None) -> Fraction | None:
    return None if pair is None else Fraction(pair[0], pair[1])
