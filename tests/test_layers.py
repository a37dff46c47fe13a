"""The picture of the house, read from the imports: rows import down, neighbours don't know.

Every import counts, also one inside a function or under TYPE_CHECKING: a type hint is knowledge
too. The rules are run on this tree, and on small trees that break each of them in turn.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import stratum

ROOT = Path(__file__).parent.parent

#: DESIGN §1: a row knows only rows below it, packages of one row do not know each other.
ROWS = {
    "stratum.cli": 7,
    "stratum.app": 6,
    "stratum.config": 6,
    "stratum.net": 5,
    "stratum.node": 5,
    "stratum.ledger": 5,
    "stratum.power": 5,
    "stratum.rigs": 5,
    "stratum.observability": 5,
    "stratum.mining": 4,
    "stratum.protocol": 3,
    "stratum.bitcoin": 3,
    "stratum.units": 2,
    "stratum.errors": 2,
    "stratum.events": 2,
    "hashing": 1,
    "stratum": 0,  # the version and the map, nothing else
}

#: Row 6 is where the parts meet: app reads what config has checked, never the other way.
NEIGHBOURS = {("stratum.app", "stratum.config")}

#: These are fed bytes and `now`; whatever could bring in anything else is another row's.
SANS_IO = {part for part, row in ROWS.items() if 2 <= row <= 4}

#: And these, inside a part that does IO elsewhere: one `decide` for live, twin and replay.
PURE_PACKAGES = ("stratum.power.brain", "stratum.power.economics", "stratum.power.twin")

IO = set(
    "aiohttp aiosqlite anyio asyncio asyncpg concurrent ctypes datetime fcntl http io logging mmap "
    "multiprocessing os pathlib prometheus_client queue random rich secrets select selectors "
    "shutil signal socket socketserver sqlite3 ssl subprocess sys tempfile threading time typer "
    "urllib uvloop zmq".split()
)
IO_CALLS = {"open", "print", "input", "breakpoint"}

#: What only one corner may touch: cffi's boundary, and a library that needs guards around it.
CORNERS = {
    "cffi": {"hashing.native.*"},
    # hashing itself only looks whether the extension is there, to name a broken build.
    "hashing._native": {"hashing.native.*", "hashing"},
    "embit": {"stratum.bitcoin.address", "stratum.bitcoin.descriptor"},
}


@dataclass(frozen=True, slots=True)
class Module:
    """One file: its dotted name and everything it imports, wherever in the file that is."""

    name: str
    imports: frozenset[str]
    calls: frozenset[str]

    @property
    def part(self) -> str:
        return part_of(self.name)


def part_of(name: str) -> str:
    """The box of the picture that a module lies in: `stratum.mining` of `stratum.mining.pool`."""
    pieces = name.split(".")
    return ".".join(pieces[:2] if pieces[0] == "stratum" else pieces[:1])


def read_tree(root: Path) -> list[Module]:
    paths = [path for top in ("stratum", "hashing") for path in (root / top).rglob("*.py")]
    assert paths, f"no modules under {root}"
    return [read_module(root, path) for path in sorted(paths)]


def read_module(root: Path, path: Path) -> Module:
    pieces = path.relative_to(root).with_suffix("").parts
    is_package = pieces[-1] == "__init__"
    name = ".".join(pieces[:-1] if is_package else pieces)
    package = name if is_package else name.rpartition(".")[0]

    tree = ast.parse(path.read_text(), str(path))
    imports = frozenset(found for node in ast.walk(tree) for found in imported(node, package))
    calls = frozenset(
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    return Module(name, imports, calls)


def imported(node: ast.AST, package: str) -> Iterator[str]:
    """Dotted names that one statement imports; `from a import b` may mean the module a.b."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            pieces = package.split(".")[: None if level < 2 else 1 - level] if level else []
            base = ".".join([*pieces, *([module] if module else [])])
            yield from (f"{base}.{alias.name}" for alias in names)
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            yield name


