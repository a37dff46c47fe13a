"""Wheel, sdist and editable install all carry the extension and the whole program."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist, and the wheel that is built from that sdist alone."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
    )
    return out


def test_sdist_carries_every_c_source_and_header(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    files = [path for path in (ROOT / "csrc").rglob("*") if path.is_file()]
    tracked = {str(path.relative_to(ROOT)) for path in files}
    assert tracked <= names
    assert not any(name.startswith("tests/") for name in names)


def test_wheel_carries_the_extension_the_program_and_the_page(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("hashing/_native.") and name.endswith(".so") for name in names)
    python = {str(path.relative_to(ROOT)) for path in (ROOT / "stratum").rglob("*.py")}
    assert python <= set(names)
    assert {"stratum/py.typed", "stratum/observability/page.css"} <= set(names)


def test_wheel_runs_where_the_source_tree_is_not(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import hashing, stratum.units; print(hashing.__file__, hashing.backend())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = sys.argv[1:]; {code}"]
        + [str(tmp_path / "site"), *_site_packages()],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert str(tmp_path) in done.stdout


def test_editable_install_runs_the_source_tree_with_the_extension() -> None:
    code = "import hashing, hashing.native; print(hashing.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd="/"
    )
    assert str(ROOT / "hashing") in done.stdout


def _site_packages() -> list[str]:
    """Where cffi's runtime is; baseload's own editable finder is not among these (-S)."""
    return [path for path in sys.path if path.endswith("site-packages")]
