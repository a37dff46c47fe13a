from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stratum.errors import ConfigError
from stratum.ledger.errors import StorageFull
from stratum.ledger.templates import TemplateStore
from tests.ledger.conftest import file_size_limit

BODY: dict[str, Any] = {"height": 102, "transactions": [b"\x02" * 200, b"\x01" * 90]}


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "templates").iterdir())


def test_saved_templates_come_back_after_a_restart(tmp_path: Path) -> None:
    store = TemplateStore(tmp_path)
    store.save(7, BODY)
    store.save(12, {"height": 103})
    assert TemplateStore(tmp_path).load() == {7: BODY, 12: {"height": 103}}


def test_second_save_replaces_the_first(tmp_path: Path) -> None:
    store = TemplateStore(tmp_path)
    store.save(7, {"height": 1})
    store.save(7, BODY)
    assert store.load() == {7: BODY}


def test_forget_keeps_what_live_jobs_need_and_sweeps_the_rest(tmp_path: Path) -> None:
    store = TemplateStore(tmp_path)
    for work_id in (1, 2, 3):
        store.save(work_id, {"height": work_id})
    directory = tmp_path / "templates"
    (directory / "4.unfinished").write_bytes(b"half")
    (directory / "notes.txt").write_bytes(b"not ours")
    store.forget({2, 9})
    assert files(tmp_path) == ["2.template", "notes.txt"]


@pytest.mark.parametrize("damage", ["cut", "zeros", "empty"])
def test_template_that_is_not_whole_is_left_out_and_told(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = TemplateStore(tmp_path)
    store.save(1, BODY)
    store.save(2, BODY)
    path = tmp_path / "templates" / "1.template"
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-1], "zeros": bytes(len(data)), "empty": b""}[damage])
    assert store.load() == {2: BODY}
    assert "template 1 of an earlier run is lost" in caplog.text


def test_full_disk_leaves_the_old_template_and_no_half_one(tmp_path: Path) -> None:
    store = TemplateStore(tmp_path)
    store.save(7, {"height": 1})
    with file_size_limit(100), pytest.raises(StorageFull, match="no room for template 7"):
        store.save(7, BODY)
    assert files(tmp_path) == ["7.template"]
    assert store.load() == {7: {"height": 1}}


def test_body_without_one_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="body.difficulty is float"):
        TemplateStore(tmp_path).save(1, {"difficulty": 1.5})
    assert files(tmp_path) == []


def test_directory_that_cannot_be_made_is_a_config_problem(tmp_path: Path) -> None:
    (tmp_path / "templates").touch()
    with pytest.raises(ConfigError, match="data_dir"):
        TemplateStore(tmp_path)
