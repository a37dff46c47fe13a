"""What runs is chosen explicitly, named truly, and never fallen back to in silence."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import hashing
from hashing import native, reference

ROOT = Path(__file__).parent.parent.parent
NAMES = {"sha_ni", "armv8", "avx2", "portable"}


def run_python(code: str, wanted: str | None) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter with BASELOAD_HASHING set, or unset."""
    environment = {key: value for key, value in os.environ.items() if key != "BASELOAD_HASHING"}
    if wanted is not None:
        environment["BASELOAD_HASHING"] = wanted
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)


def test_a_back_end_names_itself_among_those_usable(core: ModuleType) -> None:
    assert core.backend() in core.backends()
    assert core.backends() == ("hashlib",) or set(core.backends()) <= NAMES


def test_portable_runs_everywhere_and_is_the_last_resort() -> None:
    assert native.backends()[-1] == "portable"


@pytest.mark.parametrize("module", [native, reference])
def test_an_unknown_back_end_is_refused_by_name(module: ModuleType) -> None:
    before = module.backend()
    with pytest.raises(ValueError, match="back end is 'md5', expected"):
        module.use("md5")
    assert module.backend() == before


def test_both_modules_offer_the_same_names() -> None:
    for name in hashing.__all__:
        assert hasattr(native, name)
        assert hasattr(reference, name)


def test_without_a_wish_the_best_native_back_end_runs() -> None:
    done = run_python("import hashing; print(hashing.backend())", None)
    assert done.stdout.strip() == native.backends()[0], done.stderr


@pytest.mark.parametrize("name", ["hashlib", *native.backends()])
def test_the_environment_names_the_back_end(name: str) -> None:
    code = "import hashing; print(hashing.backend(), hashing.sha256.__module__)"
    module = "hashing.reference.hashes" if name == "hashlib" else "hashing.native.hashes"
    done = run_python(code, name)
    assert done.stdout.split() == [name, module], done.stderr


def test_an_unknown_name_in_the_environment_stops_the_import() -> None:
    done = run_python("import hashing", "md5")
    assert done.returncode == 1
    assert "BASELOAD_HASHING: back end is 'md5', expected one of" in done.stderr


@pytest.mark.parametrize(("wanted", "runs"), [("", False), ("hashlib", True)])
def test_a_missing_extension_is_an_error_unless_hashlib_was_asked_for(
    wanted: str, runs: bool
) -> None:
    code = "import sys; sys.modules['hashing._native'] = None; import hashing"
    done = run_python(code, wanted)
    assert (done.returncode == 0) is runs
    assert ("pip install -e ." in done.stderr) is not runs