def violations(modules: list[Module]) -> list[str]:
    """Every broken rule as a sentence."""
    found = []
    for module in modules:
        if module.part not in ROWS:
            found.append(f"{module.name} has no row in the picture")
            continue
        found += [
            f"{module.name} imports {name}"
            for name in sorted(module.imports)
            if is_upward(module.part, name)
            or is_foreign_corner(module.name, name)
            or (is_sans_io(module) and is_io(name))
        ]
        if is_sans_io(module):
            found += [f"{module.name} calls {name}" for name in sorted(module.calls & IO_CALLS)]
    return found


def is_upward(part: str, name: str) -> bool:
    target = part_of(name)
    if name.split(".")[0] in ("tests", "bench"):
        return True
    if name.split(".")[0] not in ("stratum", "hashing") or target == part:
        return False
    if target not in ROWS:  # `from stratum import __version__`: a name of the root, not a part
        target = "stratum"
    return ROWS[target] >= ROWS[part] and (part, target) not in NEIGHBOURS


def is_foreign_corner(module: str, name: str) -> bool:
    return any(
        f"{name}.".startswith(f"{corner}.") and not lives_in(module, residents)
        for corner, residents in CORNERS.items()
    )


def lives_in(module: str, residents: set[str]) -> bool:
    """Whether it is one of the modules named, or inside a package named with a star."""
    package = module.rpartition(".")[0]
    return module in residents or f"{package}.*" in residents


def is_sans_io(module: Module) -> bool:
    return module.part in SANS_IO or f"{module.name}.".startswith(
        tuple(f"{package}." for package in PURE_PACKAGES)
    )


def is_io(name: str) -> bool:
    return name.split(".")[0] in IO


def parts_of_picture(docstring: str) -> set[str]:
    """The names at the left of the map in `stratum/__init__.py`."""
    names: set[str] = set()
    for line in docstring.splitlines():
        if match := re.match(r" {4}(\w+(?:, \w+)*) {2,}\S", line):
            names.update(match[1].split(", "))
    return names


def parts_of_tree(root: Path) -> set[str]:
    """Packages and single modules that hold code; `hashing` stands beside `stratum`."""
    entries = [path for path in (root / "stratum").iterdir() if not path.name.startswith("_")]
    packages = {path.name for path in entries if any(path.glob("*.py"))}
    return packages | {path.stem for path in entries if path.suffix == ".py"} | {"hashing"}


# -- this tree ---------------------------------------------------------------------------------


def test_imports_point_down() -> None:
    assert violations(read_tree(ROOT)) == []


def test_the_map_in_the_docstring_names_every_package_and_no_other() -> None:
    assert stratum.__doc__
    assert parts_of_picture(stratum.__doc__) == parts_of_tree(ROOT)


def test_the_reader_sees_the_imports_of_this_tree() -> None:
    modules = {module.name: module for module in read_tree(ROOT)}
    assert "stratum.units.DIFF1_TARGET" in modules["stratum.bitcoin.target"].imports
    assert "embit.bech32" in modules["stratum.bitcoin.address"].imports
    assert "hashing._native.lib" in modules["hashing.native.hashes"].imports


# -- trees that break a rule -------------------------------------------------------------------

