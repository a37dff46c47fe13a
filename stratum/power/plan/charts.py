"""The figures of the report as plotly's dictionaries.

Text and grid get their colours from the page's style sheet, which knows light and dark; traces
have colours that are legible on both. Labels stand above their bars, not beside them: on a
narrow screen a margin for labels would leave no room for the bars.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stratum.power.plan import wording
from stratum.power.plan.study import Study
from stratum.power.plan.surplus import Floats

Figure = dict[str, Any]

_BLUE, _ORANGE, _GREEN = "#3f83c4", "#d9822b", "#2f9e6e"
_PALE_BLUE, _PALE_GREEN = "rgba(63,131,196,0.25)", "rgba(47,158,110,0.45)"

#: More points than a wide screen has pixels only make the file larger.
_POINTS = 600

_ROW_PX = 44


def _layout(height: int, **more: Any) -> Figure:
    axis = {"automargin": True, "zeroline": True, "fixedrange": True}
    layout: Figure = {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 36, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "x unified",
        "xaxis": dict(axis),
        "yaxis": dict(axis),
    }
    for name, value in more.items():
        layout[name] = {**layout.get(name, {}), **value} if isinstance(value, dict) else value
    return layout


def cash_flow(study: Study) -> Figure:
    """Cash from the first day on, added up: the middle case and where 80 % of the runs lie."""
    total = study.drawn.flow.cumsum(axis=1)
    low, high = np.percentile(total, (10, 90), axis=0)
    middle = study.best.cash.flow[0].cumsum()
    labels = ["start", *study.calendar.labels]
    labels[0] = str(np.datetime64(study.calendar.first, "M") - 1)
    code = study.question.inputs.currency
    line = {"x": labels, "type": "scatter", "mode": "lines"}
    data = [
        {**line, "y": _short(high), "line": {"width": 0}, "showlegend": False, "name": "P90",
         "hovertemplate": "%{y:,.3s}"},
        {**line, "y": _short(low), "line": {"width": 0}, "fill": "tonexty",
         "fillcolor": _PALE_BLUE, "name": "P10 to P90", "hovertemplate": "%{y:,.3s}"},
        {**line, "y": _short(middle), "line": {"width": 2, "color": _BLUE}, "name": "middle case",
         "hovertemplate": "%{y:,.3s}"},
    ]  # fmt: skip
    yaxis = {"title": {"text": code}, "tickformat": "~s"}
    return {"data": data, "layout": _layout(340, yaxis=yaxis, xaxis={"type": "date"})}


def duration(study: Study) -> Figure:
    """Hours of a year in which there was at least so much surplus, and what the fleet takes."""
    surplus, taken = study.question.surplus[0], study.best.absorbed[0]
    order = np.argsort(surplus.mw)[::-1]
    there, took = surplus.mw[order], taken.taken_mw[order]
    hours = np.arange(len(there)) * 8760 / len(there)
    pick = _thinned(len(there), int((there > 0).sum()))
    line = {"type": "scatter", "mode": "lines", "x": _short(hours[pick])}
    data = [
        {**line, "y": _short(took[pick]), "fill": "tozeroy", "fillcolor": _PALE_GREEN,
         "line": {"width": 1, "color": _GREEN}, "name": "taken by the fleet",
         "hovertemplate": "%{y:,.0f} MW"},
        {**line, "y": _short(there[pick]), "line": {"width": 2, "color": _ORANGE},
         "name": "surplus", "hovertemplate": "%{y:,.0f} MW"},
    ]  # fmt: skip
    return {
        "data": data,
        "layout": _layout(
            320,
            xaxis={"title": {"text": "hours of a year"}, "tickformat": ",", "rangemode": "tozero"},
            yaxis={"title": {"text": "MW"}, "tickformat": ",", "rangemode": "tozero"},
        ),
    }


def sensitivity(study: Study) -> Figure:
    """What each figure does to the NPV between its low and its high end."""
    bars = study.bars[::-1]
    places = list(range(len(bars)))
    middle = study.best.npv
    code = study.question.inputs.currency
    common = {"type": "bar", "orientation": "h", "y": places, "base": middle, "width": 0.42}
    data = [
        {
            **common,
            "x": [_rounded(value - middle) for value in values],
            "name": name,
            "marker": {"color": colour},
            "customdata": [[f"{bar.label}: {wording.number(end)} {bar.given.unit}",
                            wording.money(value, code)]
                           for bar, end, value in zip(bars, ends, values, strict=True)],
            "hovertemplate": "%{customdata[0]}<br>NPV %{customdata[1]}<extra></extra>",
        }
        for name, colour, ends, values in (
            ("at its low end", _BLUE, [bar.given.low for bar in bars],
             [bar.at_low for bar in bars]),
            ("at its high end", _ORANGE, [bar.given.high for bar in bars],
             [bar.at_high for bar in bars]),
        )
    ]  # fmt: skip
    labels = [
        {
            "xref": "paper", "x": 0, "y": place + 0.24, "yanchor": "bottom", "xanchor": "left",
            "showarrow": False, "align": "left", "font": {"size": 12},
            "text": f"{bar.label}: {wording.span(bar.given)} {bar.given.unit}",
        }
        for place, bar in enumerate(bars)
    ]  # fmt: skip
    return {
        "data": data,
        "layout": _layout(
            90 + _ROW_PX * len(bars),
            barmode="overlay",
            hovermode="closest",
            annotations=labels,
            xaxis={"title": {"text": f"NPV, {code}"}, "tickformat": "~s"},
            yaxis={"visible": False, "range": [-0.5, len(bars) - 0.3]},
        ),
    }


def _thinned(count: int, useful: int) -> Any:
    """Places of at most `_POINTS` of them, none far beyond the useful ones."""
    last = min(count - 1, useful)
    return np.unique(np.linspace(0, last, _POINTS).astype(np.int64))


def _short(values: Floats) -> list[float]:
    return [_rounded(value) for value in values.tolist()]


def _rounded(value: float) -> float:
    """Five digits: what a chart can show."""
    return float(f"{value:.5g}")
