"""Every way a node can fail to answer, over real sockets."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from stratum.errors import NodeError
from stratum.node import rpc as rpc_module
from stratum.node.devnet import DevNode
from stratum.node.rpc import NodeBusy, NodeRpc, NodeTimeout
from stratum.node.settings import NodeSettings
from tests.node.world import Answerer, http_server
from tests.peers.node import free_port


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def _says(status: int, text: str) -> Answerer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    return answer


async def _fault(http: aiohttp.ClientSession, answer: Answerer) -> NodeError:
    async with http_server(answer) as url:
        with pytest.raises(NodeError) as caught:
            await NodeRpc(NodeSettings(url), http).call("getbestblockhash")
    return caught.value


async def test_result_of_a_call_is_returned(http: aiohttp.ClientSession) -> None:
    async with DevNode() as node:
        assert await NodeRpc(node.settings, http).call("getblockcount") == 0


async def test_refused_connection_asks_whether_the_node_is_running(
    http: aiohttp.ClientSession,
) -> None:
    rpc = NodeRpc(NodeSettings(f"http://127.0.0.1:{free_port()}"), http)
    with pytest.raises(NodeError, match="refuses the connection: is it running"):
        await rpc.call("getblockcount")


async def test_silence_is_a_timeout_that_names_the_method(http: aiohttp.ClientSession) -> None:
    async def never(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with http_server(never) as url:
        with pytest.raises(NodeTimeout, match="did not answer getblockcount within 0.05 s"):
            await NodeRpc(NodeSettings(url), http).call("getblockcount", timeout=0.05)


async def test_wrong_password_is_named_and_never_repeated_in_message_or_log(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with DevNode() as node:
        rpc = NodeRpc(NodeSettings(node.url, user="someone", password="hunter2"), http)
        with pytest.raises(NodeError, match="wrong credentials: .*user or password") as caught:
            await rpc.call("getblockcount")
    assert "hunter2" not in str(caught.value) + caplog.text


async def test_cookie_is_read_again_when_the_node_refuses_it(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:first")
    async with DevNode(user="__cookie__", password="first") as node:
        rpc = NodeRpc(NodeSettings(node.url, cookie_file=cookie), http)
        assert await rpc.call("getblockcount") == 0
        port = int(node.url.rpartition(":")[2])
    async with DevNode(user="__cookie__", password="second", port=port):
        cookie.write_text("__cookie__:second")
        assert await rpc.call("getblockcount") == 0


async def test_two_calls_that_are_refused_at_once_both_go_on_with_the_new_cookie(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:first")
    fresh = "Basic " + b64encode(b"__cookie__:second").decode()
    both_asked, first_done = asyncio.Event(), asyncio.Event()
    refused: list[str] = []

    async def restarted(request: web.Request) -> web.Response:
        method = (await request.json())["method"]
        if request.headers["Authorization"] == fresh:
            return web.json_response({"result": method, "error": None})
        refused.append(method)
        if len(refused) == 2:
            cookie.write_text("__cookie__:second")
            both_asked.set()
        await both_asked.wait()
        if method == "submitblock":  # refused only when the other has read the new cookie
            await first_done.wait()
        return web.Response(status=401)

    async with http_server(restarted) as url:
        rpc = NodeRpc(NodeSettings(url, cookie_file=cookie), http)
        slow = asyncio.create_task(rpc.call("submitblock"))
        fast = asyncio.create_task(rpc.call("getbestblockhash"))
        assert await fast == "getbestblockhash"
        first_done.set()
        assert await slow == "submitblock"


async def test_closed_session_is_a_node_error(http: aiohttp.ClientSession) -> None:
    await http.close()
    with pytest.raises(NodeError, match="this program is stopping"):
        await NodeRpc(NodeSettings("http://127.0.0.1:1"), http).call("getblockcount")


async def test_cookie_of_another_node_is_refused_in_words(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:other")
    async with DevNode() as node:
        rpc = NodeRpc(NodeSettings(node.url, cookie_file=cookie), http)
        with pytest.raises(NodeError, match="refuses the cookie in"):
            await rpc.call("getblockcount")


async def test_missing_cookie_file_asks_whether_the_node_is_running(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    settings = NodeSettings("http://127.0.0.1:1", cookie_file=tmp_path / ".cookie")
    with pytest.raises(NodeError, match="can't be read .No such file.*is the node running"):
        await NodeRpc(settings, http).call("getblockcount")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "has no peers"),
        (-10, "is still downloading the chain"),
        (-28, "is still starting"),
        (-8, "refuses getbestblockhash: the node's own words .code -8"),
    ],
)
async def test_rpc_error_keeps_its_code_and_says_what_it_means(
    http: aiohttp.ClientSession, code: int, words: str
) -> None:
    body = f'{{"error":{{"code":{code},"message":"the node\'s own words"}},"result":null}}'
    fault = await _fault(http, _says(500, body))
    assert fault.code == code
    with pytest.raises(NodeError, match=words):
        raise fault


@pytest.mark.parametrize("body", ["<html>", "", "[]", "3", '{"a":1}'])
async def test_what_is_no_json_rpc_asks_for_the_port(
    http: aiohttp.ClientSession, body: str
) -> None:
    assert "is this its RPC port?" in str(await _fault(http, _says(200, body)))


@pytest.mark.parametrize(("status", "word"), [(403, "rpcallowip"), (503, "overloaded")])
async def test_http_refusals_are_told_in_the_nodes_terms(
    http: aiohttp.ClientSession, status: int, word: str
) -> None:
    assert word in str(await _fault(http, _says(status, "")))


async def test_node_that_is_starting_or_overloaded_is_busy_and_not_gone(
    http: aiohttp.ClientSession,
) -> None:
    starting = '{"error":{"code":-28,"message":"Loading block index"},"result":null}'
    assert isinstance(await _fault(http, _says(500, starting)), NodeBusy)
    assert isinstance(await _fault(http, _says(503, "Work queue depth exceeded")), NodeBusy)
    no_peers = '{"error":{"code":-9,"message":"not connected"},"result":null}'
    assert not isinstance(await _fault(http, _says(500, no_peers)), NodeBusy)


async def test_redirect_is_not_followed_with_our_credentials(http: aiohttp.ClientSession) -> None:
    followed = asyncio.Event()

    async def elsewhere(request: web.Request) -> web.Response:
        followed.set()
        return web.Response(text="{}")

    async with http_server(elsewhere) as target:

        async def redirect(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": target})

        await _fault(http, redirect)
    assert not followed.is_set()


async def test_endless_reply_is_cut_off(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_module, "MAX_REPLY", 1 << 20)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(65536))
        except ConnectionError:
            return response

    assert "more than 1 MiB" in str(await _fault(http, endless))


async def test_connection_that_went_stale_is_made_again(http: aiohttp.ClientSession) -> None:
    async with DevNode() as node:
        rpc = NodeRpc(node.settings, http)
        await rpc.call("getblockcount")
        await node.stop()
        await node.start()
        assert await rpc.call("getblockcount") == 0


def test_settings_do_not_print_the_password() -> None:
    assert "hunter2" not in repr(NodeSettings("http://127.0.0.1:1", "me", "hunter2"))
