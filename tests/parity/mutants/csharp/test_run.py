"""The C# side's mutants, judged for real: what harms is found, what does not compile is no mutant."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from foundation.json_lines import require_same
from parity.export_chain.csharp import MISSING, SOURCES, available
from parity.mutants.csharp import run as csharp_run
from parity.mutants.csharp.run import GOLDEN, INTERLEAVINGS, Judge, asked_of, command, drawn
from parity.mutants.sampled.summary import TESTS
from parity.mutation.lines import LINES
from parity.mutation.operators import Change
from parity.mutation.score import SURVIVED
from tests.jax_port.export.made_bundle import bundle
from tests.sentences import check_error

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


def change(file: str, old: str, new: str) -> Change:
    source = (SOURCES / file).read_bytes()
    start = source.index(old.encode())
    return Change(file, 1, "by hand", start, start + len(old.encode()), old, new)


@pytest.mark.costly
def test_a_fault_of_each_side_is_found(tmp_path: Path) -> None:
    judge = Judge(tmp_path, [bundle(1)], seed=0, scenarios=100)
    assert judge.judge(change("policy/NewYork.cs", "summer ? -4 : -5", "summer ? -5 : -4")) == GOLDEN
    never = change("live/Patience.cs", "Stop = TimeSpan.FromSeconds(", "Stop = TimeSpan.FromDays(")
    assert judge.judge(never) == INTERLEAVINGS
    assert judge.judge(change("live/Patience.cs", "Stop = TimeSpan", "Stop = TimeSpam")) is None


@pytest.mark.slow
def test_what_no_number_shows_is_found_by_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests that are asked are those of the tree with the change in it."""
    monkeypatch.setattr(csharp_run, "CSHARP_TESTS", ("tests/parity/fusion/test_verify.py",))
    judge = Judge(tmp_path, [bundle(1)], seed=0, scenarios=20)
    assert judge.judge(change("policy/Fusion.cs", "Floor = 0.03", "Floor = 0.04")) == TESTS
    same = change("policy/NewYork.cs", "namespace RLTrader", "namespace  RLTrader")
    assert judge.judge(same) == SURVIVED


def test_a_sample_is_seeded_and_spread_over_the_files() -> None:
    chosen = [next_change for next_change, _ in zip(drawn(3), range(60), strict=False)]
    again = [next_change for next_change, _ in zip(drawn(3), range(60), strict=False)]
    assert chosen == again
    assert {"policy", "live", "strategy"} == {one.file.partition("/")[0] for one in chosen}
    assert len({one.file for one in chosen}) > 15


def test_mutants_that_were_judged_otherwise_are_not_counted(tmp_path: Path) -> None:
    """What was judged is there; one is asked for, so that the same command judges none."""
    out, one, bundles = tmp_path / "out", next(drawn(0)), [tmp_path / name for name in "ab"]
    for place in bundles:
        place.mkdir()
        (place / "golden.json").write_text(place.name)
    asked = asked_of([bundles[0]], 0, 20)
    require_same(out / "asked.json", asked, begun=False)
    (out / LINES).write_text(json.dumps({**asdict(one), "outcome": TESTS, "by": TESTS}) + "\n")
    kept = (out / LINES).read_text()
    for words in (
        (str(bundles[0]), "--seed", "1", "--scenarios", "20"),
        (str(bundles[0]), "--scenarios", "21"),
        (str(bundles[1]), "--scenarios", "20"),
        (*map(str, bundles), "--scenarios", "20"),
    ):
        result = CliRunner().invoke(command, [*words, "--count", "1", "--out", str(out)])
        check_error(result.exception)
    assert (out / LINES).read_text() == kept
    for name in ("C# sources", "tests", "code"):
        assert len(asked[name]) == 64


def test_a_folder_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path)])
    check_error(result.exception)
