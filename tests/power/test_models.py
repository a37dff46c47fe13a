"""The table that is shipped, and every way to spoil one's own."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from stratum.errors import ConfigError
from stratum.power.economics.models import Measured, find, overlay, parse_models

SHIPPED = (Path(__file__).parents[2] / "config" / "models.toml").read_text()

IDLE = '[idle]\nwatts = 25\nsource = "us"\ndate = "2026-11"\n'
S21 = '[[model]]\nname = "S21"\nth_s = 200\nwatts = 3500\nsource = "us"\ndate = "2026-11-20"\n'


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_models(text)
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_table_is_read_and_every_row_says_where_it_is_from() -> None:
    rows = parse_models(SHIPPED)
    assert len(rows) == 24
    assert all(row.source and row.date == "2026-11" for row in rows)
    assert all(9 < row.j_per_th < 100 for row in rows)


def test_a_source_is_spelled_out_and_no_letter() -> None:
    assert all(len(row.source) > 20 for row in parse_models(SHIPPED))


def test_what_was_not_verified_says_so() -> None:
    unsure = [row.name for row in parse_models(SHIPPED) if "not verified" in row.source]
    assert unsure == ["Avalon A1566 185T", "Whatsminer M66S 298T", "Whatsminer M63S 390T"]


def test_the_example_in_the_shipped_table_can_be_used() -> None:
    lines = SHIPPED.splitlines()
    first = lines.index("#   [[model]]")
    example = "\n".join(line.removeprefix("#   ") for line in lines[first : first + 8])
    (row,) = parse_models(IDLE + example)
    assert row.idle_w == 31
    assert row.curve == ((1800, 108_000), (2500, 152_000), (3540, 200_000))
    assert set(tomllib.loads(example)["model"][0]) == {
        "name", "th_s", "watts", "idle_w", "curve", "source", "date",
    }  # fmt: skip


def test_a_row_becomes_what_the_brain_needs() -> None:
    s9 = find(parse_models(SHIPPED), "Antminer S9").rig_model()
    assert (s9.rated_w, s9.curve, s9.idle_w) == (1323, ((1323, 13_500),), 25)


def test_hashrates_are_exact() -> None:
    text = IDLE + S21.replace("200", "0.3").replace("3500", "5")
    (row,) = parse_models(text.replace("watts = 25", "watts = 1"))
    assert row.ghs == 300


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (S21.replace('source = "us"\n', ""), "model[0].source: is missing"),
        (S21.replace('"us"', '"  "'), "model[0].source: is '  ', no text"),
        (S21.replace('date = "2026-11-20"', ""), "model[0].date: is missing"),
        (S21.replace("2026-11-20", "2026-13"), "model[0].date: is '2026-13'"),
        (S21.replace("2026-11-20", "last year"), "model[0].date: is 'last year'"),
        (S21.replace("3500", "0"), "model[0].watts: is 0"),
        (S21.replace("3500", "true"), "model[0].watts: is True"),
        (S21.replace("200", "inf"), "model[0].th_s: is Infinity"),
        (S21.replace("3500", "3.5"), "model[0].watts: 3.5 W for 200 TH/s is 0.0175 J/TH"),
        (S21.replace("200", "200000"), "another unit"),
        (S21 + "idle = 5\n", "model[0].idle: is no known key (did you mean idle_w?)"),
        (S21 + "idle_w = 3500\n", "model[0].idle_w: 3500 W at work, 3500 W asleep"),
        (S21 + "idle_w = 2.5\n", "model[0].idle_w: is 2.5"),
        (S21 + "curve = 7\n", "model[0].curve: is no list of [watts, TH/s]"),
        (S21 + "curve = [[1800, 108], [3500]]\n", "model[0].curve: is no list"),
        (S21 + "curve = [[1800, 108], 3500]\n", "model[0].curve: is no list"),
        (S21 + "curve = [[1800, 108], [3400, 200]]\n", "model[0].curve: ends at 3400 W, 200"),
        (S21 + "curve = [[1800, 250], [3500, 200]]\n", "model[0].curve: curve goes from 1800"),
        (S21 + S21, "model[1].name: 'S21' is model[0] already"),
        ("rigs = 3\n", "rigs: is no known key"),
        ("model = 3\n", "model: is no list of tables"),
        ("model = ", "models: is no TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(spoilt: str, told: str) -> None:
    text = spoilt + IDLE if spoilt.startswith(("rigs", "model =")) else IDLE + spoilt
    found = problems(text)
    assert any(told in problem for problem in found), found


def test_all_mistakes_are_told_at_once() -> None:
    spoilt = S21.replace("3500", "0").replace('"us"', '""') + "curve = 1\n"
    keys = [problem.split(":")[0] for problem in problems(spoilt)]
    assert keys == ["idle", "model[0].source", "model[0].watts", "model[0].curve"]


def test_a_small_rig_has_to_give_its_own_idle_watts() -> None:
    bitaxe = S21.replace("200", "1.2").replace("3500", "18")
    assert problems(IDLE + bitaxe) == [
        "model[0].idle_w: 18 W at work, 25 W asleep (give what it takes asleep)"
    ]
    (row,) = parse_models(IDLE + bitaxe + "idle_w = 1\n")
    assert row.idle_w == 1


def test_an_own_date_of_toml_is_a_date_too() -> None:
    (row,) = parse_models(IDLE + S21.replace('"2026-11-20"', "2026-11-20"))
    assert row.date == "2026-11-20"


# -- measured figures --------------------------------------------------------------------------


def test_measured_values_override_the_table() -> None:
    rows = parse_models(SHIPPED)
    name = "Antminer S21 200T"
    curve = ((1900, 110_000), (3610, 199_000))
    measured = {name: Measured(curve, "meter M-17", "2026-11-20", idle_w=31)}
    after = overlay(rows, measured)
    assert [row.name for row in after] == [row.name for row in rows]
    row = find(after, name)
    assert (row.curve, row.idle_w, row.source, row.is_measured) == (curve, 31, "meter M-17", True)
    assert find(rows, name).watts == 3500  # the table itself is as it was
    assert not find(after, "Antminer S9").is_measured


def test_idle_watts_stay_where_only_the_curve_was_measured() -> None:
    measured = {"Antminer S9": Measured(((1400, 13_500),), "us", "2026-11")}
    assert find(overlay(parse_models(SHIPPED), measured), "Antminer S9").idle_w == 25


def test_a_measured_model_that_the_table_lacks_is_added() -> None:
    measured = {"our own": Measured(((900, 40_000),), "us", "2026-11", idle_w=8)}
    assert overlay(parse_models(SHIPPED), measured)[-1].name == "our own"


def test_a_measured_curve_that_falls_is_refused_by_name() -> None:
    measured = {"Antminer S9": Measured(((1400, 13_500), (1300, 14_000)), "us", "2026-11")}
    with pytest.raises(ValueError, match="Antminer S9 as measured"):
        overlay(parse_models(SHIPPED), measured)


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"), [("s21 pro", "Antminer S21 Pro 234T"), ("Antminer S99", "Antminer S9")]
)
def test_an_unknown_model_brings_a_suggestion(name: str, meant: str) -> None:
    with pytest.raises(LookupError, match=meant):
        find(parse_models(SHIPPED), name)
