"""A scrape's text as numbers by name."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def read_metrics(text: str) -> dict[str, float]:
    """Every sample by its name and, where it has them, its labels: `name{key="word"}`."""
    figures = {}
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            spelled = ",".join(f'{key}="{word}"' for key, word in labels.items())
            figures[f"{name}{{{spelled}}}" if spelled else name] = value
    return figures


def grown(before: str, after: str, name: str) -> float:
    """By how much a sample is larger in the later scrape; one that is absent counts as 0."""
    return read_metrics(after).get(name, 0.0) - read_metrics(before).get(name, 0.0)
