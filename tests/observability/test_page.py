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
    JobRow,
    NodeRow,
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


def rig(worker: str = "farm.1", hashrate: float = 1e12) -> RigRow:
    return RigRow(worker, "agent", 1024.0, 5, 1, hashrate, 9_000.0, 9_990.0)


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
        connections=3,
        rigs_total=1,
        shares={"accepted": 98, "stale": 2},
        job=JobRow("4f2a", 102, "ab" * 32, 3120, 312_500_000, 126.3e12, 9_988.0),
        nodes=(
            NodeRow("a:1", True, True, 101),
            NodeRow("b:2", True, False, 100),
            NodeRow("c:3", False, False, 0, "connection refused"),
        ),
        rigs=(rig(),),
        blocks=(
            BlockRow(101, "00" * 28 + "cafe0123", "farm.1", 5 * 10**9, "rejected", 0.0, "bad"),
        ),
        events=(EventRow(9_999.0, "b:2 is up"),),
    )
    text = " ".join(Reader(render_page(status)).text.split())
    for words in (
        "1.5 PH/s · baseload regtest",
        "Up for 1 h 6 min",
        "Shares rejected 2 (2.00%)",
        "Height 102 Transactions 3,120 Value 3.12500000 BTC",
        "Network difficulty 126.3 T Job 4f2a, 12 s ago",
        "a:1 up, gives work 101 b:2 up 100 c:3 down: connection refused unknown",
        "101 rejected: bad 50.00000000 BTC farm.1 2 h 46 min ago …00000000cafe0123",
        "farm.1 1 TH/s 1,024 5 1 10 s ago 16 min 40 s ago agent",
        "1 s ago b:2 is up",
    ):
        assert words in text


def test_rigs_beyond_the_shown_are_counted() -> None:
    rigs = tuple(rig(f"farm.{number}") for number in range(RIGS_SHOWN + 3))
    page = render_page(dataclasses.replace(EMPTY, rigs=rigs, rigs_total=10_000))
    assert f"farm.{RIGS_SHOWN - 1}<" in page
    assert f"farm.{RIGS_SHOWN}<" not in page
    assert "And 9,500 more." in page


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
