"""Ask the serve process what is alive now, over its Unix socket.

Asked only when somebody looks, and at most once a second however many look. A serve process that
is away, hangs or talks nonsense is no error here: the books go on, and the page says so.
"""

from __future__ import annotations

import asyncio
import json

import aiohttp

from stratum.observability.live import Live

SHARED_SECONDS = 1.0

#: It answers from counters; one that takes longer is in trouble, and the viewer waits.
_PATIENCE = 2.0

#: 500 sessions and 100 blocks are 200 KB.
_LONGEST = 8 << 20


class LiveSource:
    """`look()` is what serve says; `fault` is why it said nothing, in words."""

    def __init__(self, path: str, shared_seconds: float = SHARED_SECONDS) -> None:
        self._path = path
        self._shared_seconds = shared_seconds
        self._asked_at: float | None = None
        self._live: Live | None = None
        self._asking = asyncio.Lock()
        self.fault = ""

    async def look(self) -> Live | None:
        """What serve knows, or None where it does not answer; `fault` then tells why."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._asked_at is None or now - self._asked_at >= self._shared_seconds:
                await self._ask()
                self._asked_at = asyncio.get_running_loop().time()
        return self._live

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                self._live = Live.from_json(json.loads(await self._answer()))
            self.fault = ""
        except TimeoutError:
            self._missed(f"no answer in {_PATIENCE:.0f} s")
        except (OSError, aiohttp.ClientError) as exc:
            self._missed(str(exc) or type(exc).__name__)
        except (ValueError, TypeError, AttributeError) as exc:
            self._missed(f"its answer is not understood: {exc}")

    async def _answer(self) -> bytes:
        connector = aiohttp.UnixConnector(self._path)
        async with (
            aiohttp.ClientSession(connector=connector, raise_for_status=True) as session,
            session.get("http://serve/live") as response,
        ):
            answer = await response.content.read(_LONGEST)
            if not response.content.at_eof():
                raise ValueError("it is too long")
            return answer

    def _missed(self, why: str) -> None:
        self._live = None
        self.fault = why
