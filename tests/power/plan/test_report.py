"""The page holds its answer first and every input with its origin; nothing comes from outside."""

from __future__ import annotations

import dataclasses
import math
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from stratum.power.plan import charts, wording
from stratum.power.plan.examples import EXAMPLES, synthesise
from stratum.power.plan.inputs import Inputs, figures, in_currency
from stratum.power.plan.report import page
from stratum.power.plan.study import Row, Study, study
from stratum.power.plan.tariff import flat, parse
from stratum.power.plan.verdict import Question
from tests.power.plan.question import fleet, question


@pytest.fixture(scope="module")
def answered() -> Study:
    example = EXAMPLES["hydro-100-to-600"]
    asked = Question(
        synthesise(example, 1, 2), (fleet(1000),), flat(example.tariff), Inputs(), samples=100
    )
    return study(asked)


@pytest.fixture(scope="module")
def html(answered: Study) -> str:
    return page(answered)


def visible(html: str) -> str:
    """The text that a reader sees, scripts and styles left out."""
    bare = re.sub(r"(?s)<(script|style)[^>]*>.*?</\1>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def test_the_answer_stands_before_every_table_and_chart(answered: Study, html: str) -> None:
    text = visible(html)
    answer = " ".join(wording.answer(answered).split())
    assert text.index(answer) < text.index("How sure") < text.index("Cash")
    assert answer.startswith(("Yes", "No"))
    assert f"{wording.number(answered.best.break_even, 1)} USD/MWh" in answer


def test_every_input_is_there_with_its_value_range_and_origin(answered: Study, html: str) -> None:
    text = visible(html)
    inputs = answered.question.inputs
    rules = EXAMPLES["hydro-100-to-600"].rules.items()
    given = [entry[1:] for group in (inputs.chain, inputs.site, inputs.money)
             for entry in figures(group)]  # fmt: skip
    for label, figure in [*given, *rules, ("tariff", answered.question.prices.rate)]:
        row = (label, wording.number(figure.value), wording.span(figure), figure.unit,
               figure.origin)  # fmt: skip
        assert " ".join(" ".join(row).split()) in text, label
    assert "halving at block 1,050,000 2028-04-12" in text


def test_every_month_of_the_plan_has_a_line(answered: Study, html: str) -> None:
    body = html[html.index('id="months"') :]
    rows = body[: body.index("</table>")].count("<tr>")
    assert rows == 60 + 1
    assert ">2028-04<" in body


def test_the_page_asks_nothing_of_the_network(html: str) -> None:
    tags = re.findall(
        r"<(?:script|link|img|iframe)[^>]*>", re.sub(r"(?s)<script>.*?</script>", "", html)
    )
    assert not [tag for tag in tags if "src=" in tag or "href=" in tag]
    assert "prefers-color-scheme: dark" in html


def test_the_markup_is_closed_and_names_are_escaped() -> None:
    asked = question()
    surplus = dataclasses.replace(asked.surplus[0], name="<b>&amp;.csv", notes=("<i>",))
    made = page(study(dataclasses.replace(asked, surplus=(surplus,))))
    assert "<b>" not in re.sub(r"(?s)<script.*?</script>", "", made)

    class Checker(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(made)
    assert checker.open == []


def test_charts_have_a_bar_a_curve_and_a_band_and_few_points(answered: Study) -> None:
    bars = charts.sensitivity(answered)
    assert len(bars["data"][0]["y"]) == len(answered.bars) == len(bars["layout"]["annotations"])
    curve = charts.duration(answered)["data"]
    assert all(len(trace["x"]) == len(trace["y"]) <= 600 for trace in curve)
    taken, there = (trace["y"] for trace in curve)
    assert there == sorted(there, reverse=True)
    assert all(took <= most + 1e-9 for took, most in zip(taken, there, strict=True))
    high, low, middle = charts.cash_flow(answered)["data"]
    assert len(middle["x"]) == 61
    assert all(bottom <= top for bottom, top in zip(low["y"], high["y"], strict=True))


# -- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.036, "0.036"), (12.345, "12.35"), (123.4, "123.4"), (12345.6, "12,346"),
     (-2.5, "−2.50"), (math.nan, "none"), (math.inf, "never"), (-math.inf, "below −99")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert wording.number(value) == text


def test_money_is_shown_with_three_digits() -> None:
    assert wording.money(12_345_678, "EUR") == "12.3 M EUR"
    assert wording.money(-1_234_567_890, "EUR") == "−1.23 bn EUR"
    assert wording.row_value(Row("payback", "years", (0, 0, 0)), math.inf) == "never"


def test_the_answer_is_yes_with_a_limit_or_no_with_one() -> None:
    yes = wording.answer(study(question(rate=0.0, fleets=(fleet(price=10.0),))))
    assert yes.startswith(
        "Yes: at 0 USD/MWh, 100 x Rig (0.1 MW) earn an NPV of "
    ) or yes.startswith("Yes: at 0.0 USD/MWh, 100 x Rig (0.1 MW) earn an NPV of ")
    assert "it stops being profitable at" in yes
    no = wording.answer(study(question(rate=500.0)))
    assert no.startswith("No: at 500.0 USD/MWh") and "it stops being profitable at" in no
    paid = wording.answer(study(question(rate=5.0, fleets=(fleet(price=50_000.0),))))
    assert "so the plant would have to pay for it" in paid


def test_another_currency_is_written_everywhere_and_converted_once() -> None:
    inputs = in_currency(Inputs(), "EUR", 0.5)
    assert inputs.chain.coin_price.value == 36_650
    assert inputs.money.hall.unit == "EUR/MW" and inputs.money.hall.high == 200_000
    made = page(study(question(inputs, prices=parse("10", "EUR"))))
    text = visible(made)
    assert "EUR for 1 USD" in text
    assert "USD" not in text.replace("EUR for 1 USD", "").replace("USD/TH", "")
