"""Keep what a live job needs to become a block, outside this process's memory.

A share log is rebuilt from disk after a crash, but a block also needs every transaction of its
template, megabytes of them. They are written once per template to a file of their own and
deleted when no job can use them any more (DESIGN §8.3). What is in them is the caller's affair.

A file is the SHA-256 of its content, then the content: after a power cut a file may have its
name and its length but not its bytes, and a block made of zeros is worse than none. There is no
fsync: the log's JOB record is what the books need, this is only a second chance at a block.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from stratum.errors import ConfigError, Problem
from stratum.ledger.errors import StorageFull
from stratum.ledger.records import decode_body, encode_body, sha256

logger = logging.getLogger(__name__)

_DIRECTORY = "templates"
_SUFFIX = ".template"
_UNFINISHED = ".unfinished"
_DIGEST = 32


class TemplateStore:
    """The templates of one data_dir; whoever holds its Log holds these too.

    save() and load() take the time of megabytes of file; call them from a thread where that
    matters. Raises ConfigError where the directory cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory / _DIRECTORY
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            fault = f"{directory} cannot be used: {exc.strerror}"
            raise ConfigError([Problem("data_dir", fault)]) from exc

    def save(self, work_id: int, body: Mapping[str, Any]) -> None:
        """Keep a template under its number, whole or not at all.

        Raises StorageFull; ValueError for a body that `records.encode_body` refuses.
        """
        content = encode_body(body)
        path = self._path(work_id)
        unfinished = path.with_suffix(_UNFINISHED)
        try:
            with open(unfinished, "wb") as file:
                file.write(sha256(content))
                file.write(content)
            os.replace(unfinished, path)
        except OSError as exc:
            unfinished.unlink(missing_ok=True)
            if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise StorageFull(f"no room for template {work_id}: {exc}") from exc
            raise

    def load(self) -> dict[int, Mapping[str, Any]]:
        """Every whole template by its number; one that is not is logged and left out."""
        templates: dict[int, Mapping[str, Any]] = {}
        for work_id, path in self._files():
            try:
                templates[work_id] = _read(path)
            except (OSError, ValueError) as exc:
                logger.warning("template %s of an earlier run is lost: %s", work_id, exc)
        return templates

    def forget(self, keep: Collection[int]) -> None:
        """Delete every template but those of `keep`, and what an interrupted save() left."""
        for work_id, path in self._files():
            if work_id not in keep:
                path.unlink(missing_ok=True)
        for path in self._directory.glob(f"*{_UNFINISHED}"):
            path.unlink(missing_ok=True)

    def _path(self, work_id: int) -> Path:
        assert work_id >= 0, f"work_id is {work_id}"
        return self._directory / f"{work_id}{_SUFFIX}"

    def _files(self) -> Iterator[tuple[int, Path]]:
        """By number; files that are not ours are left alone."""
        paths = [path for path in self._directory.glob(f"*{_SUFFIX}") if path.stem.isdecimal()]
        for path in sorted(paths, key=lambda path: int(path.stem)):
            yield int(path.stem), path


def _read(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    content = data[_DIGEST:]
    if sha256(content) != data[:_DIGEST]:
        raise ValueError(f"{len(data)} bytes do not match their hash")
    return decode_body(content)
