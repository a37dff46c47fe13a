"""What a rig may ask, and what it is answered: one function for each method.

They are shown the whole session; what it says by itself and when it must end is not theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from stratum.mining.conduct import CloseSession
from stratum.mining.extranonce import ExtranonceSpaceFull
from stratum.mining.judge import judge
from stratum.mining.limits import MALFORMED_REQUEST
from stratum.mining.names import Payee, read_password
from stratum.mining.rig import MAX_WORKERS
from stratum.mining.verdicts import REJECTION, Verdict
from stratum.protocol import downstream as wire
from stratum.protocol.messages import ErrorCode, Refusal, Request, encode_error, encode_result

if TYPE_CHECKING:
    from stratum.mining.session import Session


class Rejection(Refusal):
    """What was understood and refused, a share above all: it never counts as malformed input."""


def answer(session: Session, request: Request, encoded_id: bytes, now: float) -> tuple[bytes, int]:
    """The reply, and what the request costs as malformed input."""
    method = request.method
    handler = _HANDLERS.get(method) if type(method) is str else None
    try:
        if request.too_deep:
            raise Refusal(ErrorCode.OTHER, "nesting is too deep")
        if handler is None:
            raise Refusal(ErrorCode.METHOD_NOT_FOUND, "Method not found")
        return encode_result(encoded_id, handler(session, request.params, now)), 0
    except Rejection as rejection:
        return encode_error(encoded_id, rejection.code, rejection.text), 0
    except Refusal as refusal:
        result = b"false" if method == "mining.authorize" else b"null"
        is_malformed = refusal.code == ErrorCode.OTHER or type(method) is not str
        offence = MALFORMED_REQUEST if is_malformed else 0
        return encode_error(encoded_id, refusal.code, refusal.text, result), offence


def _configure(session: Session, params: Any, now: float) -> Any:
    request = wire.read_configure(params)
    mask = 0
    if request.version_rolling_mask is not None:
        session.rig.requested_mask = request.version_rolling_mask
        current = session.site.pool.current
        offered = current.work.version_mask if current else wire.VERSION_ROLLING_MASK
        before, mask = session.rig.mask, session.rig.grant(offered)
        session.ask_refresh(mask != before)
    if request.minimum_difficulty is not None:
        minimum = request.minimum_difficulty or None
        session.ask_refresh(session.difficulty.set_minimum(minimum, now))
    return wire.configure_result(request, mask)


def _subscribe(session: Session, params: Any, now: float) -> Any:
    """A second one gets the same answer: cpuminer repeats itself that way (rule 19)."""
    request = wire.read_subscribe(params)
    extranonces = session.site.extranonces
    if session.rig.extranonce1 is None:
        resumed = extranonces.resume(request.session_id, session.address)
        if resumed is not None:
            session.is_resumed = True
            session.remains = session.site.departed.take_back(resumed, now)
        session.rig.subscribe(resumed or _allot(session, now))
        session.user_agent = request.user_agent
    assert session.rig.extranonce1 is not None
    session_id = extranonces.session_id(session.rig.extranonce1, session.address)
    return wire.subscribe_result(session_id, session.rig.extranonce1, wire.EXTRANONCE2_SIZE)


def _allot(session: Session, now: float) -> bytes:
    try:
        return session.site.extranonces.allot(now)
    except ExtranonceSpaceFull as exc:
        raise CloseSession("every extranonce1 is in use") from exc


def _authorize(session: Session, params: Any, now: float) -> Any:
    try:
        request = wire.read_authorize(params)
        payee = _payee(session, request)
    except Refusal:
        session.conduct.refused_authorize(now)
        raise
    if session.rig.payee is None:
        session.difficulty.set_wishes(read_password(request.password), now)
    session.rig.authorize(request.worker_name, payee)
    return True


def _payee(session: Session, request: wire.Authorize) -> Payee:
    rig, payees = session.rig, session.site.payees
    is_new = rig.state.worker_index(request.worker_name) is None
    if is_new and len(rig.workers) >= MAX_WORKERS:
        raise Refusal(ErrorCode.UNAUTHORIZED, f"more than {MAX_WORKERS} workers")
    payee = payees.payee(request.account)
    if rig.payee and payee.account != rig.payee.account and payees.one_account_per_connection:
        raise Refusal(ErrorCode.UNAUTHORIZED, "this connection mines for another account")
    return payee


def _suggest_difficulty(session: Session, params: Any, now: float) -> Any:
    return _suggest(session, wire.read_suggested_difficulty(params), now)


def _suggest_target(session: Session, params: Any, now: float) -> Any:
    return _suggest(session, wire.read_suggested_target(params), now)


def _suggest(session: Session, difficulty: Fraction, now: float) -> Any:
    if difficulty:  # 0 is "no wish"
        session.ask_refresh(session.difficulty.suggest(difficulty, now))
    return True


def _say_true(session: Session, params: Any, now: float) -> Any:
    """Anything but true or an object counts as a rejected share in old firmware (rule 8)."""
    return True


def _not_supported(session: Session, params: Any, now: float) -> Any:
    """A block's transactions are megabytes: not for whoever asks."""
    raise Rejection(ErrorCode.OTHER, "Not supported")


def _submit(session: Session, params: Any, now: float) -> Any:
    site, rig = session.site, session.rig
    try:
        submit = wire.read_submit(params, wire.EXTRANONCE2_SIZE)
    except Refusal:
        site.refuse(rig, 0 if rig.workers else None, Verdict.MALFORMED)
        raise
    judgement = judge(site, rig, submit, now)
    if judgement.verdict is Verdict.ACCEPTED:
        return True
    if judgement.verdict is Verdict.LOW_DIFFICULTY:
        rig.state.junk_run += 1
        session.conduct.junk(rig.state.junk_run, now)
    code, text = REJECTION[judgement.verdict]
    raise Rejection(code, judgement.reason or text)


_Handler = Callable[["Session", Any, float], Any]

_HANDLERS: dict[str, _Handler] = {
    "mining.configure": _configure,
    "mining.subscribe": _subscribe,
    "mining.authorize": _authorize,
    "mining.suggest_difficulty": _suggest_difficulty,
    "mining.suggest_target": _suggest_target,
    "mining.extranonce.subscribe": _say_true,
    "mining.multi_version": _say_true,
    "mining.get_transactions": _not_supported,
    "mining.get_txnhashes": _not_supported,
    "mining.submit": _submit,
}
