"""One row of the fold, as its readers need it."""

from __future__ import annotations

from typing import Protocol


class WorkSum(Protocol):
    """One worker's accepted shares on one tier in one minute, or in a part of it."""

    @property
    def minute(self) -> int: ...  # Unix time over 60

    @property
    def account_id(self) -> int: ...

    @property
    def worker_id(self) -> int: ...

    @property
    def listen(self) -> int: ...  # index of the tier

    @property
    def shares(self) -> int: ...

    @property
    def work(self) -> int: ...  # sum of weights

    @property
    def best(self) -> int: ...  # as records.best_of() has it

    @property
    def last_us(self) -> int: ...  # of the last share, Unix microseconds
