from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratum.config.table import Table
from stratum.config.values import boolean, text, whole


def said(table: Table) -> list[str]:
    return [str(problem) for problem in table.problems]


def test_reading_goes_on_after_a_fault_with_the_default() -> None:
    table = Table({"a": "x", "b": 7})
    assert table.read("a", whole(0), 5) == 5
    assert table.read("b", whole(0), 5) == 7
    assert said(table) == ['a: is "x", no whole number (write 0 or more, without quotes)']
    assert not table.sound("a", "b")
    assert table.sound("b")


def test_an_absent_key_is_missed_only_where_it_is_required() -> None:
    table = Table({})
    assert table.read("a", text, "d") == "d"
    assert table.read("b", text, "d", required=True, remedy="write one") == "d"
    assert said(table) == ["b: is missing (write one)"]


def test_an_unknown_key_is_met_with_the_nearest_known_one() -> None:
    table = Table({"vardif": True})
    table.read("vardiff", boolean, True)
    table.close()
    assert said(table) == ["vardif: is no known key (did you mean vardiff?)"]


def test_an_unknown_key_like_no_other_is_met_with_what_there_is() -> None:
    table = Table({"zzz": 1})
    table.read("b", boolean, True)
    table.read("a", boolean, True)
    table.close()
    assert said(table) == ["zzz: is no known key (known here: a, b)"]


def test_problems_of_inner_tables_carry_their_place_and_reach_the_root() -> None:
    root = Table({"log": {"x": 1}, "listen": [{}, {"y": 1}]})
    root.table("log").close()
    for table in root.tables("listen"):
        table.close()
    root.close()
    assert [problem.key for problem in root.problems] == ["log.x", "listen[1].y"]


def test_single_and_double_brackets_are_told_apart() -> None:
    root = Table({"log": [{}], "listen": {}})
    log = root.table("log")
    log.read("durability", text, "", required=True)  # what is missing in no table is no news
    assert root.tables("listen") == []
    assert said(root) == [
        "log: is a list, not one table (write [log], with one bracket)",
        "listen: is a table, no list of tables (write [[listen]], with two brackets)",
    ]


@given(st.text())
def test_any_key_is_shown_without_control_characters(key: str) -> None:
    table = Table({key: 1})
    table.close()
    assert len(table.problems) == 1
    assert str(table.problems[0]).isprintable()
