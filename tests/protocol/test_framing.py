"""Lines from a byte stream: any segmentation gives the same, and other protocols are told apart.

Labels like H017 are those of the reference's hostile inputs (§6.3).
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stratum.errors import ProtocolError
from stratum.protocol.framing import MAX_LINE, ForeignProtocol, LineReader, LineTooLong

SUBSCRIBE = b'{"id":1,"method":"mining.subscribe","params":[]}'
AUTHORIZE = b'{"id":2,"method":"mining.authorize","params":["USER","x"]}'

PROXY_V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"


def read(pieces: list[bytes], max_line: int = MAX_LINE) -> tuple[list[bytes], str]:
    """The lines of a stream that comes in pieces, and how it ended: "" or the error's text."""
    reader = LineReader(max_line)
    lines: list[bytes] = []
    try:
        for piece in pieces:
            for line in reader.lines(piece):
                lines.append(line)  # noqa: PERF402  (what came before an error counts)
    except ProtocolError as error:
        return lines, str(error)
    return lines, ""


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


# -- lines -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (SUBSCRIBE + b"\n", [SUBSCRIBE]),
        (SUBSCRIBE + b"\r\n", [SUBSCRIBE]),  # H007
        (b"  \t" + SUBSCRIBE + b"  \n", [b"  \t" + SUBSCRIBE + b"  "]),  # H008
        (SUBSCRIBE + b"\n" + AUTHORIZE + b"\n", [SUBSCRIBE, AUTHORIZE]),  # H010
        (SUBSCRIBE + b"\n\n\r\n" + AUTHORIZE + b"\n", [SUBSCRIBE, b"", b"", AUTHORIZE]),
        (b"{}\r\r\n", [b"{}\r"]),  # only one CR belongs to the end
        (b"{}\r{}\n", [b"{}\r{}"]),  # CR alone ends nothing
        (b"{}\x0b\x0c\x1c\xe2\x80\xa8{}\n", [b"{}\x0b\x0c\x1c\xe2\x80\xa8{}"]),  # splitlines' trap
        (SUBSCRIBE, []),  # not finished
    ],
)
def test_a_line_ends_at_lf_with_or_without_one_cr(data: bytes, lines: list[bytes]) -> None:
    assert read([data]) == (lines, "")
    assert read(bytewise(data)) == (lines, "")


STREAM = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b"{}", SUBSCRIBE, b" ", b"\x00", b"PROXY", b"GET", b"x"]
    )
    | st.sampled_from([b"\x16", b"\x03", b"\x05\x01", b"QUIT\n", b"SSH-", b"\xef\xbb", b"[" * 30])
    | st.binary(max_size=5),
    max_size=20,
).map(b"".join)


@given(STREAM, st.lists(st.integers(0, 400)), st.sampled_from([20, 64, MAX_LINE]))
@example(PROXY_V2, [2], MAX_LINE)  # an empty line is all that the first piece would hold
@example(b"\nGET / HTTP/1.1\n", [1], MAX_LINE)
def test_any_segmentation_gives_the_same_lines(data: bytes, cuts: list[int], max_line: int) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in zip(places, places[1:], strict=False)]
    whole = read([data], max_line)
    assert read(pieces, max_line) == whole
    assert read(bytewise(data), max_line) == whole


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=8))
def test_lines_come_out_as_they_went_in(lines: list[bytes]) -> None:
    sent = [SUBSCRIBE, *(line.removesuffix(b"\r") for line in lines)]
    assert read([b"".join(line + b"\r\n" for line in sent)]) == (sent, "")


def test_a_reader_knows_whether_a_line_is_unfinished() -> None:
    reader = LineReader()
    assert not reader.has_partial_line
    assert list(reader.lines(b'{"id"')) == []
    assert reader.has_partial_line
    assert list(reader.lines(b":1}\n")) == [b'{"id":1}']
    assert not reader.has_partial_line
    assert list(reader.lines(b"")) == []


# -- the cap -----------------------------------------------------------------------------------


def test_a_line_of_the_whole_cap_is_taken() -> None:
    line = b'{"x":"' + b"y" * (MAX_LINE - 8) + b'"}'
    assert len(line) == MAX_LINE
    assert read([line, b"\n"]) == ([line], "")
    assert read([line + b"\n"]) == ([line], "")


@pytest.mark.parametrize("tail", [b"", b"\n", b"\n{}\n"])
def test_one_byte_more_is_too_long_finished_or_not(tail: bytes) -> None:
    data = b"A" * (MAX_LINE + 1) + tail  # H004
    for pieces in ([data], [data[:4000], data[4000:]], bytewise(data)):
        assert read(pieces) == ([], f"line is longer than {MAX_LINE} bytes")


