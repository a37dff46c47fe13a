from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.bitcoin.networks import REGTEST
from stratum.config import load
from stratum.config.pool import PoolConfig, read_pool
from stratum.errors import ConfigError, Problem
from stratum.mining.settings import LimitSettings, PayoutSettings, TierSettings
from stratum.node.settings import NodeSettings
from stratum.observability.settings import HttpSettings

Document = dict[str, Any]
Complaints = Callable[..., dict[str, str]]

ADDRESS = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"

FULL = f"""
network = "regtest"
data_dir = "data"
no_work_close_s = 7.5
[[node]]
url = "http://127.0.0.1:18443"
user = "u"
password = "p"
zmq_hashblock = "tcp://127.0.0.1:28332"
[payout]
scheme = "solo"
address = "{ADDRESS}"
unknown_worker = "operator"
coinbase_tag = "/plant/"
fee_bps = 0
reserve_bps = 0
min_payout = 100000
[[listen]]
address = "127.0.0.1:3333"
difficulty = 16
min_difficulty = 1
vardiff = true
[limits]
lines_per_second = 0
connections_per_address = 0
ban_score = 0
[http]
listen = "127.0.0.1:8081"
[log]
durability = "batch"
"""

FIVE_MISTAKES = """
network = "regtset"
data_dir = "data"
[[node]]
url = "127.0.0.1:18443"
user = "u"
password = "p"
[payout]
scheme = "solo"
adress = "x"
unknown_worker = "refuse"
[[listen]]
address = "127.0.0.1:3333"
[[listen]]
address = "127.0.0.1:3334"
difficulty = "hard"
[limits]
ban_score = -1
"""


