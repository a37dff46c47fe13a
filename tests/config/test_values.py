from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.config import values
from stratum.config.values import Endpoint, Fault


def fault_of(convert: Callable[[object], object], value: object) -> str:
    with pytest.raises(Fault) as caught:
        convert(value)
    return caught.value.fault


def test_true_is_no_number() -> None:
    assert fault_of(values.whole(0), True) == "is true, no whole number"
    assert fault_of(values.number(0), True) == "is true, no number"


def test_a_number_in_quotes_is_told_to_lose_them() -> None:
    with pytest.raises(Fault) as caught:
        values.whole(0)("1024")
    assert caught.value.remedy == "write 0 or more, without quotes"


def test_a_whole_number_does_where_a_fraction_may_stand_but_not_the_reverse() -> None:
    assert values.number(0)(50) == 50.0
    assert fault_of(values.whole(0), 50.0) == "is 50.0, no whole number"


def test_zero_or_one_is_no_boolean() -> None:
    assert fault_of(values.boolean, 1) == "is 1"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400])
def test_a_number_is_finite(value: object) -> None:
    assert "no finite number" in fault_of(values.number(0), value)


def test_bounds_are_named() -> None:
    assert fault_of(values.whole(0, 10_000), -1) == "is -1, too low"
    assert fault_of(values.number(0), -0.5) == "is -0.5, too low"
    assert fault_of(values.number(0, above=True), 0) == "is 0, too low"


def test_a_hexadecimal_number_that_python_will_not_print_is_still_reported() -> None:
    assert fault_of(values.whole(0), 1 << 20_000).startswith("is a number beyond 64 bits")


def test_what_is_shown_has_no_control_characters_and_an_end() -> None:
    assert values.shown("\x1b[31m") == '"\\u001b[31m"'
    assert len(values.shown("x" * 10_000)) < 100
    assert values.shown(datetime.date(2024, 1, 2)) == "2024-01-02"
    assert values.shown([1]) == "a list"
    assert values.shown({}) == "a table"


def test_a_secret_is_never_shown() -> None:
    assert "hunter2" not in fault_of(values.secret, ["hunter2"])


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("127.0.0.1:3333", "127.0.0.1", 3333),
        ("[::1]:3333", "::1", 3333),
        ("[0:0::1]:0", "::1", 0),
        ("pool.example:65535", "pool.example", 65535),
        ("node_1:1", "node_1", 1),
    ],
)
def test_endpoint_is_host_and_port(written: str, host: str, port: int) -> None:
    assert values.endpoint(written) == (host, port)


@pytest.mark.parametrize(
    "written",
    ["", ":", "3333", ":3333", "127.0.0.1", "127.0.0.1:", "::1:3333", "[::1]", "[x]:1", "a b:1",
     "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:٣", "a..b:1", "a" * 64 + ":1",
     "tcp://127.0.0.1:1"],
)  # fmt: skip
def test_endpoint_refuses_what_it_would_have_to_guess(written: str) -> None:
    fault_of(values.endpoint, written)


@given(
    st.builds(
        Endpoint,
        st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.just("a.b")),
        st.integers(0, 65535),
    )
)
def test_an_endpoint_reads_back_as_it_was_written(place: Endpoint) -> None:
    assert values.endpoint(str(place)) == place


@given(st.text())
def test_any_text_is_an_endpoint_or_a_fault(written: str) -> None:
    try:
        assert 0 <= values.endpoint(written).port <= 65535
    except Fault as fault:
        assert fault.fault.isprintable()


@given(st.text() | st.text(":/[]@?#.1a").map("http://".__add__))
def test_any_text_is_a_url_or_a_fault(written: str) -> None:
    for convert in (values.http_url, values.tcp_url):
        try:
            assert convert(written) == written
        except Fault as fault:
            assert fault.fault.isprintable()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8332", "https://node.example:443/btc",
                                 "http://[::1]:8332/"])  # fmt: skip
def test_node_urls_are_taken_as_written(url: str) -> None:
    assert values.http_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8332", "ftp://127.0.0.1:1", "http://:8332", "http://[::1:8332", "http://a:b",
     "http://127.0.0.1:8332?x", "http://127.0.0.1:8332#x", "http://127.0.0.1:83 32",
     "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://127.0.0.1\t:8332"],
)  # fmt: skip
def test_node_urls_have_scheme_host_and_port(url: str) -> None:
    fault_of(values.http_url, url)


def test_a_url_without_a_port_is_told_so() -> None:
    assert "names no port" in fault_of(values.http_url, "http://127.0.0.1")


def test_credentials_in_a_url_are_refused_and_not_shown() -> None:
    fault = fault_of(values.http_url, "http://alice:hunter2@127.0.0.1:8332")
    assert fault == "carries credentials"


def test_zmq_endpoints_are_tcp_or_empty() -> None:
    assert values.tcp_url("tcp://127.0.0.1:28332") == "tcp://127.0.0.1:28332"
    assert values.tcp_url("") == ""
    for written in ("127.0.0.1:28332", "ipc:///tmp/x", "tcp://127.0.0.1", "tcp://*:28332"):
        fault_of(values.tcp_url, written)


def test_a_path_may_start_in_the_home_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert values.path("~/.bitcoin") == tmp_path / ".bitcoin"


@pytest.mark.parametrize("written", ["", "  ", "a\0b", "a\nb", "~nobody-of-that-name/x"])
def test_a_path_that_can_not_be_meant_is_a_fault(written: str) -> None:
    fault_of(values.path, written)
