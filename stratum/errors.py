"""Who is at fault: the peer, the outside world, or the operator.

    BaseloadError
    ├── ProtocolError          the peer broke the wire's rules
    ├── OutsideError           something we depend on failed; retried, alarmed, never fatal
    │   ├── NodeError          a Bitcoin node
    │   └── UpstreamError      a pool we are a client of
    └── ConfigError            the operator can fix it; exit 2

A bad share is no error: it is a Verdict (`stratum.mining.verdicts`). Our own bugs stay
AssertionError. Each layer that passes an error on adds one fact with `raise … from exc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class BaseloadError(Exception):
    """Root of everything this program raises on purpose."""


class ProtocolError(BaseloadError):
    """The peer sent something the wire does not allow; the text says what and what was expected."""


class OutsideError(BaseloadError):
    """Something outside this process failed; the caller retries and backs off."""


class NodeError(OutsideError):
    """A Bitcoin node could not be asked, or refused.

    `code` is the JSON-RPC error code where the node gave one (Bitcoin Core, src/rpc/protocol.h),
    None where it could not be reached or did not speak JSON-RPC.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class UpstreamError(OutsideError):
    """An upstream pool could not be reached, or broke off."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a config: the key, what is wrong with it, what to do about it."""

    key: str
    fault: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.key}: {self.fault}" + (f" ({self.remedy})" if self.remedy else "")


class ConfigError(BaseloadError):
    """The configuration cannot be used; `problems` holds every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
