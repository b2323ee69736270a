"""The whole gate, small: through Python and through the command line, on good input and bad."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from foundation.errors import InputError
from markets import Bars
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.stress import stress_bars
from parity.engine.certificate import CertificateError, read
from parity.engine.report import SAME, UNSEEN
from parity.learner.suite import REQUIRED as LEARNER
from parity.pairs.seconds import gappy_seconds
from parity.pairs.trading import World
from parity.suites.scenarios import Request
from parity.suites.trading import run
from rltrader.export_parity import MARK, ChainRequest, main, prove_export, require_own
from rltrader.options.bars import BarOptions
from rltrader.parity import _request, _world, failures, parity, show_finding
from tests.parity.made_certificate import opened, write_certificate
from tests.rltrader.test_options_of_the_work import told
from tests.sentences import check_error, refuses

REAL = Path(__file__).parents[3] / "shared" / "data" / "ES_1min_utc.csv"
SMALL = ["--episodes", "4", "--cases", "300", "--days", "3", "--symbols", "ES,MNQ", "--workers", "0"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parity")
    result = CliRunner().invoke(parity, ["run", *SMALL, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "verdict: same" in result.output
    return out


@pytest.mark.slow
def test_a_run_writes_its_four_files(made: Path) -> None:
    names = {path.name for path in made.iterdir()}
    assert names == {"report.html", "parity.json", "junit.xml", "certificate.json"}
    values = json.loads((made / "parity.json").read_text())
    assert values["verdict"] == SAME
    assert values["summary"]["mismatches"] == 0
    assert values["summary"]["numbers_compared"] > 100_000
    assert values["missing"] == []
    checks = {check["check"] for check in values["checks"]}
    assert checks >= {
        *("data", "replay", "restart", "generated", "invariants, port", "invariants, reference"),
        *("forbidden is hold, port", "no look-ahead, port", "mirror, port", "mirror, reference"),
        *("learner", "learner draws", "learner gradients", "learner decisions"),
        "learner, trainer's program",
    }
    assert all(check["compared"] > 0 for check in values["checks"])


@pytest.mark.slow
def test_the_certificate_names_both_sides_and_fits(made: Path) -> None:
    statement = opened(made / "certificate.json")
    certificate = statement["predicate"]
    needed = {
        *(
            "jax_port/envs/env_phase1_jax.py",
            "jax_port/data/data_loader.py",
            "jax_port/data/features.py",
        ),
        *("legacy_torch/env_phase1.py", "legacy_torch/features.py", "markets/clock.py"),
        *("parity/engine/compare.py", "parity/pairs/corners.py", "parity/suites/trading.py"),
    }
    ppo = (
        "train_ppo_jax",
        "update",
        "optimizer/adam",
        "gae",
        "rollout",
        "running_statistics",
        "networks",
        "policy",
    )
    needed |= {f"jax_port/ppo/{name}.py" for name in ppo}
    needed |= {f"parity/learner/{name}.py" for name in ("suite", "judge", "port", "reference")}
    subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    assert needed | {"port", "reference"} <= set(subjects)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert certificate["tolerances"]["learner: gradients"] == "relative error up to 0.0001"
    seen = certificate["counts"]["relative_errors"]["gradients"]
    assert 0 < seen["largest"] < seen["limit"]
    assert seen["limit"] in (1e-4, 2e-5)  # of both checks of gradients, the nearer to its own
    assert certificate["coverage"]["learner: norm clipped"] > 0
    assert set(certificate["covered"]["symbols"]) >= {"ES", "MNQ", "RTY", "MYM"}
    assert certificate["covered"]["configuration"]["contracts"]["least"] == 1
    verify = ["verify", str(made / "certificate.json")]
    result = CliRunner().invoke(parity, [*verify, "--least", "quick"])
    assert result.exit_code == 0, result.output
    assert "fits: verdict 'same', strength quick" in result.output
    weak = CliRunner().invoke(parity, verify)
    assert type(weak.exception) is CertificateError
    assert f"{verify[1]} is not of strength 'standard'" in str(weak.exception)


@pytest.mark.slow
def test_a_certificate_of_other_code_is_refused_in_one_sentence(made: Path, tmp_path: Path) -> None:
    certificate = read(made / "certificate.json")
    certificate["sources"]["jax_port/envs/env_phase1_jax.py"] = "0" * 64
    path = write_certificate(tmp_path / "certificate.json", certificate)
    done = _cli("parity", "verify", "--least", "quick", str(path))
    assert done.returncode == 2
    assert "jax_port/envs/env_phase1_jax.py has changed" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--data", "nowhere.csv"],
        ["run", "--symbols", "ES,XX"],
        ["run", "--episodes", "1"],
        ["verify", "nowhere.json"],
        ["case", "--state", "{", "--action", "0"],
        ["case", "--state", "{}", "--action", "0"],
        ["case", "--config", '{"windowsize": 3}', "--state", "{}", "--action", "0"],
        ["case", "--synthetic", "3", "--stress", "rth", "--state", "{}", "--action", "0"],
        ["case", "--synthetic", "3", "--data", "x.csv", "--state", "{}", "--action", "0"],
        ["case", "--stress", "all", "--data", "x.csv", "--state", "{}", "--action", "0"],
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str]) -> None:
    result = CliRunner().invoke(parity, arguments)
    kind = CertificateError if arguments[0] == "verify" else InputError
    check_error(result.exception, kind=kind)


@pytest.mark.parametrize("days", ["0", "-1"])
def test_a_case_on_no_days_is_refused(days: str) -> None:
    result = CliRunner().invoke(parity, ["case", "--synthetic", days, "--state", "{}", "--action", "0"])
    assert result.exit_code == 2
    assert f"'--synthetic': {days} is not in the range x>=1" in result.output


class _MadeError(Exception):
    """A world that a case was about to be put in."""


@pytest.mark.parametrize(
    ("words", "bars"),
    [
        ([], lambda: synthetic_bars("ES", days=6, seed=0)),
        (["--synthetic", "1", "--seed", "4"], lambda: synthetic_bars("ES", days=1, seed=4)),
        (["--synthetic", "2", "--symbol", "NQ"], lambda: synthetic_bars("NQ", days=2, seed=0)),
        (["--stress", "all", "--seed", "3"], lambda: stress_bars("ES", seed=3, session="all")),
    ],
)
def test_a_case_is_put_in_the_bars_that_are_named(
    words: list[str], bars: Callable[[], Bars], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(worlds: list[World], config: object) -> None:
        raise _MadeError(*worlds)

    monkeypatch.setattr("parity.pairs.trading.trading_pair", stop)
    free = {"commission_cents": 0, "slippage_ticks": 0}
    for more, costs in (([], {}), (["--commission", "0", "--slippage", "0"], free)):
        given = ["case", *words, *more, "--state", "{}", "--action", "0"]
        found = CliRunner().invoke(parity, given).exception
        assert isinstance(found, _MadeError)
        (world,) = found.args
        made = bars()
        wanted = replace(made, contract=replace(made.contract, **costs))
        assert (world.bars.digest, world.bars.contract) == (wanted.digest, wanted.contract)
        assert world.seconds is None


@pytest.mark.parametrize("option", ["--workers", "--cases", "--episodes"])
def test_a_gate_too_large_for_the_memory_names_the_option_that_makes_it_so(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told to be lowered is the option that was large; with it lowered, memory is enough."""
    monkeypatch.setattr("foundation.memory.machine_memory", lambda: 8 * 2**30)
    small = {"--workers": "2", "--cases": "20000", "--episodes": "100"}

    def asked(count: str) -> Result:
        words = [word for pair in (small | {option: count}).items() for word in pair]
        return CliRunner().invoke(parity, ["run", *words, "--symbols", "XX"])

    refused = asked("100000000")
    check_error(refused.exception)
    assert str(refused.exception).endswith(f"; lower {option}")
    check_error(asked(small[option]).exception)  # of the symbol, which is looked at next


