"""Where a study lies: a journal that outlives a worker killed as it wrote, and places that are none."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy.pool import NullPool

from rltrader.sweep import storage
from rltrader.sweep.storage import JOURNAL, open_storage, shown
from tests.sentences import refuses


@pytest.mark.parametrize("left", [b'{"op_code":6,"worker_id":"x', b"{" * 9000, b""])
def test_half_a_line_is_left_out(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "out" / JOURNAL
    study = optuna.create_study(storage=open_storage(None, tmp_path / "out"), study_name="s")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    with path.open("ab") as file:
        file.write(left)
    again = optuna.load_study(storage=open_storage(None, tmp_path / "out"), study_name="s")
    again.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert [trial.number for trial in study.get_trials()] == [0, 1, 2, 3]
    assert len(optuna.load_study(storage=open_storage(str(path), tmp_path), study_name="s").trials) == 4
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    "place",
    [
        "grpc://host",
        "grpc://:1",
        "mysql+nothing://me:secret@h/x",
        "mysql+nothing://h/x?user=me&password=secret",
    ],
)
def test_what_is_no_place_is_named(tmp_path: Path, place: str) -> None:
    with refuses():
        open_storage(place, tmp_path)


def test_a_password_is_not_shown() -> None:
    assert shown("postgresql://me:secret@host:1/x") == "postgresql://me@host:1/x"
    assert shown("postgresql://me:se@cr@et@host:1/x") == "postgresql://me@host:1/x"
    assert shown("sqlite:///x.db") == "sqlite:///x.db"
    place = "postgresql://host/x?user=me&{}=se:c@ret&sslmode=require"
    for name in ("password", "PASSWD", "sslpassword", "passfile"):
        assert shown(place.format(name)) == place.format(name).replace("se:c@ret", "")
    assert shown("postgresql://me:a@host/x?password=b@c") == "postgresql://me@host/x?password="


def test_a_journal_lies_where_it_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path of one's own is not one in the sweep's folder."""
    monkeypatch.chdir(tmp_path)
    for place, path in ((None, tmp_path / "out" / JOURNAL), ("shared/s", tmp_path / "shared" / "s")):
        open_storage(place, tmp_path / "out")
        assert path.is_file()


class Proxy:
    """Stands for Optuna's proxy, which answers or does not."""

    answers = True

    def __init__(self, **where: object) -> None:
        self.where = where

    def wait_server_ready(self, timeout: float) -> None:
        self.where["timeout"] = timeout
        if not self.answers:
            raise ConnectionError


def test_a_proxy_is_asked_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "GrpcStorageProxy", Proxy)
    monkeypatch.setattr(storage, "find_spec", lambda name: name == "grpc" or None)
    found: Any = open_storage("grpc://some.host:4321", tmp_path)
    assert found.where == {"host": "some.host", "port": 4321, "timeout": 10.0}
    monkeypatch.setattr(Proxy, "answers", False)
    with refuses():
        open_storage("grpc://some.host:4321", tmp_path)
    monkeypatch.setattr(storage, "find_spec", lambda name: None)
    with refuses():
        open_storage("grpc://some.host:4321", tmp_path)


@pytest.mark.parametrize(
    ("place", "url", "engine"),
    [
        ("postgres://me@h/x", "postgresql+psycopg://me@h/x", {"poolclass": NullPool}),
        ("postgresql://h/x?a=://b", "postgresql+psycopg://h/x?a=://b", {"poolclass": NullPool}),
        ("mysql+pymysql://h/x", "mysql+pymysql://h/x", {"poolclass": NullPool}),
        ("sqlite:///x.db", "sqlite:///x.db", {}),
    ],
)
def test_a_database_is_opened_by_its_own_driver_and_holds_no_connection(
    place: str, url: str, engine: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", types.ModuleType("psycopg"))
    monkeypatch.setattr(storage, "RDBStorage", lambda *given, **named: (given, named))
    assert open_storage(place, tmp_path) == ((url,), {"engine_kwargs": engine})
