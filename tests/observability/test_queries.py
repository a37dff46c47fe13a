from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.observability.queries import (
    SORTS,
    BadQuery,
    HistoryQuery,
    RowsQuery,
    page_link,
    sorted_link,
)
from stratum.observability.status import RIGS_SHOWN, WINDOWS


def test_nothing_asked_is_the_fastest_rigs_first() -> None:
    query = RowsQuery.read({})
    assert query == RowsQuery("hashrate", 0, RIGS_SHOWN, None)
    assert query.largest_first
    assert query.window == "10m"


@pytest.mark.parametrize("window", WINDOWS)
def test_every_window_can_be_sorted_by(window: str) -> None:
    assert RowsQuery.read({"sort": f"hashrate_{window}"}).window == window


@pytest.mark.parametrize(
    ("sort", "largest_first"),
    [("best", True), ("-best", False), ("name", False), ("-name", True), ("efficiency", False)],
)
def test_minus_turns_the_natural_order_round(sort: str, largest_first: bool) -> None:
    assert RowsQuery.read({"sort": sort}).largest_first is largest_first


@pytest.mark.parametrize(
    ("given_", "complaint"),
    [
        ({"sort": "speed"}, "sort is 'speed', expected one of hashrate, "),
        ({"sort": "--best"}, "sort is '-best'"),
        ({"offset": "-1"}, "offset is '-1', expected a whole number"),
        ({"limit": "1001"}, "limit is '1001', expected a whole number up to 1000"),
        ({"offset": "9" * 30}, "offset is"),
        ({"limit": "\u0663"}, "limit is"),
    ],
)
def test_row_query_that_makes_no_sense_is_said(given_: dict[str, str], complaint: str) -> None:
    with pytest.raises(BadQuery, match=complaint):
        RowsQuery.read(given_)


def test_history_is_asked_by_span_time_and_name() -> None:
    given_ = {"span": "day", "from": "60", "to": "120", "account": "a", "tier": "2"}
    assert HistoryQuery.read(given_) == HistoryQuery("day", 60, 120, "a", None, 2)
    assert HistoryQuery.read({}) == HistoryQuery("10min")
    with pytest.raises(BadQuery, match="span is 'week', expected one of 10min, hour, day"):
        HistoryQuery.read({"span": "week"})


@given(st.dictionaries(st.sampled_from(["sort", "offset", "limit", "account"]), st.text()))
def test_any_query_is_understood_or_refused(given_: dict[str, str]) -> None:
    try:
        query = RowsQuery.read(given_)
    except BadQuery:
        return
    assert query.key in SORTS
    assert 0 <= query.limit <= 1000


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{sort}" for sort in SORTS)])
def test_links_are_queries_that_are_understood(sort: str) -> None:
    for link in (sorted_link(sort.removeprefix("-"), sort), page_link(sort, 200)):
        query = RowsQuery.read(dict(parse_qsl(link.removeprefix("?"))))
        assert query.key == sort.removeprefix("-")


def test_sorting_by_the_same_column_again_turns_it_round_and_back() -> None:
    assert sorted_link("best", "hashrate") == "?sort=best"
    assert sorted_link("best", "best") == "?sort=-best"
    assert sorted_link("best", "-best") == "?sort=best"
