from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.errors import ConfigError
from stratum.power.plan.surplus import Surplus, read_csv, split_years

START = datetime(2025, 3, 20, tzinfo=UTC)


def lines(count: int, minutes: int = 60, mw: float = 5.0) -> list[str]:
    """Rows of a sound history."""
    return [
        f"{START + timedelta(minutes=minutes * place):%Y-%m-%dT%H:%M:%SZ},{mw + place % 3}"
        for place in range(count)
    ]


def csv(rows: list[str], header: str = "time_utc,mw") -> str:
    return "\n".join([header, *rows]) + "\n"


def complaints(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_csv(text, "s.csv")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60, 240])
def test_a_sound_file_is_read_at_any_step(minutes: int) -> None:
    rows = lines(14 * 24 * 60 // minutes, minutes)
    surplus = read_csv(csv(rows), "s.csv")
    assert surplus.step_s == 60 * minutes
    assert surplus.start_s == int(START.timestamp())
    assert surplus.mw[:4].tolist() == [5, 6, 7, 5]
    assert surplus.days == 14
    assert surplus.notes == ()


def test_a_file_with_start_and_end_and_a_byte_order_mark_is_read() -> None:
    ends = [f"{START + timedelta(hours=place + 1):%Y-%m-%dT%H:%MZ}" for place in range(200)]
    rows = [f"{row.split(',')[0]},{end},7" for row, end in zip(lines(200), ends, strict=True)]
    surplus = read_csv("\ufeff" + csv(rows, "Start,End,Surplus_MW"), "s.csv")
    assert (surplus.step_s, surplus.energy_mwh) == (3600, 1400)


def test_an_offset_is_obeyed_and_none_is_utc() -> None:
    naive = [row.replace("Z", "") for row in lines(200)]
    ahead = [
        f"{START + timedelta(hours=place + 3):%Y-%m-%dT%H:%M}+03:00,{5 + place % 3}"
        for place in range(200)
    ]
    assert read_csv(csv(naive), "s.csv").start_s == read_csv(csv(ahead), "s.csv").start_s


def test_every_bad_line_is_named_at_once() -> None:
    rows = lines(200)
    rows[3] = "yesterday,5"
    rows[5] = rows[5].split(",")[0] + ",much"
    rows[7] = rows[7].split(",")[0] + ",nan"
    rows[9] = rows[9].split(",")[0]
    rows[11] = rows[11].split(",")[0] + ",5000000"
    found = complaints(csv(rows))
    assert [line.partition(": ")[0] for line in found] == [
        f"s.csv:{number}" for number in (5, 7, 9, 11, 13)
    ]
    assert "'yesterday'" in found[0] and "'much'" in found[1] and "finite" in found[2]
    assert "1 cells" in found[3] and "is it in kW?" in found[4]


def test_more_bad_lines_than_a_screen_holds_are_counted() -> None:
    found = complaints(csv(["x,1"] * 40))
    assert len(found) == 6
    assert "35 more lines" in found[-1]


def test_missing_columns_are_named_together() -> None:
    found = complaints("when,power\n1,2\n")
    assert [fault.split(" (")[0] for fault in found] == [
        "s.csv:1: has no column time",
        "s.csv:1: has no column mw",
    ]


def test_an_empty_file_and_a_single_row_are_refused() -> None:
    assert "has no column" in complaints("")[0]
    assert "has no rows" in complaints("time,mw\n")[0]
    assert "one moment only" in complaints(csv(lines(1)))[0]


def test_a_gap_counts_as_no_surplus_and_is_named() -> None:
    rows = lines(400)
    del rows[100:110]
    surplus = read_csv(csv(rows), "s.csv")
    assert len(surplus.mw) == 400
    assert surplus.mw[100:110].tolist() == [0] * 10
    assert surplus.notes == (
        "10 of 400 steps are missing and count as 0 MW: 1 gap, the first at 2025-03-24 04:00",
    )


def test_too_many_gaps_are_a_problem() -> None:
    rows = lines(400)
    del rows[100:160]
    (found,) = complaints(csv(rows))
    assert "misses 60 of 400 steps" in found


def test_the_hour_that_local_time_leaves_out_in_spring_is_recognised() -> None:
    rows = [row.replace("Z", "") for row in lines(24 * 20)]
    missing = next(place for place, row in enumerate(rows) if "03-30T02:00" in row)
    del rows[missing]
    (note,) = read_csv(csv(rows), "s.csv").notes
    assert "2025-03-30 02:00" in note and "the times are not UTC" in note


def test_the_hour_that_local_time_has_twice_in_autumn_is_recognised() -> None:
    start = datetime(2025, 10, 20)
    rows = [f"{start + timedelta(hours=place)},{place}" for place in range(24 * 12)]
    doubled = next(place for place, row in enumerate(rows) if "10-26 02:00" in row)
    rows.insert(doubled + 1, f"{rows[doubled].split(',')[0]},999")
    (found,) = complaints(csv(rows))
    assert "stands there twice" in found and "clocks go back" in found


def test_a_moment_given_twice_is_dropped_where_it_agrees_and_refused_where_not() -> None:
    rows = lines(200)
    assert "1 lines stood there twice" in read_csv(csv([*rows, rows[7]]), "s.csv").notes[-1]
    (found,) = complaints(csv([*rows, rows[7].split(",")[0] + ",99"]))
    assert "with two values" in found and "keep one of them" in found


def test_rows_out_of_order_are_sorted_and_said_to_be() -> None:
    rows = lines(200)
    mixed = read_csv(csv(rows[::-1]), "s.csv")
    assert np.array_equal(mixed.mw, read_csv(csv(rows), "s.csv").mw)
    assert mixed.notes == ("lines were out of order and have been sorted",)


def test_a_step_that_changes_is_named_with_its_line() -> None:
    rows = lines(300)
    rows[200] = rows[200].replace(":00:00Z", ":20:00Z")
    (found,) = complaints(csv(rows))
    assert found.startswith("s.csv:202: ") and "between two steps" in found


def test_an_end_that_disagrees_with_the_step_is_named() -> None:
    rows = [f"{row.split(',')[0]},{row.split(',')[0]},1" for row in lines(3)]
    assert "step of 0 s" in complaints(csv(rows, "start,end,mw"))[0]


def test_a_history_of_two_days_is_too_short_and_a_wrong_year_does_not_fill_the_memory() -> None:
    assert "covers 2.0 days" in complaints(csv(lines(48)))[0]
    rows = lines(300)
    rows[-1] = "9999-01-01T00:00:00Z,1"
    assert "misses" in complaints(csv(rows))[0]


def test_values_below_zero_are_no_surplus() -> None:
    rows = lines(300)
    rows[5] = rows[5].split(",")[0] + ",-40"
    surplus = read_csv(csv(rows), "s.csv")
    assert surplus.mw.min() == 0
    assert surplus.notes == ("1 values below 0 MW count as 0: no surplus",)


@given(
    st.text(max_size=100)
    | st.lists(
        st.tuples(
            st.datetimes(datetime(2025, 1, 1), datetime(2025, 1, 9)) | st.text(max_size=8),
            st.floats() | st.text(max_size=8),
        ),
        max_size=30,
    ).map(lambda rows: csv([f"{moment},{mw}" for moment, mw in rows]))
)
def test_whatever_the_file_holds_it_is_read_or_refused(text: str) -> None:
    try:
        surplus = read_csv(text, "s.csv")
    except ConfigError as exc:
        assert exc.problems
    else:
        assert (surplus.mw >= 0).all()


def test_a_history_of_years_is_split_and_a_shorter_one_stays_whole() -> None:
    long = Surplus("x", "x", 0, 3600, np.arange(2.5 * 8760))
    first, second = split_years(long)
    assert (len(first.mw), second.mw[0], second.start_s) == (8760, 8760, 8760 * 3600)
    short = Surplus("x", "x", 0, 3600, np.ones(8760))
    assert split_years(short) == (short,)
