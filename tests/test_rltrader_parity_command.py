"""``rltrader parity``, ``export verify`` and ``import``: what arrives, and what they say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from jax_port.export.checks.tensors import CONVERTED
from markets import EnvConfig
from parity.suites.scenarios import Request
from rltrader import export_verify, parity
from rltrader.import_ import import_
from rltrader.options.bars import BarOptions
from tests.commands import Parts, parts

__all__ = ["parts"]


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_the_gate_is_asked_for_with_every_size_its_own(parts: Parts) -> None:
    parts.stand_for({"rltrader.parity.require_memory": None})
    options = {"episodes": 11, "cases": 222, "days": 3, "workers": 5, "seed": 7, "symbols": "nq,es"}
    bars = BarOptions((Path("a.csv"),), ("MES",), snap=True)
    assert parity._request(bars, options) == Request(
        data=Path("a.csv"), symbol="MES", reader={"snap": True}, symbols=("NQ", "ES"), episodes=11,
        cases=222, days=3, seed=7, workers=5,
    )  # fmt: skip
    ((what, sizes, lower),) = parts.told["require_memory"]
    assert (what, list(sizes)) == ("this gate", list(lower))
    assert lower == {
        "processes": "--workers", "generated transitions": "--cases", "replayed episodes": "--episodes",
    }  # fmt: skip
    assert list(sizes.values()) == [5 * 600 * 2**20, 222 * 1000, 11 * 50_000]
    alone = parity._request(BarOptions(), {**options, "symbols": None})
    assert (alone.symbols, alone.symbol, alone.data) == (Request().symbols, "ES", None)
    assert len(alone.symbols) == 8


VALUES: dict[str, Any] = {
    "summary": {
        "replayed_transitions": 1000, "generated_transitions": 234, "numbers_compared": 5_000_000,
        "mismatches": 1_001, "max_ulps_obs": 3, "max_ulps_reward": 7, "reward_deviation_max": 0.0125,
        "relative_errors": {"weights": {"largest": 2.5e-7}, "gradients": {"largest": 1.25e-6}},
    },
    "required": ["a", "b", "c", "d"], "missing": [], "verdict": "same", "checks": [],
    "worlds": [1, 2, 3],
    "divergences": [], "made": {"seconds": 12.5, "settings": {}},
}  # fmt: skip


def test_what_the_gate_found_is_shown_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        "transitions compared 1,234", "numbers compared 5,000,000", "mismatches 1,001",
        "largest error obs 3 ulps, reward 7 ulps", "episode reward deviation 1.25% (limit 5%)",
        "learner gradients 1.2e-06, weights 2.5e-07",
    ]  # fmt: skip
    parity._show(Console(width=150), VALUES, "full", Path("out"))
    shown = lines_of(capsys)
    assert shown[:5] == rows[:5]
    assert shown[5] in (rows[5], rows[5].replace("1.2e-06", "1.3e-06"))
    assert shown[6:] == [
        "branches seen 4 of 4", "strength full", "time 12.5 s", "verdict: same out/report.html",
    ]  # fmt: skip
    seen = {"worlds": ["x", "y"], "checks": ["replay"], "fields": ["balance"]}
    found = {"looks_like": "logic", "seen": seen, "command": "run this"}
    failed = {"check": "data", "world": "ES", "passed": False, "error": "planted", "first": None}
    again = ["the gate again", "and again"]
    more: dict[str, Any] = {
        "missing": ["b", "d"], "verdict": "different", "checks": [failed],
        "divergences": [found, {**found, "command": ""}],
        "made": {"seconds": 1.0, "settings": {"again": again}},
        "summary": {**VALUES["summary"], "relative_errors": {}},
    }  # fmt: skip
    parity._show(Console(width=150), {**VALUES, **more}, "quick", Path("out"))
    shown = lines_of(capsys)
    assert shown[5:8] == ["learner", "branches seen 2 of 4", "strength quick"]
    assert shown[9:] == [
        "failed: data on ES: planted", "never seen: b, d",
        "logic: balance; seen in 2 of 3 data sets, by replay; the smallest case:", "run this",
        "logic: balance; seen in 2 of 3 data sets, by replay; no single case shows it, an episode does",
        "run it again: the gate again", "run it again: and again",
        "verdict: different out/report.html",
    ]  # fmt: skip


@pytest.mark.parametrize("signer", ["", "0123456789abcdef0123"])
def test_a_certificate_that_fits_is_told_with_what_it_covers(signer: str, parts: Parts) -> None:
    admitted = {
        "verdict": "same", "strength": "full", "sources": {"a": 1, "b": 2}, "signed_by": signer,
        "made": {"when": "then", "device": "a card"},
        "covered": {"symbols": ["ES", "NQ"], "markets": ["x"] * 3, "precision": ["float32", "tf32"]},
    }  # fmt: skip
    parts.stand_for({"parity.admission.admit": admitted})
    words = ["verify", "c.json", "--least", "quick", "--require-key", "ci.pub"]
    done = CliRunner().invoke(parity.parity, words)
    ((place, named),) = parts.told["admit"]
    demand = named["demand"]
    assert (place, demand.least, demand.key) == (Path("c.json"), "quick", Path("ci.pub"))
    signed = ", signed by 0123456789abcdef" if signer else ""
    assert done.output == (
        f"c.json fits: verdict 'same', strength full, 2 source files, made then on a card{signed}; "
        "covers ES, NQ on 3 markets, precision float32, tf32\n"
    )


CHAIN: dict[str, Any] = {
    "verdict": "same", "csharp": "checked", "day": {"a": 1}, "first_divergence": "hop two",
    "actions": {"compared": 12_345, "near_ties": 6, "near_ties_decided_differently": 2},
    "replay": {"episodes": 7, "trades": 8, "pnl_dollars": -9.5},
}  # fmt: skip


def test_a_proof_of_a_bundle_is_shown_hop_by_hop(
    parts: Parts, capsys: pytest.CaptureFixture[str]
) -> None:
    hops = [
        {
            "hop": f"hop {n}",
            "stages": n,
            "rows": 1000 * n,
            "largest": f"{n}e-7",
            "share": f"{n}%",
            "passed": n == 1,
        }
        for n in (1, 2)
    ]
    parts.stand_for({"parity.export_chain.page.by_hop": hops})
    export_verify.show(CHAIN, Path("out"))
    table = [
        "largest differences", "hop stages rows largest of its limit", "hop 1 1 1,000 1e-7 1%",
        "hop 2 2 2,000 2e-7 2%",
    ]  # fmt: skip
    actions = "actions: 12,345 compared, 6 near-ties, 2 of them decided differently"
    replay = "replay: 7 episodes, 8 trades, PnL -9.5"
    page = "page: out/chain.html"
    assert lines_of(capsys) == [*table, actions, replay, "every hop is the same", page]
    fusion = {"settings": {"rule": "gated"}, "changed": 1_234, "observations": 5_000, "drawn": 2_000}
    more = {
        "verdict": "different", "csharp": "no Mono", "day": "no day", "fusion": fusion,
        "replay": {**CHAIN["replay"], "trades": 0},
    }  # fmt: skip
    export_verify.show({**CHAIN, **more}, Path("out"))
    said = " ".join(lines_of(capsys)[5:])
    assert said == (
        "replay: 7 episodes, 0 trades, PnL -9.5 the policy takes no trade, so none was compared "
        "fusion: gated, 7,000 decisions on each side; on 1,234 of 5,000 observations another action "
        f"than the bare policy's C#: no day C#: no Mono different: hop two {page}"
    )


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("converted", ["float16", ""])
def test_what_was_imported_is_saved_and_said(
    raw: bool, converted: str, parts: Parts, tmp_path: Path
) -> None:
    about = {"imported": {CONVERTED: converted} if converted else {}}
    policy = SimpleNamespace(
        statistics=None if raw else {"mean": 1}, about=about, config=EnvConfig.phase2(),
        spec=SimpleNamespace(activation="tanh", pi=(5, 6)),
    )  # fmt: skip
    parts.stand_for(
        {"jax_port.export.importing.read_policy": policy, "jax_port.ppo.policy.save_policy": None}
    )
    to = tmp_path / "policy.safetensors"
    done = CliRunner().invoke(import_, ["model.zip", "--to", str(to)])
    assert done.exit_code == 0, done.exception
    assert parts.told["save_policy"] == [(to, policy)]
    sees = "raw observations" if raw else "normalised observations"
    note = f", weights converted from {converted} to float32" if converted else ""
    assert done.output == f"phase 2, tanh, pi (5, 6), sees {sees}{note}; saved as {to}\n"