def _cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import rltrader.__main__ as m; m.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )


def test_a_case_that_agrees_says_so() -> None:
    state = {
        **dict.fromkeys(("entry_price", "sl_price", "tp_price", "position", "position_entry_step"), 0),
        **dict.fromkeys(("num_trades", "winning_trades", "losing_trades", "total_pnl"), 0),
        "step_idx": 300,
        "episode_start": 290,
        "balance": 5_000_000,
        "highest_balance": 5_000_000,
        "trailing_dd_level": 3_500_000,
    }
    arguments = ["case", "--stress", "rth", "--state", json.dumps(state), "--action", "1"]
    result = CliRunner().invoke(parity, arguments)
    assert result.exit_code == 0, result.output
    assert "both sides agree" in result.output


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="the real sample is not beside the checkout")
def test_the_gate_passes_on_real_bars() -> None:
    small = {"episodes": 4, "cases": 300, "days": 2, "symbols": ("ES",), "workers": 0}
    report = run(Request(data=REAL, learner=False, **small))
    assert all(check.passed for check in report.checks), [c.first for c in report.checks if c.first]
    # Learners were not compared, and a verdict on less than everything is none.
    assert report.verdict == UNSEEN
    assert set(report.missing) == LEARNER
    assert report.worlds[0]["bars"] == 15_749


