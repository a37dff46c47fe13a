from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from stratum.config.plan import read_figures, read_fleet
from stratum.errors import ConfigError
from stratum.power.economics.models import parse_models
from stratum.power.plan.inputs import Inputs, figures

CONFIG = Path(__file__).parents[2] / "config"
ROWS = parse_models((CONFIG / "models.toml").read_text())


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return path


def complaints(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        read_figures(written(tmp_path, text), Inputs())
    return {problem.key: problem.fault for problem in caught.value.problems}


def test_the_example_shows_every_figure_as_the_program_has_it(tmp_path: Path) -> None:
    text = (CONFIG / "plan.toml").read_text()
    assert read_figures(written(tmp_path, text), Inputs()) == Inputs()

    active = re.sub(r"(?m)^#(\w+ = )", r"\1", text)
    found, own = read_figures(written(tmp_path, active), Inputs()), Inputs()
    assert (found.first_month, found.years) == (own.first_month, own.years)
    assert found.chain.quoted == own.chain.quoted
    for name in ("chain", "site", "money"):
        for (key, _, mine), (_, _, theirs) in zip(
            figures(getattr(own, name)), figures(getattr(found, name)), strict=True
        ):
            assert re.search(rf"(?m)^#{key} = ", text), key
            assert (theirs.value, theirs.low, theirs.high) == (mine.value, mine.low, mine.high), key


def test_a_figure_is_a_number_or_a_table_and_says_where_it_is_from(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'first_month = "2028-07"\nyears = 3\n[chain]\nquoted = 2026-11-20\ncoin_price = 90000\n'
        "height = 975_000\ndifficulty_t = 150\n"
        '[money]\nopex = { value = 20000, low = 15000, high = 30000, origin = "an offer" }\n',
    )
    inputs = read_figures(path, Inputs())
    assert (inputs.first_month, inputs.years, inputs.months) == (date(2028, 7, 1), 3, 36)
    assert inputs.chain.quoted == date(2026, 11, 20)
    price, opex = inputs.chain.coin_price, inputs.money.opex
    assert (price.value, price.is_certain, price.origin) == (90_000, True, f"the file {path}")
    assert (opex.low, opex.high, opex.origin) == (15_000, 30_000, "an offer")
    assert inputs.site == Inputs().site


def test_every_mistake_is_named_by_its_key(tmp_path: Path) -> None:
    found = complaints(
        tmp_path,
        'first_month = "soon"\nyears = 0\nyaers = 3\n'
        '[chain]\ncoin_price = 0\nquoted = "today"\ncoin_growth_percent = -20\n'
        'difficulty_growth_percent = -100\nfees_btc = "much"\n'
        "[site]\noverhead = { value = 1.1, low = 1.2, high = 1.3 }\nidle_w = -1\n"
        "[money]\ntax_percent = 120\nhall = { price = 3 }\nopex = { low = 3 }\n",
    )
    assert set(found) == {
        "first_month", "years", "yaers", "chain.coin_price", "chain.quoted",
        "chain.difficulty_growth_percent", "chain.fees_btc",
        "site.overhead", "site.idle_w", "money.tax_percent", "money.hall", "money.opex",
    }  # fmt: skip
    assert found["site.overhead"] == "is 1.1 in a range of 1.2 to 1.3"


def test_another_day_needs_the_figures_of_that_day(tmp_path: Path) -> None:
    text = "[chain]\nquoted = 2026-11-20\ncoin_price = 90000\n"
    assert complaints(tmp_path, text) == {
        "chain.quoted": "is another day, without height, difficulty_t of that day"
    }
    (tmp_path / "plan.toml").write_text("[chain]\ncoin_price = 90000\n")
    assert read_figures(tmp_path / "plan.toml", Inputs()).chain.quoted == Inputs().chain.quoted


def test_a_fleet_with_counts_is_one_and_prices_are_the_operators(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[[rig]]\nmodel = "Antminer S21 200T"\ncount = 30\nprice = 2500\n'
        '[[rig]]\nmodel = "Antminer S19 XP 140T"\ncount = 7\n',
    )
    new, old = read_fleet(path, ROWS, Inputs())
    assert (new.count, new.ths, new.watts) == (30, 200, 3500)
    assert new.price.value == 2500 and new.price.is_certain
    assert old.price.is_assumed and old.price.value == pytest.approx(140 * 7)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", {"rig"}),
        ('[[rig]]\nmodel = "S22"\n', {"rig[0].model"}),
        ('[[rig]]\ncount = 3\n', {"rig[0].model"}),
        (
            '[[rig]]\nmodel = "Antminer S9"\ncount = 3\n[[rig]]\nmodel = "Avalon 1246"\n',
            {"rig[1].count"},
        ),
        ('[[rig]]\nmodel = "Antminer S9"\nprize = 3\n', {"rig[0].prize"}),
        ('[[rigs]]\nmodel = "Antminer S9"\n', {"rig", "rigs"}),
    ],
)  # fmt: skip
def test_a_faulty_fleet_is_named(tmp_path: Path, text: str, keys: set[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_fleet(written(tmp_path, text), ROWS, Inputs())
    assert {problem.key for problem in caught.value.problems} == keys
