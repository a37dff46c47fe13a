"""Ask one Bitcoin node one question over JSON-RPC, and say in words why it gave no answer.

Every fault becomes a NodeError whose sentence names the node and what an operator can do; the
caller decides whether to ask again. Credentials go into the request header and nowhere else:
no message and no log line holds them. A cookie file is read again whenever the node refuses it,
because Bitcoin Core writes a new one at each start.
"""

from __future__ import annotations

import itertools
import json
import logging
from base64 import b64encode
from typing import Any

import aiohttp

from stratum.errors import NodeError
from stratum.node.settings import NodeSettings

logger = logging.getLogger(__name__)

#: Bitcoin Core, src/rpc/protocol.h.
RPC_MISC_ERROR = -1
RPC_INVALID_ADDRESS_OR_KEY = -5
RPC_INVALID_PARAMETER = -8
RPC_CLIENT_NOT_CONNECTED = -9
RPC_CLIENT_IN_INITIAL_DOWNLOAD = -10
RPC_DESERIALIZATION_ERROR = -22
RPC_IN_WARMUP = -28
RPC_METHOD_NOT_FOUND = -32601

#: A block of 4 MB is 8 MB of hex, and a template adds ~300 bytes to each of 10,000 transactions.
MAX_REPLY = 32 << 20

#: What an operator should read for the codes that say "not now" rather than "you asked wrongly".
_NOT_NOW = {
    RPC_CLIENT_NOT_CONNECTED: "has no peers, so its templates could be stale; connect it",
    RPC_CLIENT_IN_INITIAL_DOWNLOAD: "is still downloading the chain (initial block download)",
    RPC_IN_WARMUP: "is still starting",
}


class NodeBusy(NodeError):
    """The node is there and can't answer now: patience, rather than taking it for gone."""


class NodeTimeout(NodeBusy):
    """The node took too long: it may be busy with a block."""


class NodeRpc:
    """One node's JSON-RPC, over a session that the caller owns."""

    def __init__(self, settings: NodeSettings, http: aiohttp.ClientSession) -> None:
        self.name = settings.name
        self._settings = settings
        self._http = http
        self._ids = itertools.count(1)
        self._cookie = ""

    async def call(self, method: str, *params: Any, timeout: float = 5.0) -> Any:  # noqa: ASYNC109 (aiohttp keeps it)
        """The `result` of one call. Raises NodeError with an operator's sentence, and its code."""
        body = json.dumps({"jsonrpc": "1.0", "id": next(self._ids), "method": method,
                           "params": params})  # fmt: skip
        logger.debug("> %s %s", self.name, method)
        sent = self._credentials()
        status, reply = await self._post(method, body, sent, timeout)
        # A node that was started again has a new cookie. Compared with what this call sent: of
        # several calls that are refused at once, the first may have read it already.
        if status == 401 and (fresh := self._fresh_credentials()) != sent:
            status, reply = await self._post(method, body, fresh, timeout)

        self._check_status(status, reply)
        return self._result(method, status, reply)

    async def _post(
        self, method: str, body: str, credentials: str, limit_s: float
    ) -> tuple[int, bytes]:
        if self._http.closed:
            raise NodeError(f"node {self.name} is not asked any more: this program is stopping")
        try:
            try:
                return await self._exchange(body, credentials, limit_s)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # A kept connection went stale; every call we make may be made twice.
                return await self._exchange(body, credentials, limit_s)
        except TimeoutError as exc:
            raise NodeTimeout(
                f"node {self.name} did not answer {method} within {limit_s:g} s"
            ) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise self._unreachable(exc) from exc

    async def _exchange(self, body: str, credentials: str, limit_s: float) -> tuple[int, bytes]:
        authorization = "Basic " + b64encode(credentials.encode()).decode()
        request = self._http.post(
            self._settings.url,
            data=body,
            headers={"Content-Type": "application/json", "Authorization": authorization},
            timeout=aiohttp.ClientTimeout(total=limit_s),
            allow_redirects=False,  # a redirect would carry the credentials elsewhere
        )
        async with request as response:
            return response.status, await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, or NodeError as soon as it is longer than any answer can be."""
        chunks = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > MAX_REPLY:
                raise NodeError(f"node {self.name} answers with more than {MAX_REPLY >> 20} MiB")
            chunks.append(chunk)
        return b"".join(chunks)

    def _credentials(self) -> str:
        if self._settings.cookie_file is None:
            return f"{self._settings.user}:{self._settings.password}"
        self._cookie = self._cookie or self._read_cookie()
        return self._cookie

    def _fresh_credentials(self) -> str:
        self._cookie = ""
        return self._credentials()

    def _read_cookie(self) -> str:
        path = self._settings.cookie_file
        assert path is not None
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "not text"
            raise NodeError(
                f"cookie file {path} of node {self.name} can't be read ({why}): "
                "is the node running, and may this user read its data directory?"
            ) from exc

    def _check_status(self, status: int, reply: bytes) -> None:
        if status == 401:
            if self._settings.cookie_file is not None:
                what = f"the cookie in {self._settings.cookie_file}: is it another node's"
            else:
                what = "the user or password: do they agree with its rpcauth or rpcuser"
            raise NodeError(f"wrong credentials: node {self.name} refuses {what}?")
        if status == 403:
            raise NodeError(
                f"node {self.name} forbids this (HTTP 403): check its rpcallowip and rpcwhitelist"
            )
        if status == 503:
            raise NodeBusy(f"node {self.name} is overloaded: its RPC work queue is full")

    def _result(self, method: str, status: int, reply: bytes) -> Any:
        try:
            answer = json.loads(reply)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
            raise NodeError(
                f"node {self.name} answers HTTP {status} with something that is not JSON-RPC: "
                "is this its RPC port?"
            )
        if answer.get("error") is not None:
            raise self._refusal(method, answer["error"])
        logger.debug("< %s %s", self.name, method)
        return answer.get("result")

    def _refusal(self, method: str, error: Any) -> NodeError:
        given = error if isinstance(error, dict) else {"message": str(error)}
        code, text = given.get("code"), str(given.get("message", ""))[:200]
        if not isinstance(code, int):
            code = RPC_MISC_ERROR
        if code in _NOT_NOW:
            kind = NodeBusy if code == RPC_IN_WARMUP else NodeError
            return kind(f"node {self.name} {_NOT_NOW[code]}: {text}", code)
        return NodeError(f"node {self.name} refuses {method}: {text} (code {code})", code)

    def _unreachable(self, exc: Exception) -> NodeError:
        if isinstance(exc, aiohttp.ClientConnectorDNSError):
            return NodeError(f"node {self.name} has a host name that does not resolve")
        if isinstance(exc, ConnectionRefusedError | aiohttp.ClientConnectorError):
            return NodeError(
                f"node {self.name} refuses the connection: is it running, with its RPC server on?"
            )
        if isinstance(exc, aiohttp.InvalidURL):
            return NodeError(f"node {self.name} has a URL that can't be used")
        return NodeError(f"node {self.name} broke off the connection ({type(exc).__name__})")