def test_what_failed_is_printed_in_a_line_a_check_and_a_finding_with_one_command() -> None:
    first = {
        "field": "balance",
        "index": [],
        "lane": 3,
        "step": 4,
        "reference": 4_999_752.0,
        "port": 4_999_754.0,
    }
    checks = [
        {"check": name, "world": world, "passed": passed, "error": "", "first": first, "measures": {}}
        for name, world, passed in (
            ("replay", "ES", False),
            ("replay", "NQ", False),
            ("data", "ES", True),
            ("generated", "ES", False),
        )
    ]
    where = "balance at {} 3, step 4: reference 4,999,752, port 4,999,754"
    assert failures({"checks": checks}) == [
        f"failed: replay on ES and 1 more: {where.format('episode')}",
        f"failed: generated on ES: {where.format('case')}",
    ]
    nowhere = {**checks[3], "check": "independent draws", "first": {**first, "lane": 0, "step": -1}}
    assert failures({"checks": [nowhere]}) == [
        "failed: independent draws on ES: balance: reference 4,999,752, port 4,999,754"
    ]
    assert failures({"checks": checks[2:3]}) == []
    seen = {"fields": ["balance"], "worlds": ["ES", "NQ"], "checks": ["replay", "generated"]}
    begins = "logic: balance; seen in 2 of 12 data sets, by replay and generated; "
    for command, ends in (
        ("rltrader parity case", "the smallest case:"),
        ("", "no single case shows it, an episode does"),
    ):
        found = {"looks_like": "logic", "seen": seen, "command": command}
        assert show_finding(found, 12) == begins + ends


def test_why_a_check_failed_is_its_error_its_first_difference_or_its_first_measure_beyond() -> None:
    one = {"check": "generated", "world": "ES", "passed": False, "error": "", "first": None}
    limits = {"a": (1.0, 1.0), "b": (math.nan, 2e-6), "c": (9.0, 1.0)}
    measures = {name: {"error": error, "limit": limit} for name, (error, limit) in limits.items()}
    first = {"field": "obs", "index": [2, 5], "lane": 3, "step": 4, "reference": 1.5, "port": -2.0}
    for more, why in (
        ({}, "b: error nan, 2e-06 allowed"),
        ({"measures": {"a": measures["a"], "c": measures["c"]}}, "c: error 9, 1 allowed"),
        ({"measures": {"a": measures["a"]}}, "7 numbers differ"),
        ({"first": first}, "obs[2, 5] at case 3, step 4: reference 1.5, port \u22122"),
        ({"error": "it broke", "first": first}, "it broke"),
    ):
        (line,) = failures({"checks": [{**one, "measures": measures, "mismatches": 7, **more}]})
        assert line == f"failed: generated on ES: {why}"


@pytest.mark.parametrize(
    ("name", "least"), [("episodes", 4), ("cases", 200), ("days", 2), ("workers", 0)]
)
def test_a_gate_is_as_small_as_may_be_and_no_smaller(name: str, least: int) -> None:
    small: dict[str, Any] = {"episodes": 4, "cases": 200, "days": 2, "workers": 0, "seed": 7}
    asked = {**small, "symbols": "nq,es", name: least}
    wanted = Request(None, "ES", {}, symbols=("NQ", "ES"), **small)
    assert _request(BarOptions(), asked) == wanted
    with refuses():
        _request(BarOptions(), {**asked, name: least - 1})


