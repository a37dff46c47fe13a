from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.ledger.checkpoint import Checkpoint, Signer, Verifier, open_note

#: The example of golang.org/x/mod/sumdb/note, whose form C2SP's signed-note is.
GO_NAME = "PeterNeumann"
GO_KEY = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann"
    " x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    "\n"
)

ORIGIN = "pool.example.org/log"
SIGNER = Signer(ORIGIN, bytes(range(32)))
WITNESS = Signer("audit.example/witness", bytes(32))
ROOT = hashlib.sha256(b"root").digest()
CHECKPOINT = Checkpoint(ORIGIN, 20852163, ROOT)
NOTE = SIGNER.sign(CHECKPOINT.text())


def test_note_that_another_program_signed_is_opened() -> None:
    verifier = Verifier(GO_NAME, GO_KEY[1:])
    assert GO_KEY[:1] == b"\x01" and verifier.key_id.hex() == "c74f20a3"
    assert str(verifier) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert open_note(GO_NOTE, [verifier]) == GO_NOTE[: GO_NOTE.index("\n\n") + 1]


def test_checkpoint_is_the_lines_that_the_specification_draws() -> None:
    text, signature = NOTE.split("\n\n")
    root = base64.b64encode(ROOT).decode()
    assert text.split("\n") == [ORIGIN, "20852163", root]
    dash, name, encoded = signature.rstrip("\n").split(" ")
    assert (dash, name) == ("\u2014", ORIGIN)
    data = base64.b64decode(encoded)
    public_key = SIGNER.verifier.public_key
    assert data[:4] == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + public_key).digest()[:4]
    assert len(data) == 4 + 64


@given(st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32))
def test_any_checkpoint_is_read_back_from_its_note(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root)
    note = SIGNER.sign(checkpoint.text())
    assert Checkpoint.parse(open_note(note, [SIGNER.verifier])) == checkpoint


@given(st.integers(0, len(NOTE) - 1), st.sampled_from("0aZ+/ \n—"))
def test_changed_note_is_not_what_was_signed(at: int, character: str) -> None:
    changed = NOTE[:at] + character + NOTE[at + 1 :]
    if changed != NOTE:
        with pytest.raises(ValueError, match="note|signature|key"):
            open_note(changed, [SIGNER.verifier])


def test_unknown_signatures_are_left_alone_and_known_ones_must_be_right() -> None:
    witnessed = NOTE + WITNESS.sign(CHECKPOINT.text()).split("\n\n")[1]
    assert Checkpoint.parse(open_note(witnessed, [SIGNER.verifier])) == CHECKPOINT
    assert open_note(witnessed, [WITNESS.verifier, SIGNER.verifier])

    false = NOTE + WITNESS.sign(CHECKPOINT.text() + "more\n").split("\n\n")[1]
    assert open_note(false, [SIGNER.verifier])
    with pytest.raises(ValueError, match="signature of audit.example/witness is wrong"):
        open_note(false, [SIGNER.verifier, WITNESS.verifier])


def test_note_that_no_known_key_has_signed_is_refused() -> None:
    same_name = Signer(ORIGIN, bytes(32)).verifier
    for known in ([], [WITNESS.verifier], [same_name]):
        with pytest.raises(ValueError, match="no known key has signed"):
            open_note(NOTE, known)


def test_at_least_sixteen_signatures_are_read() -> None:
    text = CHECKPOINT.text()
    lines = [Signer(f"w{n}", bytes([n]) * 32).sign(text).split("\n\n")[1] for n in range(99)]
    assert open_note(f"{text}\n{''.join(lines)}{NOTE.split(chr(10) * 2)[1]}", [SIGNER.verifier])
    with pytest.raises(ValueError, match="101 signatures"):
        open_note(NOTE + "".join(lines) + lines[0], [SIGNER.verifier])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "a\nb\nc\n",
        "a\nb\nc\n\n",
        NOTE[:-1],
        NOTE.replace("— ", "- "),
        NOTE.replace("\n20852163", "\r\n20852163"),
        NOTE[: NOTE.index("—")] + "— name AAAA\n",
        NOTE[: NOTE.index("—")] + "— name AAAAAAB=\n",
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(ValueError, match="note|signature|control"):
        open_note(note, [SIGNER.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n01\n{'A' * 43}=\n",
        f"{ORIGIN}\n+1\n{'A' * 43}=\n",
        f"{ORIGIN}\n1\n{'A' * 43}\n",
        f"{ORIGIN}\n1\n{'A' * 42}B=\n",
        f"{ORIGIN}\n1\n{'A' * 40}\n",
        f"{ORIGIN}\n1\n{'A' * 43}=\n\n",
        f"\n1\n{'A' * 43}=\n",
    ],
)
def test_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        Checkpoint.parse(text)


def test_extension_lines_are_left_alone() -> None:
    assert Checkpoint.parse(CHECKPOINT.text() + "extension\n") == CHECKPOINT


@pytest.mark.parametrize("name", ["", "with space", "with+plus", "with\u2003space"])
def test_name_that_a_note_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="key name"):
        Signer(name, bytes(32))
