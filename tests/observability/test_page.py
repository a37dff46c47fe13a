from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from stratum.observability.page import asset, render_page
from stratum.observability.show import shown_name
from stratum.observability.status import (
    RIGS_SHOWN,
    BlockRow,
    EventRow,
    GroupRow,
    JobRow,
    NodeRow,
    RateRow,
    RigRow,
    Status,
)

EMPTY = Status("0.1.0", "regtest", now=10_000.0, started_at=6_000.0)


class Reader(HTMLParser):
    """Collects what a browser would see: the tags, all text, and the texts of table cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.text = ""
        self.in_cell = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "td":
            self.cells.append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data + " "
        if self.in_cell:
            self.cells[-1] += data


RATES = {
    "1m": RateRow(1e12, 0.5e12, 2.5e12, 75.0),
    "10m": RateRow(1.1e12, 0.99e12, 1.2e12, 630.0),
    "1h": RateRow(1.2e12, 1.19e12, 1.21e12, 3600.0),
    "24h": RateRow(),
}


def rig(worker: str = "farm.1", hashrate: float = 1e12) -> RigRow:
    return RigRow(
        worker,
        "agent",
        1024.0,
        5,
        3,
        hashrate,
        9_000.0,
        9_990.0,
        "farm",
        rates=RATES,
        rejects={"stale": 1, "low_difficulty": 2},
        best=2.5e6,
        efficiency=0.99996,
    )


def group(name: str) -> GroupRow:
    return GroupRow(name, 7, 0, RATES, {}, None, None, None)


def test_empty_pool_says_where_to_point_a_rig() -> None:
    page = render_page(dataclasses.replace(EMPTY, listens=("127.0.0.1:3333",)))
    assert "None yet. Point one at stratum+tcp://127.0.0.1:3333." in page
    assert "mining" in page


def test_fault_stands_in_the_header_in_words() -> None:
    page = render_page(dataclasses.replace(EMPTY, fault="no template yet: node n is syncing"))
    assert '<p class="state bad">no work: no template yet: node n is syncing</p>' in page


def test_look_shows_every_part_of_the_status() -> None:
    status = dataclasses.replace(
        EMPTY,
        hashrate=1.5e15,
        rates=RATES,
        connections=3,
        rigs_total=1,
        workers_total=1,
        shares={"accepted": 98, "stale": 2},
        best=126.3e12,
        efficiency=0.98,
        last_share_at=9_999.0,
        job=JobRow("4f2a", 102, "ab" * 32, 3120, 312_500_000, 126.3e12, 9_988.0),
        nodes=(
            NodeRow("a:1", True, True, 101),
            NodeRow("b:2", True, False, 100),
            NodeRow("c:3", False, False, 0, "connection refused"),
        ),
        tiers=(group("p:3333"), group("p:3334")),
        accounts=(group("farm"), group("other")),
        rigs=(rig(),),
        blocks=(
            BlockRow(101, "00" * 28 + "cafe0123", "farm.1", 5 * 10**9, "rejected", 0.0, "bad"),
        ),
        events=(EventRow(9_999.0, "b:2 is up"),),
    )
    text = " ".join(Reader(render_page(status)).text.split())
    for words in (
        "1.5 PH/s · baseload regtest",
        "Hashrate, 1 min 1 TH/s ±100 % or more Hashrate, 10 min 1.1 TH/s ±10 %",
        "Hashrate, 1 h 1.2 TH/s ±0.83 % Hashrate, 24 h –",
        "Rigs 1 of 1 known Connections 3",
        "Shares rejected 2 2.00% Efficiency, 24 h 98.00 % Best share 126.3 T Last share 1 s ago",
        "Up for 1 h 6 min",
        "Height 102 Transactions 3,120 Value 3.12500000 BTC",
        "Network difficulty 126.3 T Job 4f2a, 12 s ago",
        "a:1 up, gives work 101 b:2 up 100 c:3 down: connection refused unknown",
        "101 rejected: bad 50.00000000 BTC farm.1 2 h 46 min ago …00000000cafe0123",
        "p:3334 1 TH/s ±100 % or more 1.1 TH/s ±10 % 1.2 TH/s ±0.83 % – 7 0 – – never",
        "farm.1 1 TH/s ±100 % or more 1.1 TH/s ±10 % 1.2 TH/s ±0.83 % –"
        " 5 3 low difficulty 2, stale 1 99.99 % 2.5 M 10 s ago 1,024 16 min 40 s ago agent",
        "1 s ago b:2 is up",
    ):
        assert words in text


def test_a_single_tier_or_account_is_not_shown_beside_the_site() -> None:
    page = render_page(dataclasses.replace(EMPTY, tiers=(group("a"),), accounts=(group("b"),)))
    assert "Tiers" not in page
    assert "Accounts" not in page


def test_serve_that_is_away_and_books_that_are_behind_are_said_beside_each_other() -> None:
    page = render_page(
        dataclasses.replace(
            EMPTY,
            started_at=None,
            fault="the pool's process does not answer",
            books_fault="the books are 20 s behind",
        )
    )
    assert "no work: the pool&#x27;s process does not answer" in page
    assert "books: the books are 20 s behind" in page
    assert "<dt>Up for</dt><dd>–</dd>" in page


def test_blocks_beyond_ten_are_counted() -> None:
    blocks = [BlockRow(height, "00", "farm.1", 1, "found", 0.0) for height in range(32, 20, -1)]
    page = render_page(dataclasses.replace(EMPTY, blocks=blocks))
    assert ">23</td>" in page
    assert ">22</td>" not in page
    assert "And 2 more." in page


def test_confidence_is_told_in_full_to_a_pointer_that_rests_on_the_rate() -> None:
    page = render_page(dataclasses.replace(EMPTY, rigs=(rig(),)))
    assert 'title="990 GH/s to 1.2 TH/s with 95 % confidence, over 10 min 30 s"' in page


def test_rig_that_is_not_connected_steps_back() -> None:
    away = dataclasses.replace(rig("farm.2"), connected_at=None, sessions=0)
    twice = dataclasses.replace(rig("farm.3"), sessions=2)
    page = render_page(dataclasses.replace(EMPTY, rigs=(rig(), away, twice)))
    assert page.count('<tr class="quiet"><td class="w">farm.2') == 1
    assert page.count("quiet") == 1
    assert "16 min 40 s ago <small>2 times</small>" in page


def test_columns_sort_and_the_sorted_one_turns_round() -> None:
    page = render_page(dataclasses.replace(EMPTY, rigs=(rig(),), rigs_sort="accepted"))
    assert 'class="n" aria-sort="descending"><a href="?sort=-accepted">Accepted</a>' in page
    assert '<a href="?sort=hashrate_24h">24 h</a>' in page
    page = render_page(dataclasses.replace(EMPTY, rigs=(rig(),), rigs_sort="-name"))
    assert 'class="w" aria-sort="descending"><a href="?sort=name">Worker</a>' in page


def test_rigs_beyond_the_shown_are_counted_and_a_link_away() -> None:
    rigs = tuple(rig(f"farm.{number}") for number in range(RIGS_SHOWN + 3))
    many = dataclasses.replace(
        EMPTY, rigs=rigs, rigs_total=9_000, workers_total=10_000, rigs_sort="best"
    )
    page = render_page(many)
    assert f"farm.{RIGS_SHOWN - 1}<" in page
    assert f"farm.{RIGS_SHOWN}<" not in page
    assert f"1 to {RIGS_SHOWN} of 10,000" in page
    assert f'<a href="?sort=best&amp;offset={RIGS_SHOWN}">next</a>' in page
    assert "previous" not in page

    page = render_page(dataclasses.replace(many, rigs_offset=9_900, rigs=rigs[:100]))
    assert "9,901 to 10,000 of 10,000" in page
    assert f'<a href="?sort=best&amp;offset={9_900 - RIGS_SHOWN}">previous</a>' in page
    assert ">next<" not in page


@given(st.text() | st.text("<>&\"'/ =a\u202e\x00\ud800", max_size=40))
def test_no_name_a_stranger_chooses_adds_a_tag_or_leaves_its_cell(name: str) -> None:
    def page(name: str) -> Reader:
        status = dataclasses.replace(
            EMPTY,
            rigs=(dataclasses.replace(rig(name), agent=name),),
            blocks=(BlockRow(1, "00", name, 1, "found", 0.0, name),),
            events=(EventRow(0.0, name),),
        )
        return Reader(render_page(status).encode().decode())

    hostile, tame = page(name), page("x")
    assert hostile.tags == tame.tags
    shown = shown_name(name)
    assert [hostile.cells[place] for place, cell in enumerate(tame.cells) if cell == "x"] == [
        shown,
        shown,
        shown,
        shown,
    ]


def test_page_needs_no_script_and_refreshes_without_one() -> None:
    page = render_page(EMPTY)
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "<h2>Rigs</h2>" in page


def test_colours_follow_the_readers_choice_of_light_or_dark() -> None:
    style = asset("page.css").decode()
    assert "prefers-color-scheme: dark" in style
    assert "color-scheme: light dark" in style
