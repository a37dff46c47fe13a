"""A real client at the books' server."""

from __future__ import annotations

import dataclasses
import json
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from stratum.observability.books_http import books_server
from stratum.observability.queries import HistoryQuery, RowsQuery
from stratum.observability.status import NodeRow, PeriodRow, RigRow
from tests.observability.conftest import Pool, ServeAt

UNKNOWN_WORKER = "no worker of this name ever had a share accepted\n"

HOSTILE = "<script>alert(1)</script>\u202e\ud800"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


def rig(name: str) -> RigRow:
    return RigRow(name, "agent", 1024.0, 5, 1, 1e12)


async def ask(url: str, path: str) -> Answer:
    address = URL(f"{url}{path}", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return Answer(response.status, dict(response.headers), await response.text())


async def test_status_is_the_look_under_the_names_of_its_fields(page: str, pool: Pool) -> None:
    node = NodeRow("127.0.0.1:18443", up=True, active=True, height=7)
    pool.seen = dataclasses.replace(pool.seen, hashrate=1e12, nodes=(node,))
    answer = await ask(page, "/api/v1/status")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(answer.text) == json.loads(json.dumps(pool.seen.as_json()))
    assert json.loads(answer.text)["nodes"][0]["height"] == 7


async def test_page_and_status_survive_a_hostile_worker_name(page: str, pool: Pool) -> None:
    rig = RigRow(HOSTILE, HOSTILE, 1.0, 0, 0, 0.0, connected_at=1_990.0)
    pool.seen = dataclasses.replace(pool.seen, rigs=(rig,), rigs_total=1)

    look = await ask(page, "/")
    assert look.status == 200
    assert "<script>alert" not in look.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\ufffd\ufffd" in look.text

    status = await ask(page, "/api/v1/status")
    assert json.loads(status.text)["rigs"][0]["worker"] == HOSTILE


async def test_page_loads_nothing_but_its_own_two_files(page: str) -> None:
    text = (await ask(page, "/")).text
    assert text.count("src=") == 1
    assert 'src="/page.js"' in text
    assert 'href="/page.css"' in text
    assert "//" not in text.replace("</", "")
    for path, kind in (("/page.js", "text/javascript"), ("/page.css", "text/css")):
        asset = await ask(page, path)
        assert (asset.status, asset.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        assert "//" not in asset.text.replace("// ", "")


async def test_viewers_within_a_second_share_one_look_at_the_same_rows(
    pool: Pool, serve_at: ServeAt
) -> None:
    url = await serve_at(books_server(pool, shared_seconds=60))
    for path in ("/", "/api/v1/status", "/", "/?sort=best", "/api/v1/status?sort=best"):
        assert (await ask(url, path)).status == 200
    assert pool.looks == 2


async def test_looks_of_many_kinds_do_not_fill_memory(pool: Pool, serve_at: ServeAt) -> None:
    url = await serve_at(books_server(pool, shared_seconds=60))
    for offset in (*range(40), 39, 0):
        assert (await ask(url, f"/?offset={offset}")).status == 200
    assert pool.looks == 41  # the first was forgotten, the last was not


async def test_workers_come_as_asked_for_with_their_total(page: str, pool: Pool) -> None:
    pool.rigs = {"farm.1": rig("farm.1"), "farm.2": rig("farm.2")}
    answer = await ask(page, "/api/v1/workers?sort=-name&offset=3&limit=7&account=farm")
    found = json.loads(answer.text)
    assert (found["total"], found["offset"]) == (2, 3)
    assert [row["worker"] for row in found["workers"]] == ["farm.1", "farm.2"]
    assert pool.asked == [RowsQuery("-name", 3, 7, "farm")]


@pytest.mark.parametrize("name", ["farm.1", "a/b c", "ütze", "<b>", "%2F?#"])
async def test_worker_is_found_by_any_name_that_a_url_can_carry(
    page: str, pool: Pool, name: str
) -> None:
    pool.rigs = {name: rig(name)}
    answer = await ask(page, f"/api/v1/workers/{quote(name, safe='')}")
    assert json.loads(answer.text)["worker"] == name
    missing = await ask(page, "/api/v1/workers/nobody")
    assert (missing.status, missing.text) == (404, UNKNOWN_WORKER)


async def test_accounts_and_tiers_are_rows_of_groups(page: str) -> None:
    accounts = json.loads((await ask(page, "/api/v1/accounts")).text)
    assert (accounts["total"], accounts["accounts"][0]["rejects"]) == (2, {"stale": 1})
    tiers = json.loads((await ask(page, "/api/v1/tiers")).text)
    assert tiers["tiers"][0]["name"] == "127.0.0.1:3333"


async def test_history_is_that_of_the_query_and_exact(page: str, pool: Pool) -> None:
    pool.periods = [PeriodRow(600, 3, str(2**70), 1.5, 1e9, None, {})]
    answer = await ask(page, "/api/v1/rollups?span=hour&from=5&to=9&worker=farm.1&tier=1")
    found = json.loads(answer.text)
    assert found["span"] == "hour"
    assert int(found["periods"][0]["work"]) == 2**70
    assert pool.asked == [HistoryQuery("hour", 5, 9, None, "farm.1", 1)]

    pool.periods = None
    assert (await ask(page, "/api/v1/rollups?worker=nobody")).status == 404


async def test_books_that_cannot_answer_now_say_why(page: str, pool: Pool) -> None:
    pool.away = "the books' database is not open"
    answer = await ask(page, "/api/v1/rollups")
    assert (answer.status, answer.text) == (503, pool.away + "\n")
    assert (await ask(page, "/healthz")).text == "ok\n"


@pytest.mark.parametrize("path", ["/?sort=age", "/api/v1/workers?limit=-1", "/?offset=x"])
async def test_query_that_makes_no_sense_is_refused_in_words(page: str, path: str) -> None:
    answer = await ask(page, path)
    assert answer.status == 400
    assert "expected" in answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/missing", "/?sort=x"])
async def test_every_answer_forbids_foreign_scripts(page: str, path: str) -> None:
    policy = (await ask(page, path)).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
