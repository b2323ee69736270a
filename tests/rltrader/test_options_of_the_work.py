"""Options that say what is done with bars or a bundle reach what does it, and how that ends."""

from __future__ import annotations

import resource
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import prepare
from jax_port.data.held_out import starts_within
from jax_port.ppo.policy import save_policy
from markets import Bars, EnvConfig, get_contract, readers
from markets.advice.fusion import FusionSettings
from markets.advice.passes import run_rules
from markets.advice.rules import RulesAdvisor
from markets.advice.schedule import lay
from markets.advice.store import open_store
from markets.advice.table import About, TableKey, load_table
from markets.advice.view import MarketView
from markets.synthetic.bars import synthetic_bars
from parity.export_chain.verify import Request
from parity.fusion.bundle import prove_fusion
from rltrader.__main__ import app
from rltrader.advice.options import chat_settings, prompt_settings
from tests.jax_port.made_policy import make_policy
from tests.rltrader.test_options_arrive import Reached, run
from tests.sentences import check_error

CONFIG = EnvConfig.phase1(max_episode_bars=60)


def _stop(*given: Any, **named: Any) -> None:
    raise Reached(given, named)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=5, seed=5, start="2025-01-02")


@pytest.fixture
def words(bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Options that name a file of the bars, which is not read."""
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(readers, "read_bars", lambda *given, **how: bars)
    (tmp_path / "ES.csv").write_text("read by name")
    return ("--data", str(tmp_path / "ES.csv"), "--symbol", "ES", "--out", str(tmp_path / "out"))


def policy_file(bars: Bars, folder: Path) -> str:
    path = folder / "policy.safetensors"
    save_policy(path, make_policy(prepare(bars, CONFIG), CONFIG))
    return str(path)


@pytest.mark.parametrize(
    ("more", "first", "last", "starts"),
    [
        ((), None, None, "daily"),
        (("--from", "2025-01-03"), date(2025, 1, 3), None, "daily"),
        (("--to", "2025-01-07"), None, date(2025, 1, 7), "daily"),
        (
            ("--from", "2025-01-03", "--to", "2025-01-06", "--starts", "all"),
            *(date(2025, 1, 3), date(2025, 1, 6), "all"),
        ),
    ],
)
def test_an_evaluation_is_of_the_dates_and_starts_that_were_asked_for(
    more: tuple[str, ...],
    first: date | None,
    last: date | None,
    starts: str,
    words: tuple[str, ...],
    bars: Bars,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jax_port.evaluation.evaluate.evaluate", _stop)
    (_, market), named = run("evaluate", policy_file(bars, tmp_path), *words, *more)
    expected = starts_within(prepare(bars, CONFIG), CONFIG, first, last)
    np.testing.assert_array_equal(named["rows"], expected)
    assert (named["trades_of"], named["advice"]) == (starts, None)
    assert len(market) == len(bars)


def advice_table(bars: Bars, place: Path) -> Path:
    view = view_of(prepare(bars, CONFIG), CONFIG)
    key = TableKey(view.digest, "rules", RulesAdvisor.model, "")
    store = open_store(place, About(key, view.symbol, len(view), "never"), view.timestamps_ns)
    run_rules(store, view, RulesAdvisor(), view.rows(3))
    store.collect()
    return place


@pytest.mark.parametrize("latency", [None, 0.0, 61.5, 150.0])
def test_a_fusion_is_of_the_table_the_latency_and_the_settings_that_were_asked_for(
    latency: float | None,
    words: tuple[str, ...],
    bars: Bars,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = advice_table(bars, tmp_path / "table")
    monkeypatch.setattr("jax_port.evaluation.evaluate.evaluate", _stop)
    more = ("--advice", str(table), "--fusion", "weighted", "--fusion-set", "weight=0.5")
    late = () if latency is None else ("--latency", str(latency))
    _, named = run(
        *("evaluate", policy_file(bars, tmp_path), *words, *more, "--fusion-set", "every=7", *late)
    )
    advice = named["advice"]
    assert advice.settings == FusionSettings(rule="weighted", weight=0.5, every=7)
    own = None if latency is None else latency * 1000
    expected = lay(load_table(table), bars.session("rth").timestamps_ns, own)
    for name in ("advice", "confidence", "given", "known", "minute"):
        np.testing.assert_array_equal(getattr(advice.bars, name), getattr(expected, name))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), (1, 0, None)),
        (("--every", "3", "--first-bar", "120", "--last-bar", "500"), (3, 120, 500)),
    ],
)
def test_the_bars_that_are_asked_about_are_those_that_were_asked_for(
    more: tuple[str, ...],
    expected: tuple[int, int, int | None],
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MarketView, "rows", _stop)
    (view, *rest), _ = run("advise", "run", *words, *more)
    assert tuple(rest) == expected
    assert view.symbol == "ES"


@pytest.mark.parametrize("session", ["rth", "all"])
def test_an_advisor_sees_the_session_that_was_asked_for(
    session: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = synthetic_bars("ES", days=2, seed=5, session="all")
    monkeypatch.setattr(readers, "read_bars", lambda *given, **how: whole)
    monkeypatch.setattr(MarketView, "rows", _stop)
    (view, *_), _ = run("advise", "run", *words, "--session", session)
    config = EnvConfig.phase1(session=session)  # type: ignore[arg-type]
    assert view.digest == view_of(prepare(whole, config), config).digest


ASKED = {
    "url": "http://127.0.0.1:1/v1",
    "model": "m7",
    "temperature": 0.375,
    "max_tokens": 123,
    "constrain": "json_object",
    "timeout": 7.5,
    "retries": 2,
    "concurrency": 9,
    "key_variable": "MINE",
}
"""Settings of a server that options name, each other than its default."""


def test_a_server_is_asked_as_the_options_say(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("markets.advice.store.open_store", _stop)
    monkeypatch.setenv("MINE", "sekrit")
    told = [
        word for name, value in ASKED.items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    more = ("--cutoff", "2024-06-30", "--masked", "--context", "33")
    seen: dict[str, Any] = {}

    def settings(given: dict[str, Any]) -> Any:
        seen["settings"] = chat_settings(given)
        return seen["settings"]

    monkeypatch.setattr("rltrader.advice.advise.chat_settings", settings)
    (_, about, _), _ = run("advise", "run", "--advisor", "chat", *words, *told, *more)
    assert {name: getattr(seen["settings"], name) for name in ASKED} == ASKED
    prompt = prompt_settings({"context": 33, "masked": True})
    assert (about.cutoff, about.masked, about.prompt_bars) == ("2024-06-30", True, 33)
    assert (about.key.advisor, about.key.model) == ("chat", "m7")
    assert (about.key.prompt, about.key.sampling) == (prompt.version, seen["settings"].sampling)


def told(patch: pytest.MonkeyPatch, answers: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what arrives at functions by their names; each answers as it is told to."""
    seen: dict[str, list[Any]] = {}

    def stand_for(place: str, answer: Any) -> None:
        def called(*given: Any) -> Any:
            seen.setdefault(place.rpartition(".")[2], []).append(given)
            return answer.pop(0) if isinstance(answer, list) else answer

        patch.setattr(place, called)

    for place, answer in answers.items():
        stand_for(place, answer)
    return seen


def proof(verdict: str, files: list[dict[str, str]]) -> dict[str, Any]:
    chain = "parity.export_chain"
    return {
        f"{chain}.attestation.digests": files,
        f"{chain}.attestation.attest": "attestation",
        f"{chain}.report.write_report": None,
        f"{chain}.verify.verify": {"verdict": verdict},
        "parity.engine.output.check_key": None,
        "rltrader.export_verify.show": None,
    }


SAME = [{"policy.pt": "1"}, {"policy.pt": "1"}]


@pytest.mark.parametrize(("verdict", "code"), [("same", 0), ("different", 1), ("nothing compared", 1)])
def test_a_proof_of_a_bundle_is_what_was_asked_for_and_ends_with_its_verdict(
    verdict: str, code: int, bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    monkeypatch.setattr(
        readers, "read_bars", lambda *given, **how: (read.append((given, how)), bars)[1]
    )
    seen = told(monkeypatch, proof(verdict, list(SAME)))
    monkeypatch.setenv("RLTRADER_LIMITED_PROCESS", "1")
    file, key = tmp_path / "NQ.csv", tmp_path / "key.pem"
    words = ("--data", str(file), "--symbol", "NQ", "--tz", "Asia/Tokyo", "--observations", "77")
    more = ("--episodes", "3", "--need-csharp", "--trust", "--run", "made", "--key", str(key))
    done = CliRunner().invoke(
        app, ["export", "verify", "bundle", *words, *more, "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == code, done.output
    assert read == [((file, get_contract("NQ")), {"timezone": "Asia/Tokyo"})]
    request, _, fusion = seen["verify"][0]
    assert request == Request(
        Path("bundle"), bars, 77, 3, need_csharp=True, run=Path("made"), trust=True
    )
    assert fusion is prove_fusion
    assert seen["check_key"] == [(key,)]
    assert seen["attest"] == [(SAME[0], {"verdict": verdict}, key)]
    assert seen["write_report"] == [(tmp_path / "out", {"verdict": verdict}, "attestation")]
    assert seen["show"] == [({"verdict": verdict}, tmp_path / "out")]


def test_a_bundle_that_changed_while_it_was_proved_has_no_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = told(monkeypatch, proof("same", [SAME[0], {"policy.pt": "2"}]))
    done = CliRunner().invoke(app, ["export", "verify", "bundle"])
    check_error(done.exception)
    assert seen["verify"][0][0] == Request(Path("bundle"), None)
    assert "write_report" not in seen


def test_a_proof_too_large_for_the_memory_names_its_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foundation.memory.machine_memory", lambda: 2000 * 77)
    told(monkeypatch, proof("same", list(SAME)))
    for count, refused in (("77", False), ("78", True)):
        done = CliRunner().invoke(app, ["export", "verify", "bundle", "--observations", count])
        assert (done.exit_code != 0) == refused
    check_error(done.exception)


@pytest.mark.parametrize(("ended", "code"), [(0, 0), (1, 1), (2, 2), (-9, 1), (-24, 1)])
def test_what_runs_a_bundles_own_files_is_limited_and_no_proof_where_it_was_ended(
    ended: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run_child(command: list[str], **how: Any) -> SimpleNamespace:
        asked.append((command, how))
        return SimpleNamespace(returncode=ended)

    monkeypatch.delenv("RLTRADER_LIMITED_PROCESS", raising=False)
    monkeypatch.setattr("rltrader.export_verify.run_child", run_child)
    words = ["export", "verify", "bundle", "--trust"]
    monkeypatch.setattr(sys, "argv", ["rltrader", *words])
    assert CliRunner().invoke(app, words).exit_code == code
    ((command, how),) = asked
    assert command == [sys.executable, "-m", "rltrader", *words]
    assert (how["env"]["RLTRADER_LIMITED_PROCESS"], how["capture"]) == ("1", False)
    assert how["limits"] == {
        resource.RLIMIT_AS: 16 * 2**30, resource.RLIMIT_CPU: 3600, resource.RLIMIT_CORE: 0,
    }  # fmt: skip


@pytest.mark.parametrize("signer", ["", "0123456789abcdef0123"])
def test_a_bundle_is_held_to_its_attestation_and_the_key_that_is_required(
    signer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicate = {"actions": {"compared": 12345}, "csharp": "checked"}
    seen = told(monkeypatch, {"parity.export_chain.attestation.check": (predicate, signer)})
    words = ["--require-key", "ci.pub"] if signer else []
    done = CliRunner().invoke(app, ["export", "attested", "bundle", "chain.json", *words])
    assert seen["check"] == [(Path("bundle"), Path("chain.json"), Path("ci.pub") if signer else None)]
    whose = "signed by 0123456789abcdef"
    assert done.output == (
        "bundle: the bundle that was proved the same, 12,345 actions compared, C# checked; "
        f"{whose if signer else 'the signature was not asked for (--require-key)'}\n"
    )


def test_what_is_there_is_not_imported_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax_port.export.importing.read_policy", _stop)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    for name in ("folder", "file"):
        done = CliRunner().invoke(app, ["import", "m.zip", "--to", str(tmp_path / name)])
        check_error(done.exception)
    for words in (("--set", "window_size=7"), ("--raw-observations", "--vecnormalize", "v.pkl")):
        done = CliRunner().invoke(app, ["import", "m.zip", "--to", str(tmp_path / "new"), *words])
        check_error(done.exception)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("advised", [False, True])
@pytest.mark.parametrize("proved", [False, True])
def test_a_bundle_is_told_with_its_files_its_proof_and_whose_advice_it_asks(
    advised: bool, proved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = {
        "certificate": {"verdict": "same", "sha256": "0"} if proved else "ungated",
        "trained_with_advice": {"advisor": "chat", "model": "tiny"} if advised else None,
        "files": dict.fromkeys(("policy.pt", "policy.onnx", "stats.json")),
    }
    told(monkeypatch, {"jax_port.export.bundle.export": manifest})
    (tmp_path / "p.safetensors").touch()
    to = tmp_path / "bundle"
    done = CliRunner().invoke(app, ["export", str(tmp_path / "p.safetensors"), "--to", str(to)])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"bundle of 4 files in {to}; prove it: rltrader export verify {to}\n"
    said = " ".join(done.stderr.split())
    assert ("ungated: parity of its training, and the manifest says so" in said) == (not proved)
    assert ("trained with the advice of chat, tiny, as a prior: live it asks" in said) == advised
