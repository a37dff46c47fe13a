"""Sign a checkpoint for each segment that is full and for each block, and keep it in the log.

    <data_dir>/log.key                     the private key's 32 bytes, readable to the owner only
    <data_dir>/log/<first index>.checkpoint   a signed note over all records up to the segment's end
    <data_dir>/log/<block hash>.checkpoint    the same up to the block's BLOCK record, hash as shown

Done by whoever folds the log, the books process. A log must never sign two histories: what was
signed once for a size is compared, not signed again, so that books which are rebuilt from the log
also check that it is the log they were built from before.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hashing import MerkleEdge
from stratum.errors import ConfigError, Problem
from stratum.ledger.checkpoint import Checkpoint, Signer, open_note
from stratum.ledger.errors import LogDamaged
from stratum.ledger.segment import LOG_DIRECTORY, sync_directory

_KEY = "log.key"
_KEY_SIZE = 32
_UNFINISHED = ".unfinished"
_CHECKPOINT = ".checkpoint"


class Notary:
    """Holds the log's key, which is made where there is none.

    `origin` names the log in all its checkpoints, for ever: the schema-less URL under which it is
    published, or a name made of the key. Raises ConfigError for a key that can't be used,
    ValueError for an origin with spaces or a '+'.
    """

    def __init__(self, directory: Path, origin: str = "") -> None:
        self._log = directory / LOG_DIRECTORY
        seed = _seed(directory / _KEY)
        self._signer = Signer(origin or _name_of(seed), seed)

    @property
    def verifier(self) -> str:
        """The public key, as people publish it."""
        return str(self._signer.verifier)

    @property
    def origin(self) -> str:
        return self._signer.verifier.name

    def note(self, edge: MerkleEdge) -> str:
        """A signed checkpoint of the log as far as it was folded; nothing is kept."""
        return self._signer.sign(Checkpoint(self.origin, edge.size, edge.root()).text())

    def seal(self, first_index: int, edge: MerkleEdge) -> Checkpoint:
        """Keep the checkpoint of the segment that begins at `first_index`; the edge ends with it.

        Raises LogDamaged where another root was signed for it before; OSError.
        """
        return self._keep(f"segment {first_index}", f"{first_index:020}", edge)

    def seal_block(self, block_hash: bytes, edge: MerkleEdge) -> Checkpoint:
        """Keep the checkpoint of a found block; the edge ends with its BLOCK record.

        Raises as seal() does.
        """
        shown = block_hash[::-1].hex()
        return self._keep(f"block {shown}", shown, edge)

    def _keep(self, what: str, name: str, edge: MerkleEdge) -> Checkpoint:
        now = Checkpoint(self.origin, edge.size, edge.root())
        path = self._log / f"{name}{_CHECKPOINT}"
        try:
            before = self._opened(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._store(path, self.note(edge))
            return now
        except ValueError as exc:
            raise LogDamaged(f"checkpoint of {what}: {exc}") from exc
        if before != now:
            raise LogDamaged(
                f"{before.size} records with root {before.root.hex()} were signed for {what},"
                f" the log holds {now.size} with {now.root.hex()}"
            )
        return before

    def _opened(self, note: str) -> Checkpoint:
        return Checkpoint.parse(open_note(note, [self._signer.verifier]))

    def _store(self, path: Path, note: str) -> None:
        unfinished = path.with_suffix(_UNFINISHED)
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync_directory(self._log)


def _name_of(seed: bytes) -> str:
    public_key = Signer("baseload", seed).verifier.public_key
    return f"baseload/{hashlib.sha256(public_key).hexdigest()[:16]}"


def _seed(path: Path) -> bytes:
    """The key in this file, made where there is none.

    One of another size is not replaced: the log would have a new name, and its old checkpoints
    nobody who can vouch for them.
    """
    try:
        seed = path.read_bytes() if path.exists() else _make_seed(path)
    except OSError as exc:
        fault = f"{path} can't be used: {exc.strerror}"
        raise ConfigError([Problem("data_dir", fault, "it must be ours, and have room")]) from exc
    if len(seed) != _KEY_SIZE:
        fault = f"{path} has {len(seed)} bytes, a key has {_KEY_SIZE}"
        raise ConfigError([Problem("data_dir", fault, "restore it from a copy")])
    return seed


def _make_seed(path: Path) -> bytes:
    seed = os.urandom(_KEY_SIZE)
    unfinished = path.with_suffix(_UNFINISHED)
    unfinished.unlink(missing_ok=True)  # a mode is given to new files only
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(seed)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_directory(path.parent)
    return seed
