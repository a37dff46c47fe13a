from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from stratum.observability.markup import Cell, Column, links, nothing, pairs, section, table


class Tags(HTMLParser):
    """Which tags with which attributes a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))


def everything(words: str) -> str:
    """The text in each place that takes one."""
    cell = Cell(words, words, words)
    return "".join(
        (
            section(words, nothing(words)),
            links(words, [(words, words)]),
            pairs("facts", [(words, cell), (words, words)]),
            table(words, [Column(words, "n", words, "ascending")], [[cell], [words]], words),
            table(words, [Column(words)], [], words),
        )
    )


@given(st.text("<>&\"'/ =a\u202e\x00\ud800", min_size=1, max_size=40))
def test_no_text_adds_a_tag_or_an_attribute(words: str) -> None:
    assert Tags(everything(words)).seen == Tags(everything("x")).seen


def test_empty_table_says_so_and_empty_links_say_nothing() -> None:
    assert table("Rigs", [Column("A")], [], "None yet.") == '<p class="nothing">None yet.</p>'
    assert links("More", []) == ""


def test_quiet_rows_are_marked() -> None:
    rows = table("Rigs", [Column("A")], [["1"], ["2"], ["3"]], "", [False, True])
    assert rows.count('<tr class="quiet"><td class="">2</td>') == 1
    assert rows.count("quiet") == 1