def complaint(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    (problem,) = caught.value.problems
    assert problem.key == str(path)
    return problem.fault


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pool.toml"


def test_every_option_is_read(file: Path) -> None:
    file.write_text(FULL)
    assert load(file, {}) == PoolConfig(
        network=REGTEST,
        data_dir=Path("data"),
        nodes=(
            NodeSettings("http://127.0.0.1:18443", "u", "p", zmq_hashblock="tcp://127.0.0.1:28332"),
        ),
        payout=PayoutSettings("solo", ADDRESS, "operator", "/plant/"),
        listen=(TierSettings("127.0.0.1", 3333, 16.0, 1.0, True),),
        limits=LimitSettings(0.0, 0, 0),
        http=HttpSettings("127.0.0.1", 8081),
        durability="batch",
        no_work_close_s=7.5,
    )


def test_five_mistakes_are_named_at_once(file: Path) -> None:
    file.write_text(FIVE_MISTAKES)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert {problem.key for problem in caught.value.problems} == {
        "network",
        "node[0].url",
        "payout.adress",
        "listen[1].difficulty",
        "limits.ban_score",
    }


def test_an_empty_file_names_everything_it_lacks(file: Path) -> None:
    file.write_text("")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    found = [problem.key for problem in caught.value.problems]
    assert found == ["network", "data_dir", "node", "payout.scheme", "payout.address", "listen"]


def test_a_syntax_error_names_its_line_and_column(file: Path) -> None:
    file.write_text('network = "regtest"\ndata_dir = = 1\n')
    assert complaint(file).startswith("line 2, column 12: ")


def test_a_key_set_twice_is_a_syntax_error(file: Path) -> None:
    file.write_text("a = 1\na = 2\n")
    assert complaint(file).startswith("line 2, column ")


def test_text_that_is_not_utf8_names_its_line(file: Path) -> None:
    file.write_bytes(b'a = 1\nb = "\xff"\n')
    assert complaint(file) == "line 2: is not UTF-8 text"


def test_a_byte_order_mark_is_no_mistake(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    assert load(file, {}).network is REGTEST


def test_nesting_without_end_is_refused(file: Path) -> None:
    file.write_text("a = " + "[" * 100_000)
    assert complaint(file) == "is nested too deeply"


def test_what_is_no_config_file_at_all_is_said(file: Path, tmp_path: Path) -> None:
    assert "No such file" in complaint(file)
    assert "directory" in complaint(tmp_path)
    file.write_bytes(b"#" * (2 << 20))
    assert "above 1 MiB" in complaint(file)


@pytest.mark.parametrize("key", ["upstream", "power", "signal", "meter"])
def test_tables_of_later_versions_are_refused_by_name(
    document: Document, complaints: Complaints, key: str
) -> None:
    document[key] = {} if key == "power" else [{}]
    assert "not available in this version" in complaints(document)[key]


@pytest.mark.parametrize("key", ["lines_per_second", "connections_per_address", "ban_score"])
def test_limits_are_zero_or_more(document: Document, complaints: Complaints, key: str) -> None:
    document["limits"] = {key: 0}
    assert getattr(read_pool(document, {}).limits, key) == 0
    for value in (-1, True, "50", float("nan")):
        document["limits"] = {key: value}
        assert complaints(document).keys() == {f"limits.{key}"}


def test_durability_is_one_of_two_words(document: Document, complaints: Complaints) -> None:
    document["log"] = {"durability": "paranoid"}
    assert "write one of batch, strict" in complaints(document)["log.durability"]
    for word, is_strict in (("strict", True), ("batch", False)):
        document["log"] = {"durability": word}
        assert read_pool(document, {}).is_strict is is_strict


def test_rigs_are_never_sent_away_at_once(document: Document, complaints: Complaints) -> None:
    document["no_work_close_s"] = 0
    assert complaints(document).keys() == {"no_work_close_s"}


def test_a_data_dir_is_no_file(document: Document, complaints: Complaints, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    document["data_dir"] = str(tmp_path / "file")
    assert "is no directory" in complaints(document)["data_dir"]
    document["data_dir"] = "x" * 5000
    assert "File name too long" in complaints(document)["data_dir"]


# --- Properties: whatever TOML can hold is either a config or a list of problems ---------------

_SCALARS = (
    st.none().map(lambda _: "")
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.sampled_from([ADDRESS, "127.0.0.1:1", "http://h:1", "tcp://h:1", "solo", "main", "~"])
)

#: Every key there is, and where it belongs; problems may name these and what the document holds.
_KEYS = {
    "": ["network", "data_dir", "no_work_close_s", "node", "payout", "listen", "limits", "http",
         "log", "upstream", "power", "signal", "meter"],
    "node[].": ["url", "user", "password", "password_file", "cookie_file", "zmq_hashblock"],
    "payout.": ["scheme", "address", "unknown_worker", "coinbase_tag", "fee_bps", "reserve_bps",
                "fee_descriptor", "reserve_descriptor", "carry_descriptor", "min_payout"],
    "listen[].": ["address", "difficulty", "min_difficulty", "max_difficulty", "vardiff"],
    "limits.": ["lines_per_second", "connections_per_address", "ban_score"],
    "http.": ["listen"],
    "log.": ["durability"],
}  # fmt: skip
_PATHS = {prefix + key for prefix, keys in _KEYS.items() for key in keys}
_NAMES = sorted({key for keys in _KEYS.values() for key in keys})

_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
_DOCUMENTS = st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=5), _VALUES, max_size=8)


def read_or_complain(document: Document) -> None:
    try:
        assert isinstance(read_pool(document, {}), PoolConfig)
    except ConfigError as exc:
        assert exc.problems
        for problem in exc.problems:
            assert str(problem).isprintable()
            assert problem.remedy
            assert is_path(problem), problem.key


def is_path(problem: Problem) -> bool:
    """True for a key of the schema, or one that is reported because it is not."""
    path = re.sub(r"\[\d+\]", "[]", problem.key)
    return path in _PATHS or problem.fault == "is no known key"


@given(_DOCUMENTS)
def test_any_document_is_a_config_or_a_list_of_problems(document: Document) -> None:
    read_or_complain(document)


@given(st.sampled_from(sorted(_PATHS)), _VALUES)
def test_one_wrong_value_in_a_good_document_is_named_by_its_key(path: str, value: object) -> None:
    document: Document = copy.deepcopy(GOOD)
    table, _, key = path.rpartition(".")
    place = document
    if table:
        inner = document.setdefault(table.removesuffix("[]"), {})
        place = inner[0] if isinstance(inner, list) else inner
    place[key] = value
    read_or_complain(document)


GOOD: Document = {
    "network": "regtest",
    "data_dir": "data",
    "node": [{"url": "http://127.0.0.1:18443", "user": "u", "password": "p"}],
    "payout": {"scheme": "solo", "address": ADDRESS},
    "listen": [{"address": "127.0.0.1:3333"}],
}


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_file_is_a_config_or_a_list_of_problems(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        load(file, {})