def test_lines_before_the_one_that_is_too_long_are_answered() -> None:
    lines, error = read([SUBSCRIBE + b"\n" + b"A" * 2**20])  # H005
    assert lines == [SUBSCRIBE]
    assert "longer" in error


def test_a_reader_keeps_no_more_than_the_cap() -> None:
    reader = LineReader(64)
    for _ in range(16):
        assert list(reader.lines(b"A" * 4)) == []
    with pytest.raises(LineTooLong):
        list(reader.lines(b"A"))
    assert not reader.has_partial_line


# -- other protocols ---------------------------------------------------------------------------

BY_MISTAKE = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "SSLv2": b"\x80\x2e\x01\x03\x01\x00\x15",  # H016
    "GET": b"GET / HTTP/1.1\r\nHost: pool\r\n\r\n",  # H017
    "POST": b'POST / HTTP/1.1\r\n\r\n{"method":"getwork"}\n',
    "HEAD": b"HEAD / HTTP/1.0\r\n\r\n",
    "PUT": b"PUT /x HTTP/1.1\r\n",
    "OPTIONS": b"OPTIONS * HTTP/1.1\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SSH": b"SSH-2.0-libssh_0.9.6\r\n",  # H022
    "bitcoin": b"\xf9\xbe\xb4\xd9version\x00\x00\x00\x00\x00",  # H023
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",  # H025
    "BOM": b"\xef\xbb\xbf" + SUBSCRIBE + b"\n",  # H026
    "UTF-16 LE": b"\xff\xfe" + SUBSCRIBE.decode().encode("utf-16-le") + b"\n\x00",
    "UTF-16 BE": b"\xfe\xff" + SUBSCRIBE.decode().encode("utf-16-be") + b"\x00\n",
    "NUL": b"\x00" + SUBSCRIBE + b"\n",  # H028
    "Stratum V2": b"\xa7" + bytes(range(100, 163)),  # an ElligatorSwift key begins with anything
}

ON_PURPOSE = {
    "CONNECT": b"CONNECT 1.2.3.4:3333 HTTP/1.1\r\n\r\n",  # H019
    "PROXY v1": b"PROXY TCP4 9.9.9.9 1.1.1.1 1234 3333\r\n" + SUBSCRIBE + b"\n",  # H020
    "PROXY v2": PROXY_V2,
    "SOCKS5": b"\x05\x01\x00",
    "SOCKS4": b"\x04\x01\x0d\x05\x01\x02\x03\x04\x00",
}


@pytest.mark.parametrize("name", [*BY_MISTAKE, *ON_PURPOSE])
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 11, 200])
def test_another_protocol_is_told_by_its_first_bytes(name: str, step: int) -> None:
    data = (BY_MISTAKE | ON_PURPOSE)[name]
    reader = LineReader()
    with pytest.raises(ForeignProtocol) as caught:
        for at in range(0, len(data), step):
            assert list(reader.lines(data[at : at + step])) == [], "parsed as Stratum"
    assert caught.value.strike == (name in ON_PURPOSE)


@pytest.mark.parametrize("data", [*BY_MISTAKE.values(), *ON_PURPOSE.values()])
def test_the_same_bytes_in_a_later_line_are_just_a_line(data: bytes) -> None:
    lines, error = read([b"{}\n" + data + b"\n"])
    assert (lines[0], error) == (b"{}", "")


@pytest.mark.parametrize(
    "data",
    [b"not json\n", b"[]\n", b"GETWORK\n", b"PROX\n", b"PRIVATE\n", b"\r\n" + SUBSCRIBE + b"\n",
     b"\r\n\r\n" + SUBSCRIBE + b"\n", b"\r\n\r\n\r\n", b"SSH\n", b"\t{}\n", b"\n"],
)  # fmt: skip
def test_text_that_only_begins_alike_is_lines(data: bytes) -> None:
    for pieces in ([data], bytewise(data)):
        lines, error = read(pieces)
        assert lines and not error


@pytest.mark.parametrize("first", [byte for byte in range(256) if bytes([byte]) not in b"\t\r\n"])
def test_a_first_byte_that_no_text_has_is_no_stratum(first: int) -> None:
    _, error = read([bytes([first]) + b"~~~~~~~~~~~~~~~~~~~~"])
    assert bool(error) == (first < 0x20 or first > 0x7E)
