"""The page: the answer first, then how sure it is, then everything it was made from.

One file that needs no network: plotly's bundle travels inside. Light and dark follow the
reader's system; a table wider than the screen scrolls inside its own box.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

import plotly.io
import plotly.offline

from stratum.power.figures import Given
from stratum.power.plan import chain, charts, draws, running, wording
from stratum.power.plan.examples import EXAMPLES
from stratum.power.plan.inputs import Inputs, figures
from stratum.power.plan.study import Study
from stratum.power.plan.verdict import Verdict

_TOOLS = {"displayModeBar": False, "responsive": True}

Cells = Sequence[str]


def page(study: Study) -> str:
    """The whole report as one HTML document."""
    name = study.question.surplus[0].name
    style = files(__package__).joinpath("report.css").read_text("utf-8")
    verdict = "good" if study.best.is_profitable else "bad"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>baseload plan: {escape(name)}</title>",
            f"<style>{style}</style>",
            f"<script>{plotly.offline.get_plotlyjs()}</script>",
            "</head><body>",
            f"<header><h1>{escape(name)}</h1><p>{escape(_about(study))}</p></header>",
            f'<p class="answer {verdict}">{escape(wording.answer(study))}</p>',
            _caveats(study),
            f"<p>{escape(wording.earnings_in_words(study))}</p>",
            f"<p>{escape(wording.size_in_words(study))}</p>",
            _percentiles(study),
            _section("Fleets compared", _candidates(study),
                     "In the middle case. At its break-even a fleet is worth nothing to build; "
                     "it runs up to the tariff at which it earns its power in the first month. "
                     + wording.running_in_words(study)),
            _section("Cash", _chart(charts.cash_flow(study), "cash"),
                     "Added up, after tax, without interest. Investment first; what rigs and "
                     "site are still worth comes back at the end."),
            _section("Surplus and what is taken", _chart(charts.duration(study), "duration"),
                     "Hours of the first year of the history in which there was at least so much."),
            _section("What matters most", _chart(charts.sensitivity(study), "sensitivity"),
                     "NPV of the middle case where one figure is moved to either end of its "
                     "range and the others stay."),
            _section("Month by month", _months(study), "The middle case."),
            _section("Inputs", _inputs(study),
                     "Every figure with its range and origin. Ranges are read as P10 and P90."),
            _section("How it was reckoned", _method(study)),
            "</body></html>",
        )
    )  # fmt: skip


def _about(study: Study) -> str:
    name = study.question.surplus[0].name
    example = EXAMPLES.get(name)
    about = example.about if example else "surplus from a file"
    inputs = study.question.inputs
    last = study.calendar.labels[-1]
    return f"{about}. {study.calendar.labels[0]} to {last}, money in {inputs.currency}."


def _caveats(study: Study) -> str:
    points = "".join(f"<li>{escape(point)}</li>" for point in wording.caveats(study))
    return f'<ul class="remark">{points}</ul>'


# -- pieces of markup --------------------------------------------------------------------------


def _section(title: str, body: str, remark: str = "") -> str:
    note = f'<p class="remark">{escape(remark)}</p>' if remark else ""
    return f"<section><h2>{escape(title)}</h2>{note}{body}</section>"


def _table(head: Cells, rows: Iterable[Cells], numbers: Sequence[int], name: str) -> str:
    """`numbers`: places of the columns that are aligned to the right."""

    def line(cells: Cells, tag: str) -> str:
        return "".join(
            f'<{tag} class="n">{escape(cell)}</{tag}>'
            if place in numbers
            else f"<{tag}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(cells)
        )

    def row(cells: Cells) -> str:
        if len(cells) == 1:  # a heading between rows
            return f'<tr class="part"><td colspan="{len(head)}">{escape(cells[0])}</td></tr>'
        return f"<tr>{line(cells, 'td')}</tr>"

    body = "".join(map(row, rows))
    return (
        f'<div class="wide"><table id="{name}"><thead><tr>{line(head, "th")}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _chart(figure: charts.Figure, name: str) -> str:
    drawn = plotly.io.to_html(
        figure, config=_TOOLS, include_plotlyjs=False, full_html=False, validate=False, div_id=name
    )
    return f'<div class="chart">{drawn}</div>'


# -- tables ------------------------------------------------------------------------------------


def _percentiles(study: Study) -> str:
    rows = [
        (f"{row.label}, {row.unit}", *(wording.row_value(row, value) for value in row.values))
        for row in study.rows
    ]
    table = _table(("", "P10", "P50", "P90"), rows, (1, 2, 3), "percentiles")
    remark = (
        f"{study.question.samples:,} runs (seed {study.question.seed}): difficulty, coin price, "
        "year of surplus, failures and fees are drawn. P10: one run in ten lies below it, each "
        "line by itself."
    )
    return _section("How sure", table, remark)


def _candidates(study: Study) -> str:
    code = study.question.inputs.currency
    head = ("fleet", "rigs", "MW", "J/TH", f"investment, {code}", f"NPV, {code}", "IRR, %",
            "payback, years", f"break-even, {code}/MWh", f"runs up to, {code}/MWh")  # fmt: skip
    inputs = study.question.inputs
    first = float(running.hashprices(inputs, study.calendar)[0])
    rows = (_candidate(verdict, inputs, first) for verdict in study.candidates)
    return _table(head, rows, range(1, len(head)), "candidates")


def _candidate(verdict: Verdict, inputs: Inputs, hashprice: float) -> Cells:
    fleet = verdict.fleet
    return (
        fleet.name,
        wording.number(fleet.rigs),
        wording.number(fleet.rig_mw, 1),
        wording.number(fleet.j_per_th, 1),
        wording.compact(verdict.cash.invested),
        wording.compact(verdict.npv),
        wording.number(verdict.irr_percent, 1),
        wording.number(verdict.payback_years, 1),
        wording.number(verdict.break_even, 1),
        wording.number(running.runs_up_to(inputs, fleet, hashprice), 1),
    )


def _months(study: Study) -> str:
    inputs, when, best = study.question.inputs, study.calendar, study.best
    made = best.cash
    code = inputs.currency
    runs = draws.middle(inputs, when)
    difficulty = chain.difficulty(inputs.chain, when, runs.course)[0]
    subsidies = chain.subsidies_btc(inputs.chain, when)
    prices = running.hashprices(inputs, when)
    surplus = best.years.surplus_mwh[0].mean(axis=0)
    total = made.flow[0].cumsum()
    rows = []
    for place, label in enumerate(when.labels):
        month = when.month_of_year[place]
        rows.append(
            (
                label,
                wording.number(surplus[month], 0),
                wording.number(made.absorbed_mwh[0, place], 0),
                wording.number(made.hours[0, place], 0),
                wording.number(difficulty[place] / 1e12, 1),
                wording.number(float(subsidies[place]), 4),
                wording.number(float(prices[place]), 2),
                wording.number(made.coins[0, place], 3),
                *(
                    wording.number(series[0, place] / 1000, 0)
                    for series in (made.revenue, made.power, made.upkeep, made.tax)
                ),
                wording.number(made.flow[0, place + 1] / 1000, 0),
                wording.number(total[place + 1] / 1000, 0),
            )
        )
    head = ("month", "surplus, MWh", "taken, MWh", "hours", "difficulty, T", "subsidy, BTC",
            f"hashprice, {code}/PH/day", "coins, BTC", f"revenue, k {code}", "power", "upkeep",
            "tax", "cash", "cash so far")  # fmt: skip
    return _table(head, rows, range(1, len(head)), "months")


def _inputs(study: Study) -> str:
    question = study.question
    inputs = question.inputs
    rows: list[Cells] = []
    rows += _heading("Surplus")
    for surplus in question.surplus[:1]:
        rows.append(("history", surplus.name, "", "", surplus.origin))
        energy = sum(year.energy_mwh for year in question.surplus) / len(question.surplus)
        rows.append(("energy of the history", wording.number(energy, 0), "", "MWh",
                     f"{len(question.surplus)} x {surplus.days:.0f} days in steps of "
                     f"{surplus.step_s} s"))  # fmt: skip
        rows += [("note", note, "", "", "") for note in surplus.notes]
    example = EXAMPLES.get(question.surplus[0].name)
    rows += [_given(label, given) for label, given in (example.rules.items() if example else ())]
    rows += _heading("Tariff")
    rows.append(_given("tariff", question.prices.rate))
    if question.prices.tariff.windows:
        rows.append(("by time (UTC)", question.prices.text, "", "", question.prices.rate.origin))
        paid = wording.number(float(study.best.cash.tariff[0]), 2)
        rows.append(("mean of what is paid", paid, "",
                     question.prices.rate.unit, "from the above"))  # fmt: skip
    rows += _heading("Fleet")
    for verdict in study.candidates:
        for machine in verdict.fleet.machines:
            rows.append((machine.model, f"{machine.ths:g} TH/s, {machine.watts:g} W", "",
                         f"{machine.efficiency_j_per_th:.1f} J/TH", machine.origin))  # fmt: skip
            rows.append(_given(f"price of {machine.model}", machine.price))
    for title, group in (("Network and coin", inputs.chain), ("Site", inputs.site),
                         ("Money", inputs.money)):  # fmt: skip
        rows += _heading(title)
        rows += [_given(label, given) for _, label, given in figures(group)]
    rows += _heading("Plan")
    rows += _plan(inputs, study)
    head = ("", "value", "P10 to P90", "unit", "origin")
    return _table(head, rows, (1, 2), "inputs")


def _heading(title: str) -> list[Cells]:
    return [(title,)]


def _given(label: str, given: Given) -> Cells:
    return (label, wording.number(given.value), wording.span(given), given.unit, given.origin)


def _plan(inputs: Inputs, study: Study) -> list[Cells]:
    days = chain.halving_day(inputs.chain)
    rows: list[Cells] = [
        ("figures of the network as of", str(inputs.chain.quoted), "", "", "see there"),
        ("first month", study.calendar.labels[0], "", "", "the operator's decision"),
        ("length", str(inputs.years), "", "years", "the operator's decision"),
        (f"halving at block {chain.next_halving_height(inputs.chain):,}", str(days), "", "",
         "from height and block interval above"),
    ]  # fmt: skip
    if inputs.per_usd != 1:
        rows.append(("rate of exchange", wording.number(inputs.per_usd), "",
                     f"{inputs.currency} for 1 USD", "--currency"))  # fmt: skip
    return rows


def _method(study: Study) -> str:
    objective = (
        "Rigs sleep in hours that cost more than they earn; wear and start of those stops are not "
        "counted, nor are cycles shown."
        if study.question.follows_price
        else "Rigs follow the surplus at any price; losses are shown."
    )
    points = (
        "In each step the fleet takes min(surplus less reserve, fleet), in whole rigs, the most "
        "efficient model first. A rig that was shed sleeps its shortest sleep, at least one step; "
        "each waking loses its wait. Trim, ramps and noise within a step are left out: "
        "they cost 1 to 5 % of the energy.",
        objective,
        "Sleeping rigs draw their idle power at the same tariff.",
        "Coins count at their month's price, kept or sold. Difficulty grows at its own rate and "
        "follows what the network earns; the subsidy halves at its block.",
        "Missing months of a history count as the mean of the others."
        if study.missing_months
        else "The history has every month of the year.",
        "Break-even tariff: all prices of the tariff are moved by one amount until the NPV is 0; "
        "the mean of what would be paid is shown.",
    )
    return "<ul>" + "".join(f"<li>{escape(point)}</li>" for point in points) + "</ul>"
