"""Log a fault once, then once a minute with its count, and say when it is over.

A node that is down is asked every few seconds; a line for each time would bury the log, and no
line at all would hide that it is still down.
"""

from __future__ import annotations

import logging

_REPEAT_S = 60.0


class FaultLog:
    """The faults of one thing. `name` is said when it works again; a fault's text says its own.

    The clock is an argument, as everywhere.
    """

    def __init__(self, logger: logging.Logger, name: str) -> None:
        self._logger = logger
        self._name = name
        self._fault: str | None = None
        self._logged_at = 0.0
        self._repeats = 0

    def fault(self, text: str, now: float, level: int = logging.WARNING) -> None:
        """Report a fault that has just happened, once more or for the first time."""
        if text == self._fault and now - self._logged_at < _REPEAT_S:
            self._repeats += 1
            return
        if text == self._fault:
            self._logger.log(level, "%s (%d times more)", text, self._repeats + 1)
        else:
            self._logger.log(level, "%s", text)
        self._fault, self._logged_at, self._repeats = text, now, 0

    def clear(self) -> None:
        """It works (again)."""
        if self._fault is not None:
            self._logger.info("%s works again", self._name)
        self._fault, self._repeats = None, 0