@pytest.mark.parametrize("seconds", [0, 5])
def test_a_case_is_looked_at_in_seconds_of_the_seed_that_is_named(seconds: int) -> None:
    options = {"synthetic": 1, "stress": None, "seed": 4, "slippage": None, "commission": None}
    found = _world(BarOptions(symbols=("NQ",)), {**options, "seconds": seconds}).seconds
    wanted = gappy_seconds(synthetic_bars("NQ", days=1, seed=4), seconds)
    assert found.digest == wanted.digest


@pytest.mark.parametrize(
    ("verdict", "changed", "chain", "code"),
    [(SAME, False, None, 0), (UNSEEN, False, True, 1), (SAME, True, True, None), (SAME, False, True, 0),
     (SAME, False, False, 1)],
)  # fmt: skip
def test_a_run_is_judged_signed_and_ended_by_its_verdict(
    verdict: str, changed: bool, chain: bool | None, code: int | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """And by the chain's where one is asked for, which comes after a verdict of "same" alone."""
    monkeypatch.chdir(tmp_path)
    report = SimpleNamespace(verdict=verdict, to_dict=lambda: {"worlds": ["w"]})
    sources = {"a.py": "1"}
    seen = told(monkeypatch, {
        "parity.suites.rounds.run_rounds": report, "parity.suites.trading.count_worlds": 3,
        "parity.engine.certificate.issue": "certificate", "parity.gate.covered.covered_by": "covered",
        "parity.engine.output.write_report": None, "parity.engine.output.check_key": None,
        "parity.gate.strength.strength_of": "full", "rltrader.parity._show": None,
        "rltrader.parity.loaded_digests": [sources, {"a.py": "2"} if changed else dict(sources)],
        "rltrader.export_parity.prove_export": chain,
    })  # fmt: skip
    words = ["--seed", "5", "--thorough", "--key", "key.pem", "--out", "out"]
    done = CliRunner().invoke(
        parity, ["run", *words, *(["--export-chain"] if chain is not None else [])]
    )
    request, rounds, _ = seen["run_rounds"][0]
    assert (request.seed, rounds) == (5, 10)
    assert seen["covered_by"] == [(["w"], range(5, 15), True)]
    values, tolerances, *more = seen["issue"][0]
    assert (values, more) == ({"worlds": ["w"]}, [sources, "covered"])
    assert {"balance", "learner: gradients"} <= set(tolerances)
    if changed:
        check_error(done.exception)
        assert not {"write_report", "_show", "prove_export"} & set(seen)
        return
    assert done.exit_code == code, done.output
    assert seen["write_report"] == [(Path("out"), report, "certificate", Path("key.pem"))]
    assert seen["_show"][0][1:] == ({"worlds": ["w"]}, "full", Path("out"))
    assert ("prove_export" in seen) == (chain is not None and verdict == SAME)


@pytest.mark.parametrize("name", ["run1", "run2", "phase1", "phase2"])
@pytest.mark.parametrize("command", ["the chain", "the gate"])
def test_the_chain_deletes_nothing_that_it_did_not_make(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it comes after the gate: it is refused before anything is done."""
    monkeypatch.chdir(tmp_path)
    own = Path("reports/export") / name / "policy-0.safetensors"
    own.parent.mkdir(parents=True)
    own.write_text("of the user")
    words = {"the chain": (main, []), "the gate": (parity, ["run", *SMALL, "--export-chain"])}
    done = CliRunner().invoke(*words[command])
    check_error(done.exception)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / own]
    assert own.read_text() == "of the user"


def test_what_is_empty_or_was_made_by_the_chain_may_be_replaced(tmp_path: Path) -> None:
    for name in ("run1", "phase1", "phase2"):
        (tmp_path / name).mkdir()
    (tmp_path / "phase2" / MARK).touch()
    require_own(tmp_path)
    (tmp_path / "run2").touch()
    with refuses():
        require_own(tmp_path)


@pytest.mark.slow
def test_the_chain_replaces_what_it_made(tmp_path: Path) -> None:
    request = ChainRequest(steps=1, hidden=(8, 8), observations=100, episodes=1, out=tmp_path)
    for _ in range(2):
        assert prove_export(request, Console(stderr=True))
    require_own(tmp_path)


@pytest.mark.parametrize("option", ["--steps", "--observations", "--episodes"])
def test_a_chain_of_nothing_is_refused(option: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [option, "0", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert option in done.output
    assert list(tmp_path.iterdir()) == []
