"""Cut a byte stream into lines, and tell at the first bytes what is no Stratum at all.

A line ends at LF, one CR before it is dropped, and nothing longer than the cap is ever kept in
memory. What other protocols say first is recognised before anything is parsed, because BFGMiner
opens every connection with a TLS ClientHello and must not be punished for it (rule 23).
"""

from __future__ import annotations

from collections.abc import Iterator

from stratum.errors import ProtocolError

#: ckpool cuts at 1 KiB, hydrapool at 8, miningcore at 32: cgminer's longest line is under 1 KiB.
MAX_LINE = 8192

#: Said by a rig or tool in good faith: close, no strike.
_BY_MISTAKE = (
    (b"\x16\x03", "TLS on the plain port"),
    (b"\x80", "SSLv2 on the plain port"),
    (b"GET ", "HTTP on the Stratum port"),
    (b"POST ", "HTTP on the Stratum port"),
    (b"HEAD ", "HTTP on the Stratum port"),
    (b"PUT ", "HTTP on the Stratum port"),
    (b"OPTIONS ", "HTTP on the Stratum port"),
    (b"PRI * HTTP/2", "HTTP/2 on the Stratum port"),
    (b"SSH-", "SSH on the Stratum port"),
    (b"\xf9\xbe\xb4\xd9", "bitcoin p2p on the Stratum port"),
    (b"\x1f\x8b", "gzip on the Stratum port"),
    (b"\xef\xbb\xbf", "a byte order mark before the first line"),
    (b"\xff\xfe", "UTF-16 instead of UTF-8"),
    (b"\xfe\xff", "UTF-16 instead of UTF-8"),
    (b"\x00", "a NUL before the first line"),
)

#: Said by somebody who looks for a way through: close and strike.
_ON_PURPOSE = (
    (b"CONNECT ", "an open-proxy probe"),
    (b"\x05\x01", "a SOCKS probe"),
    (b"\x04\x01", "a SOCKS probe"),
    (b"PROXY ", "a PROXY header from an address that is not trusted"),
    (b"\r\n\r\n\x00\r\nQUIT\n", "a PROXY header from an address that is not trusted"),
)

_SIGNATURES = [(*one, False) for one in _BY_MISTAKE] + [(*one, True) for one in _ON_PURPOSE]

#: What a line of text can begin with; Stratum V2's first bytes, a public key, mostly do not.
_TEXT = frozenset(b"\t\r\n" + bytes(range(0x20, 0x7F)))


class ForeignProtocol(ProtocolError):
    """The peer does not speak Stratum V1; `strike` tells a mistake from a probe."""

    def __init__(self, what: str, strike: bool) -> None:
        super().__init__(what)
        self.strike = strike


class LineTooLong(ProtocolError):
    """A line passed the cap; what came of it is forgotten."""


class LineReader:
    """Collects one connection's bytes and hands out whole lines.

    Feed what the socket gave, then take lines until there are none. Holds no more than
    `max_line` bytes between calls. Any segmentation gives the same lines.
    """

    __slots__ = ("_checked", "_max_line", "_pending")

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._pending = b""
        self._checked = False

    @property
    def has_partial_line(self) -> bool:
        return bool(self._pending)

    def lines(self, data: bytes) -> Iterator[bytes]:
        """Yield each line that `data` completes, without its end.

        Raises ForeignProtocol at the first bytes of another protocol, LineTooLong past the cap.
        """
        data = self._pending + data
        self._pending = b""
        if not self._checked:
            self._checked = check_first_bytes(data)
        if not self._checked:
            # Not even an empty line goes out yet: a PROXY v2 header begins with two of them.
            self._pending = data
            return

        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            if end - start > self._max_line:
                raise LineTooLong(f"line is longer than {self._max_line} bytes")
            yield data[start:end].removesuffix(b"\r")
            start = end + 1

        if len(data) - start > self._max_line:
            raise LineTooLong(f"line is longer than {self._max_line} bytes")
        self._pending = data[start:]


def check_first_bytes(data: bytes) -> bool:
    """Raise ForeignProtocol, or tell whether enough has come to be sure that it is none."""
    for start, what, strike in _SIGNATURES:
        if data.startswith(start):
            raise ForeignProtocol(what, strike)
        if start.startswith(data):
            return False
    if data[0] not in _TEXT:
        raise ForeignProtocol("binary data on the Stratum port", strike=False)
    return True
