"""The files in config/ are run on someone's money: they load, and say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stratum.bitcoin.networks import MAIN, REGTEST
from stratum.config import load
from stratum.config.pool import DURABILITY, NO_WORK_CLOSE_S
from stratum.errors import ConfigError
from stratum.mining.settings import LimitSettings, PayoutSettings, TierSettings
from stratum.node.settings import NodeSettings
from stratum.observability.settings import HttpSettings

EXAMPLES = Path(__file__).parents[2] / "config"
POOL = EXAMPLES / "pool.toml"

#: P2WPKH of 20 zero bytes: nobody's.
ADDRESS = "bc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq9e75rs"


def uncomment(text: str, **values: str) -> str:
    """Take the `#` from a commented option and give it a value, as an operator would."""
    for key, value in values.items():
        text, times = re.subn(rf"(?m)^#{key} = .*$", f'{key} = "{value}"', text)
        assert times == 1, f"{key} is not there once as a commented option"
    return text


@pytest.fixture
def filled_in(tmp_path: Path) -> Path:
    path = tmp_path / "pool.toml"
    cookie = str(tmp_path / ".cookie")
    path.write_text(uncomment(POOL.read_text(), address=ADDRESS, cookie_file=cookie))
    return path


def test_the_pool_example_lacks_an_address_and_credentials_and_nothing_else() -> None:
    with pytest.raises(ConfigError) as caught:
        load(POOL, {})
    assert [problem.key for problem in caught.value.problems] == ["node[0].user", "payout.address"]


def test_the_pool_example_filled_in_holds_the_defaults(filled_in: Path) -> None:
    config = load(filled_in, {})
    cookie_file = filled_in.parent / ".cookie"
    assert config.network is MAIN
    assert config.nodes == (NodeSettings("http://127.0.0.1:8332", cookie_file=cookie_file),)
    assert config.payout == PayoutSettings("solo", ADDRESS)
    assert config.listen == (TierSettings("127.0.0.1", 3333),)
    assert config.limits == LimitSettings()
    assert config.http == HttpSettings()
    assert config.durability == DURABILITY[0]
    assert config.no_work_close_s == NO_WORK_CLOSE_S


def test_every_commented_option_of_the_pool_example_can_be_used(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p\n")
    secret.chmod(0o600)
    text = uncomment(
        POOL.read_text(),
        address=ADDRESS,
        user="baseload",
        password_file=str(secret),
        zmq_hashblock="tcp://127.0.0.1:28332",
    )
    path = tmp_path / "pool.toml"
    path.write_text(text)
    (node,) = load(path, {}).nodes
    assert node == NodeSettings(
        "http://127.0.0.1:8332", "baseload", "p", None, "tcp://127.0.0.1:28332"
    )


def test_the_pool_example_explains_every_option_there_is() -> None:
    text = POOL.read_text()
    for settings in (NodeSettings, PayoutSettings, LimitSettings):
        for name in settings.__dataclass_fields__:
            assert re.search(rf"(?m)^#?{name} = |`{name} = ", text), name
    for name in (
        "difficulty",
        "min_difficulty",
        "max_difficulty",
        "vardiff",
        "durability",
        "no_work_close_s",
    ):
        assert re.search(rf"(?m)^{name} = ", text), name


def test_the_regtest_example_works_as_it_is_beside_a_node(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".bitcoin" / "regtest").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load(EXAMPLES / "regtest.toml", {})

    cookie_file = tmp_path / ".bitcoin" / "regtest" / ".cookie"
    assert config.network is REGTEST
    assert config.nodes == (NodeSettings("http://127.0.0.1:18443", cookie_file=cookie_file),)
    assert config.payout == PayoutSettings("solo", unknown_worker="refuse")
    assert config.listen == (TierSettings("127.0.0.1", 3333, 0.001, 0.0001),)
    assert (config.limits, config.http) == (LimitSettings(), HttpSettings())


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_no_example_carries_an_address_or_a_secret(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\b(bc1|tb1|bcrt1)[02-9ac-hj-np-z]{8,}", text)
    assert not re.search(r"(?m)^\s*(address|password|user)\s*=\s*\"(?![0-9.\[:\]]+\")", text)
