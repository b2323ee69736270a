"""The command that holds the fusion's implementations against the reference, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from markets.advice.fusion import Fused, FusionSettings, Situation
from parity.export_chain import csharp
from parity.export_chain.csharp import MISSING
from parity.fusion import __main__ as command
from parity.fusion.__main__ import main
from parity.fusion.sides import Fuse, jax_side, numpy_side, torch_side
from parity.fusion.verify import Agreement


@pytest.fixture
def no_mono(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "missing", lambda: MISSING)


def faulty(given: Situation, settings: FusionSettings) -> Fused:
    """Fuse as the reference does, but for a weight that is a little too large."""
    return numpy_side(given, replace(settings, weight=settings.weight * 1.01))


@pytest.mark.usefixtures("no_mono")
@pytest.mark.parametrize("wrong", [None, "jax_side", "torch_side"])
def test_each_side_is_held_to_the_reference_and_one_that_differs_is_enough(
    wrong: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wrong:
        monkeypatch.setattr(command, wrong, faulty)
    done = CliRunner().invoke(command.main, ["--count", "90", "--seed", "3"])
    assert done.exit_code == (1 if wrong else 0), done.output
    told, *lines = done.output.splitlines()
    assert told == f"C#: {MISSING}"
    assert [line.partition(":")[0] for line in lines] == ["JAX", "PyTorch"]
    for line, side in zip(lines, ("jax_side", "torch_side"), strict=True):
        assert ("; first: rule " in line) == (side == wrong)
        assert ": 90 decisions, " in line  # three of each rule's three settings and either phase


@pytest.mark.parametrize("mono", [True, False])
@pytest.mark.parametrize("bad", [None, "JAX", "PyTorch", "C#"])
def test_all_that_was_counted_is_told_of_every_side(
    mono: bool, bad: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def verify(sides: Mapping[str, Fuse], count: int, seed: int) -> dict[str, Agreement]:
        asked.append((dict(sides), count, seed))
        found = {name: Agreement(1000 + number, largest=4e-7) for number, name in enumerate(sides)}
        if bad in found:
            found[bad] = Agreement(98765, 4, 3, 0.0125, 2, "rule gated: decision 7")
        return found

    monkeypatch.setattr(command, "verify", verify)
    monkeypatch.setattr(command, "missing", lambda: None if mono else MISSING)
    monkeypatch.setattr(command, "compile_checker", lambda program: program)
    monkeypatch.setattr(command, "csharp_side", lambda program, scratch: (program, scratch))
    done = CliRunner().invoke(command.main, ["--count", "17", "--seed", "5"])
    ((sides, count, seed),) = asked  # type: ignore[misc]
    assert (count, seed) == (17, 5)
    assert (sides["JAX"], sides["PyTorch"]) == (jax_side, torch_side)
    names = ["JAX", "PyTorch", *(["C#"] if mono else [])]
    assert list(sides) == names
    if mono:
        program, scratch = sides["C#"]
        assert program == Path(scratch) / "ParityCheck.exe"
    good = (
        "{}: {:,} decisions, 0 other actions, 0 outside the mask, 0 not bare at weight 0, "
        "probabilities within 4e-07"
    )
    told = "98,765 decisions, 4 other actions, 3 outside the mask, 2 not bare at weight 0"
    wanted = [
        f"{name}: {told}, probabilities within 0.013; first: rule gated: decision 7"
        if name == bad
        else good.format(name, 1000 + number)
        for number, name in enumerate(names)
    ]
    assert done.output.splitlines() == [*([] if mono else [f"C#: {MISSING}"]), *wanted]
    assert done.exit_code == int(bad in names)


@pytest.mark.parametrize("words", [["--count", "0"], ["--seed", "-1"]])
def test_none_and_less_than_none_are_refused(words: list[str]) -> None:
    done = CliRunner().invoke(command.main, words)
    assert done.exit_code == 2
    assert f"{words[1]} is not in the range" in done.output


@pytest.mark.usefixtures("no_mono")
def test_by_default_a_hundred_thousand_decisions_of_seed_0(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def verify(sides: Mapping[str, Fuse], count: int, seed: int) -> dict[str, Agreement]:
        asked.append((count, seed))
        return {"JAX": Agreement(1, largest=np.nan)}

    monkeypatch.setattr(command, "verify", verify)
    assert CliRunner().invoke(command.main, []).exit_code == 1  # what is no number is no agreement
    assert asked == [(100_000, 0)]


@pytest.mark.parametrize("lacks", ["the sources", "Mono"])
def test_what_is_missing_of_csharp_is_told(
    lacks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacks == "the sources":
        monkeypatch.setattr(csharp, "SOURCES", tmp_path)
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["--count", "40"])
    assert result.exit_code == 0, result.output
    first, *sides = result.output.splitlines()
    assert first.startswith("C#: not checked, since ")
    expected = csharp.NO_SOURCES if lacks == "the sources" else csharp.MISSING
    assert first == f"C#: {expected}"
    assert ("the C# sources are not in" in first) == (lacks == "the sources")
    assert [line.partition(":")[0] for line in sides] == ["JAX", "PyTorch"]
    assert all(" 0 other actions" in line for line in sides)
