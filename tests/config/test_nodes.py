from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stratum.config.pool import read_pool
from stratum.node.settings import NodeSettings

Document = dict[str, Any]
Complaints = Callable[..., dict[str, str]]

URL = "http://127.0.0.1:18443"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    return path


def node_of(document: Document, **environ: str) -> NodeSettings:
    return read_pool(document, environ).nodes[0]


def test_user_and_password_are_taken_as_written(document: Document) -> None:
    assert node_of(document) == NodeSettings(URL, "u", "p")


def test_a_password_comes_from_its_file(document: Document, secret: Path) -> None:
    document["node"] = [{"url": URL, "user": "u", "password_file": str(secret)}]
    assert node_of(document) == NodeSettings(URL, "u", "hunter2")


def test_a_password_comes_from_the_environment_for_nodes_without_their_own(
    document: Document, secret: Path
) -> None:
    document["node"] = [
        {"url": URL, "user": "u"},
        {"url": "http://127.0.0.1:2", "user": "u", "password_file": str(secret)},
    ]
    nodes = read_pool(document, {"BASELOAD_NODE_PASSWORD": "from outside"}).nodes
    assert [node.password for node in nodes] == ["from outside", "hunter2"]


def test_a_user_without_any_password_names_the_ways_to_give_one(
    document: Document, complaints: Complaints
) -> None:
    del document["node"][0]["password"]
    assert "BASELOAD_NODE_PASSWORD" in complaints(document)["node[0].password_file"]


def test_a_node_without_credentials_names_all_ways(
    document: Document, complaints: Complaints
) -> None:
    document["node"] = [{"url": URL}]
    found = complaints(document)["node[0].user"]
    assert "cookie_file" in found and "password_file" in found


def test_a_password_without_a_user_is_refused(document: Document, complaints: Complaints) -> None:
    del document["node"][0]["user"]
    assert complaints(document).keys() == {"node[0].user"}


def test_an_empty_user_is_refused(document: Document, complaints: Complaints) -> None:
    document["node"][0]["user"] = ""
    assert "is empty" in complaints(document)["node[0].user"]


def test_two_passwords_are_one_too_many(
    document: Document, complaints: Complaints, secret: Path
) -> None:
    document["node"][0]["password_file"] = str(secret)
    assert "beside password" in complaints(document)["node[0].password_file"]


def test_a_cookie_beside_a_user_is_refused(
    document: Document, complaints: Complaints, secret: Path
) -> None:
    document["node"][0]["cookie_file"] = str(secret)
    assert "beside user and password" in complaints(document)["node[0].cookie_file"]


def test_a_cookie_may_be_missing_while_the_node_is_down(document: Document, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    document["node"] = [{"url": URL, "cookie_file": str(cookie)}]
    assert node_of(document) == NodeSettings(URL, cookie_file=cookie)


def test_a_cookie_in_a_directory_that_is_not_there_is_a_typing_error(
    document: Document, complaints: Complaints, tmp_path: Path
) -> None:
    document["node"] = [{"url": URL, "cookie_file": str(tmp_path / "bitcion" / ".cookie")}]
    assert "bitcion is no directory" in complaints(document)["node[0].cookie_file"]


@pytest.mark.parametrize("key", ["password_file", "cookie_file"])
def test_a_secret_open_to_every_user_is_refused(
    document: Document, complaints: Complaints, secret: Path, key: str
) -> None:
    secret.chmod(0o644)
    node = {"url": URL, key: str(secret)} | ({"user": "u"} if key == "password_file" else {})
    document["node"] = [node]
    assert f"chmod 600 {secret}" in complaints(document)[f"node[0].{key}"]


def test_a_secret_may_be_open_to_its_group(document: Document, secret: Path) -> None:
    secret.chmod(0o640)
    document["node"] = [{"url": URL, "user": "u", "password_file": str(secret)}]
    assert node_of(document).password == "hunter2"


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"a\nb\n", "one line"),
     (b"x" * 5000, "one line")],
)  # fmt: skip
def test_a_password_file_holds_one_line_of_text(
    document: Document, complaints: Complaints, secret: Path, content: bytes, fault: str
) -> None:
    secret.write_bytes(content)
    document["node"] = [{"url": URL, "user": "u", "password_file": str(secret)}]
    assert fault in complaints(document)["node[0].password_file"]


def test_a_password_file_that_is_no_file_is_refused_without_opening_it(
    document: Document, complaints: Complaints, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)  # opening it would wait for a writer
    for name, fault in (("pipe", "is no file"), (".", "is no file"), ("gone", "No such file")):
        node = {"url": URL, "user": "u", "password_file": str(tmp_path / name)}
        document["node"] = [node]
        assert fault in complaints(document)["node[0].password_file"]


def test_no_message_holds_a_password(document: Document, complaints: Complaints) -> None:
    document["node"] = [
        {"url": "http://u:hunter2@h:1", "user": "u:hunter2", "password": ["hunter2"]}
    ]
    assert "hunter2" not in str(complaints(document))


def test_the_same_node_twice_is_refused(document: Document, complaints: Complaints) -> None:
    document["node"] *= 2
    assert complaints(document).keys() == {"node[1].url"}


def test_a_zmq_endpoint_is_checked(document: Document, complaints: Complaints) -> None:
    document["node"][0]["zmq_hashblock"] = "127.0.0.1:28332"
    assert "tcp://host:port" in complaints(document)["node[0].zmq_hashblock"]