Tree = Callable[..., list[str]]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write `path=source` files and tell what is wrong with them."""

    def check(files: dict[str, str]) -> list[str]:
        for name, source in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return violations(read_tree(tmp_path))

    return check


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("stratum/mining/pool.py", "stratum.ledger.log"),
        ("stratum/mining/pool.py", "stratum.app.pool"),
        ("stratum/bitcoin/block.py", "stratum.protocol.messages"),
        ("stratum/protocol/upstream.py", "stratum.bitcoin"),
        ("stratum/net/upstream.py", "stratum.node.rpc"),
        ("stratum/node/rpc.py", "stratum.config.pool"),
        ("stratum/config/pool.py", "stratum.app.pool"),
        ("stratum/app/pool.py", "stratum.cli"),
        ("stratum/events.py", "stratum.units"),
        ("stratum/units.py", "stratum.bitcoin.target"),
        ("stratum/__init__.py", "stratum.cli"),
        ("hashing/reference.py", "stratum.units"),
        ("stratum/app/pool.py", "tests.data"),
    ],
)
def test_an_import_upward_or_sideways_is_found(tree: Tree, path: str, name: str) -> None:
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert tree({path: f"import {name}"}) == [f"{module} imports {name}"]
    parent, _, child = name.rpartition(".")
    assert tree({path: f"from {parent} import {child}"}) == [f"{module} imports {name}"]


@pytest.mark.parametrize(
    "source",
    [
        "def later():\n    from stratum.ledger import log\n",
        "if TYPE_CHECKING:\n    from stratum.ledger import log\n",
        "try:\n    from stratum.ledger import log\nexcept ImportError:\n    log = None\n",
        "from ..ledger import log",
        "log = importlib.import_module('stratum.ledger.log')",
        "log = __import__('stratum.ledger.log')",
    ],
)
def test_an_import_is_found_wherever_it_hides(tree: Tree, source: str) -> None:
    assert tree({"stratum/mining/pool.py": source}) == [
        "stratum.mining.pool imports stratum.ledger.log"
    ]


def test_relative_imports_inside_a_package_are_its_own_business(tree: Tree) -> None:
    files = {
        "stratum/mining/__init__.py": "from . import pool\nfrom .pool import Pool",
        "stratum/mining/pool.py": "from . import jobs\nfrom .jobs import Job\nfrom .. import units",
    }
    assert tree(files) == []


def test_imports_downward_and_from_app_to_config_are_allowed(tree: Tree) -> None:
    files = {
        "stratum/cli/commands.py": "from stratum import __version__, app\nimport stratum.config",
        "stratum/app/pool.py": "import asyncio, stratum.config.pool, stratum.net.downstream",
        "stratum/net/downstream.py": "import socket, stratum.mining.session, hashing",
        "stratum/mining/pool.py": "import json\nfrom stratum.bitcoin import block",
        "stratum/bitcoin/address.py": "from embit import bech32",
        "hashing/native/hashes.py": "from hashing._native import ffi, lib",
    }
    assert tree(files) == []


@pytest.mark.parametrize("module", ["asyncio", "socket", "time", "os.path", "aiohttp", "logging"])
@pytest.mark.parametrize("part", ["bitcoin", "protocol", "mining", "units"])
def test_the_core_does_no_io(tree: Tree, part: str, module: str) -> None:
    files = {f"stratum/{part}/x.py": f"import {module}"}
    assert tree(files) == [f"stratum.{part}.x imports {module}"]


def test_the_core_opens_no_file(tree: Tree) -> None:
    files = {"stratum/mining/x.py": "def read(path):\n    return open(path).read()"}
    assert tree(files) == ["stratum.mining.x calls open"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("stratum/mining/judge.py", "from hashing._native import lib"),
        ("hashing/reference.py", "from hashing import _native"),
        ("hashing/__init__.py", "import cffi"),
        ("stratum/ledger/log.py", "from embit import bip32"),
        ("stratum/bitcoin/template.py", "import embit"),
    ],
)
def test_a_corner_is_touched_by_its_residents_only(tree: Tree, path: str, source: str) -> None:
    assert len(tree({path: source})) == 1


def test_a_package_without_a_row_is_found(tree: Tree) -> None:
    files = {"stratum/helpers/__init__.py": ""}
    assert tree(files) == ["stratum.helpers has no row in the picture"]


def test_a_package_that_the_map_forgets_is_found(tmp_path: Path) -> None:
    for name in ("node", "net"):
        (tmp_path / "stratum" / name).mkdir(parents=True)
        (tmp_path / "stratum" / name / "__init__.py").touch()
    (tmp_path / "stratum" / "units.py").touch()
    (tmp_path / "stratum" / "__pycache__").mkdir()
    picture = (
        "Map.\n\n    hashing      bytes\n    units, node  values; nodes\n\nProse, net of it.\n"
    )
    assert parts_of_tree(tmp_path) - parts_of_picture(picture) == {"net"}
