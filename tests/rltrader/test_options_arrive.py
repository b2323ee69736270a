"""Options of every command reach what does the work, each with its own value."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.data.data_loader import prepare
from jax_port.export.manifest import MANIFEST, describe
from jax_port.ppo.policy import load_policy, save_policy
from markets import Bars, EnvConfig, get_contract, readers
from markets.advice.fusion import FusionSettings
from markets.advice.store import ABOUT
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.pattern import pattern_bars
from markets.synthetic.seconds import second_bars
from rltrader.__main__ import app
from rltrader.data import synthetic
from rltrader.options.bars import BarOptions
from tests.commands import commands_of
from tests.jax_port.made_policy import make_policy

READER = {
    "format": "csv",
    "timezone": "America/New_York",
    "snap": True,
    "instrument": "NQH5",
    "stamped": "close",
    "accept_problems": True,
}
"""A value of every option of a reader; none is its default."""
WORDS = (
    *("--symbol", "NQ", "--format", "csv", "--tz", "America/New_York", "--snap"),
    *("--instrument", "NQH5", "--stamped", "close", "--accept-problems"),
)
TRAINED = ("--ungated", "--out", "@out")
ADVISED = ("--out", "@out", "--model", "m")
COMMANDS: dict[str, tuple[str, ...]] = {
    "advise batch forget": ("name", "--out", "@table"),
    "advise batch read": ("name", "--out", "@table"),
    "advise batch write": ("name", *ADVISED),
    "advise run": ADVISED,
    "evaluate": ("@policy", "--out", "@out"),
    "export day": ("@bundle", "--to", "@out"),
    "export verify": ("@bundle",),
    "parity case": ("--state", '{"step_idx": 300}', "--action", "0"),
    "sweep": ("--trials", "1", "--config", "@search", *TRAINED),
    "train": TRAINED,
    "walk-forward": ("--train", "3", "--test", "2", *TRAINED),
}
"""Commands that read a file of bars, with what else they need; after an @ stands what is made here."""
ELSEWHERE = {
    "advise replay": "takes bars as `advise run` does, once its table is read",
    "data check": "looks at a file that may be no bars; below",
    "parity run": "hands them to its parts; below",
    "replay": "takes the contract of its log's bundle; below",
}


class Reached(Exception):
    """Stops a command where the work would begin; holds what arrived there."""


def _stop(*given: Any, **named: Any) -> None:
    raise Reached(given, named)


def run(*words: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what arrived where the work would have begun."""
    with pytest.raises(Reached) as reached:
        app.main([str(word) for word in words], standalone_mode=False)
    given, named = reached.value.args
    return given, named


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What commands ask for beside bars, by its name in :data:`COMMANDS`."""
    folder = tmp_path_factory.mktemp("places")
    config = EnvConfig.phase1(max_episode_bars=60)
    policy = make_policy(prepare(synthetic_bars("NQ", days=2, seed=0), config), config)
    save_policy(folder / "policy.safetensors", policy)
    (folder / "bundle").mkdir()
    manifest = describe(policy, get_contract("NQ"), {"file": "x", "sha256": "0"})
    (folder / "bundle" / MANIFEST).write_text(json.dumps({**manifest, "files": {}}))
    (folder / "table").mkdir()
    (folder / "table" / ABOUT).write_text("{}")
    (folder / "search.toml").write_text("[search]\nlearning_rate = [1e-3, 1e-4]\n")
    (folder / "NQ.csv").write_text("not read")
    return {
        "policy": str(folder / "policy.safetensors"),
        "bundle": str(folder / "bundle"),
        "table": str(folder / "table"),
        "search": str(folder / "search.toml"),
        "data": str(folder / "NQ.csv"),
    }


def test_every_command_that_reads_bars_is_looked_at() -> None:
    reading = {
        name
        for name, command in commands_of(app)
        if {"--tz", "--stamped"} & {opt for param in command.params for opt in param.opts}
    }
    assert reading == {*COMMANDS, *ELSEWHERE}
    assert {field.name for field in fields(BarOptions)} == {*READER, "files", "symbols"}


@pytest.mark.parametrize("name", COMMANDS)
def test_how_a_file_is_read_arrives_whole(
    name: str, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(readers, "read_bars", _stop)
    place = {f"@{key}": value for key, value in {**places, "out": str(tmp_path / "out")}.items()}
    more = [place.get(word, word) for word in COMMANDS[name]]
    (file, contract), reader = run(*name.split(), *more, "--data", places["data"], *WORDS)
    assert Path(file) == Path(places["data"])
    assert contract.symbol == "NQ"
    assert reader == READER


def test_the_gate_hands_on_how_its_file_is_read(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.suites.rounds.run_rounds", _stop)
    (request, *_), _ = run("parity", "run", "--data", places["data"], *WORDS)
    assert (request.data, request.symbol) == (Path(places["data"]), "NQ")
    assert request.reader == READER


def test_a_file_is_checked_as_it_would_be_read(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr("rltrader.data.read_frame", lambda file, **how: told.update(how, file=file))
    monkeypatch.setattr("rltrader.data.inspect", _stop)
    words = [word for word in WORDS if word != "--accept-problems"]
    (_, contract, name), named = run("data", "check", places["data"], *words)
    assert (contract.symbol, name) == ("NQ", "NQ.csv")
    assert {**told, **named} == {
        **{key: value for key, value in READER.items() if key != "accept_problems"},
        "file": Path(places["data"]),
    }


def test_bars_of_a_bundles_contract_are_read_as_told(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``rltrader replay`` does with its options, which name no contract."""
    monkeypatch.setattr(readers, "read_bars", _stop)
    with pytest.raises(Reached) as reached:
        BarOptions(files=(Path(places["data"]),), **READER).read(get_contract("MES"))
    (file, contract), reader = reached.value.args
    assert (Path(file), contract.symbol, reader) == (Path(places["data"]), "MES", READER)


def test_seconds_are_read_as_the_minutes_beside_them(
    places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the zone and by the end of a bar that the command line says of the files."""
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))
    minutes = synthetic_bars("NQ", days=2, seed=0)
    seconds = second_bars(minutes, seed=0)
    fine = tmp_path / "NQ_1s.csv"
    fine.write_text("read by name")
    calls: list[tuple[str, dict[str, Any]]] = []

    def read(file: Path, contract: Any, **how: Any) -> Bars:
        calls.append((Path(file).name, how))
        return seconds if "1s" in Path(file).name else minutes

    monkeypatch.setattr(readers, "read_bars", read)
    monkeypatch.setattr("jax_port.evaluation.intrabar.evaluate_both", _stop)
    run(
        "evaluate", places["policy"], "--data", places["data"], *WORDS,
        "--seconds", str(fine), "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert {name for name, _ in calls} == {"NQ.csv", "NQ_1s.csv"}
    assert all(how == READER for _, how in calls)


MADE: dict[str, tuple[tuple[str, ...], Callable[[], Bars]]] = {
    "--symbol": (("--symbol", "NQ"), lambda: synthetic_bars("NQ", days=2, seed=1)),
    "--days": (("--days", "3"), lambda: synthetic_bars("ES", days=3, seed=1)),
    "--seed": (("--seed", "4"), lambda: synthetic_bars("ES", days=2, seed=4)),
    "--start": (
        ("--start", "2025-03-07"),
        lambda: synthetic_bars("ES", days=2, seed=1, start="2025-03-07"),
    ),
    "--session": (
        ("--session", "all"),
        lambda: synthetic_bars("ES", days=2, seed=1, session="all"),
    ),
    "--pattern": (("--pattern", "0.5"), lambda: pattern_bars("ES", days=2, seed=1, strength=0.5)),
    "--pattern and the others": (
        ("--pattern", "0.5", "--symbol", "NQ", "--days", "3", "--seed", "4", "--start", "2025-03-07"),
        lambda: pattern_bars("NQ", days=3, seed=4, strength=0.5, start="2025-03-07"),
    ),
    "--seconds": (("--seconds",), lambda: second_bars(synthetic_bars("ES", days=2, seed=1), seed=1)),
}
"""Options of ``rltrader data synthetic``, and what they ask for."""


@pytest.mark.parametrize("name", MADE)
def test_synthetic_bars_are_those_that_were_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {opt for param in synthetic.params for opt in param.opts} == {
        *(one for one in MADE if " " not in one),
        "--out",
    }
    given, make = MADE[name]
    usual = {"--symbol": "ES", "--days": "2", "--seed": "1"}
    words = [word for option, value in usual.items() if option not in given for word in (option, value)]
    out = tmp_path / "bars.parquet"
    app.main(["data", "synthetic", *words, *given, "--out", str(out)], standalone_mode=False)
    written = out.with_stem("bars_1s") if name == "--seconds" else out
    found = pd.read_parquet(written)
    expected = make().frame
    assert len(found) == len(expected)
    stamps = found.get("timestamp", found.index)
    assert pd.DatetimeIndex(stamps).equals(expected.index)
    for column in expected:
        np.testing.assert_array_equal(found[column].to_numpy(), expected[column].to_numpy())


def test_what_is_exported_is_what_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jax_port.export.bundle.export", _stop)
    for number in range(3):
        (tmp_path / f"policy-{number}.safetensors").write_bytes(b"read by the export")
    for number in range(3):
        given = ("--agent", str(number), "--symbol", "NQ", "--fusion", "weighted")
        (source, to, symbol, _, fusion), _ = run(
            *("export", str(tmp_path), "--to", str(tmp_path / "to"), *given),
            *("--fusion-set", "weight=0.5", "--fusion-set", "every=7"),
        )
        assert source == tmp_path / f"policy-{number}.safetensors"
        assert (to, symbol) == (tmp_path / "to", "NQ")
        assert fusion == FusionSettings(rule="weighted", weight=0.5, every=7)
    (_, _, symbol, _, fusion), _ = run(
        "export", str(tmp_path / "policy-1.safetensors"), "--to", str(tmp_path / "to")
    )
    assert (symbol, fusion) == (None, None)


def test_what_is_imported_is_what_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jax_port.export.importing.read_policy", _stop)
    base = ("import", str(tmp_path / "m.zip"), "--to", str(tmp_path / "p.safetensors"))
    rules = ("--phase", "2", "--set", "window_size=7", "--set", "contracts=3")
    found, _ = run(*base, "--vecnormalize", str(tmp_path / "v.pkl"), *rules)
    config = EnvConfig.phase2(window_size=7, contracts=3)
    assert found == (tmp_path / "m.zip", tmp_path / "v.pkl", config, False)
    found, _ = run(*base, "--raw-observations", "--phase", "1")
    assert found == (tmp_path / "m.zip", None, EnvConfig.phase1(), True)
    found, _ = run(*base)
    assert found == (tmp_path / "m.zip", None, None, False)


@pytest.mark.parametrize(
    ("more", "step", "gap"),
    [((), None, 1), (("--step", "7"), 7, 1), (("--gap", "3d"), None, 3)],
)
def test_the_windows_of_a_walk_forward_are_those_that_were_asked_for(
    more: tuple[str, ...], step: int | None, gap: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "ES.csv").write_text("read by name")
    bars = synthetic_bars("ES", days=3, seed=0)
    monkeypatch.setattr(readers, "read_bars", lambda *given, **how: bars)
    monkeypatch.setattr("jax_port.evaluation.walk_forward.windows.windows_of", _stop)
    base = ("--data", str(tmp_path / "ES.csv"), "--symbol", "ES", "--ungated", "--out", str(tmp_path))
    (days, *rest), _ = run("walk-forward", *base, "--train", "5", "--test", "2d", *more)
    assert rest == [5, 2, step, gap]
    assert [str(day) for day in days] == ["2025-01-06", "2025-01-07", "2025-01-08"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [((), 2 + 9 + 5), (("--trials", "4"), 4)],
    ids=["by their runs", "by the user's word"],
)
def test_a_policy_is_judged_as_chosen_from_all_that_any_run_of_them_made(
    more: tuple[str, ...], expected: int, places: dict[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    policies, policy = [], load_policy(Path(places["policy"]))
    for name, count in (("one", 2), ("two", 9), ("three", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "finished.json").write_text(json.dumps({"updates": 1, "policies": count}))
        policies.append(tmp_path / name / "policy-0.safetensors")
        save_policy(policies[-1], replace(policy, about={**policy.about, "of": name}))
    bars = synthetic_bars("NQ", days=2, seed=0)
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(readers, "read_bars", lambda *given, **how: bars)
    monkeypatch.setattr("jax_port.evaluation.tasks.finish", _stop)
    words = ("--data", places["data"], "--symbol", "NQ", "--out", str(tmp_path / "out"))
    (played, rules, trials, known), _ = run("evaluate", *map(str, policies), *words, *more)
    assert (trials, rules, len(known)) == (expected, [], 3)
    assert played.policy_path == policies[0]
