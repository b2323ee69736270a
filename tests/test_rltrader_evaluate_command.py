"""``rltrader evaluate`` and the chain of exports: what each part is told, and what is said of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from foundation.files import file_digest
from jax_port.evaluation.tasks import Choice
from jax_port.runs.gate import UNGATED
from jax_port.runs.plan import Plan
from markets import EnvConfig, get_contract
from parity.export_chain.verify import Request
from rltrader import evaluate
from rltrader.export_parity import MARK, ChainRequest, _plan, prove_export
from rltrader.export_parity import main as export_parity
from rltrader.options.bars import BarOptions
from tests.commands import Parts, parts, proving_here

__all__ = ["parts"]

EVALUATION = "jax_port.evaluation"
JUDGED = ("--symbol", "ES", "--data", "ES.csv", "--rules", "one", "--rules", "other")


def judge(parts: Parts, tmp_path: Path, *names: str) -> Result:
    """Call ``rltrader evaluate`` whose parts are all told apart; the policy named b has advice."""

    def played(path: Path, bars: BarOptions, options: dict[str, Any]) -> Any:
        name = path.stem
        about = SimpleNamespace(about=f"about {name}")
        own = {key: f"{key} {name}" for key in ("pnl", "result", "market", "both")}
        laid = "laid" if name == "b" else None
        return SimpleNamespace(policy_path=path, policy=about, laid=laid, **own)

    def report(one: Any, *_: Any) -> Any:
        return SimpleNamespace(
            **{key: f"{key} {one.policy_path.stem}" for key in ("values", "sheet", "chances")}
        )

    def choice(path: Path, about: str) -> Choice:
        count = {"a": 4, "b": 9, "c": 2}[path.stem]
        return Choice(path.stem, count, (0.25,) if path.stem == "c" else ())

    parts.stand_for(
        {
            "rltrader.evaluate._play": played,
            "rltrader.evaluate._show": None,
            "rltrader.evaluate._show_comparison": None,
            "rltrader.evaluate.compare": None,
            f"{EVALUATION}.prop_firm.rules.load_rules": lambda name: f"rules {name}",
            f"{EVALUATION}.sheet.ratios.sharpe": lambda pnl: f"sharpe of {pnl}",
            f"{EVALUATION}.tasks.choice_of": choice,
            f"{EVALUATION}.tasks.finish": report,
            f"{EVALUATION}.report.write": None,
            f"{EVALUATION}.comparison.compare_policies": "compared",
            f"{EVALUATION}.comparison.write": lambda *given: parts.told.setdefault("page", given),
        }
    )
    for name in "abc":
        (tmp_path / f"{name}.safetensors").write_text(name)
    paths = [str(tmp_path / f"{name}.safetensors") for name in names]
    return CliRunner().invoke(evaluate.evaluate, [*paths, *JUDGED, "--out", str(tmp_path / "out")])


def written(name: str, place: Path) -> tuple[Any, ...]:
    return (
        place,
        *(f"{key} {name}" for key in ("values", "result", "market", "sheet", "both", "chances")),
    )


def test_policies_of_one_call_are_each_judged_written_and_compared(
    parts: Parts, tmp_path: Path
) -> None:
    done = judge(parts, tmp_path, "c", "a", "b")
    assert done.exit_code == 0, done.exception
    told, out = parts.told, tmp_path / "out"
    names = ["c", "a", "b"]
    assert [one[0] for one in told["_play"]] == [tmp_path / f"{name}.safetensors" for name in names]
    bars, options = told["_play"][0][1:]
    assert (bars.files, bars.symbols) == ((Path("ES.csv"),), ("ES",))
    assert (options["rules"], options["also"]) == (("one", "other"), [])
    assert [(one.policy_path.stem, *more) for one, *more in told["finish"]] == [
        (name, ["rules one", "rules other"], 2 + 4 + 9, [0.25, "sharpe of pnl a", "sharpe of pnl b"])
        for name in names
    ]
    assert [about for _, about in told["choice_of"]] == ["about c", "about a", "about b"]
    place, values, compared = told["page"]
    assert told["write"][:3] == [written(name, out / name) for name in names]
    assert told["_show"] == [(f"values {name}", out / name) for name in names]
    ((one, options, of),) = told["compare"]
    assert (one.policy_path.stem, options["starts"], of) == ("b", "daily", out / "b")
    assert (place, values) == (out, "compared")
    (given,) = told["compare_policies"]
    assert given == (compared,)
    assert [(one.name, one.values, one.sheet) for one in compared] == [
        (name, f"values {name}", f"sheet {name}") for name in names
    ]
    assert told["_show_comparison"] == [("compared", out)]


@pytest.mark.parametrize(("name", "trials", "known"), [("c", 2, [0.25]), ("b", 9, ["sharpe of pnl b"])])
def test_a_policy_alone_is_written_where_it_was_asked_for_and_compared_with_none(
    name: str, trials: int, known: list[Any], parts: Parts, tmp_path: Path
) -> None:
    done = judge(parts, tmp_path, name)
    assert done.exit_code == 0, done.exception
    assert [tuple(more) for _, *more in parts.told["finish"]] == [
        (["rules one", "rules other"], trials, known)
    ]
    assert parts.told["write"] == [written(name, tmp_path / "out")]
    assert parts.told["_show"] == [(f"values {name}", tmp_path / "out")]
    assert ("compare" in parts.told) == (name == "b")
    assert not {"compare_policies", "page", "_show_comparison"} & set(parts.told)


NINES = "9" * 30
CHOSEN: dict[str, Any] = {
    "seconds": None, "advice": None, "also": [], "allow_overlap": False, "starts": "all",
    "first": "2025-01-03", "last": "2025-01-06",
}  # fmt: skip


@pytest.mark.parametrize("seconds", [False, True], ids=["by the minute", "by the second"])
@pytest.mark.parametrize("advised", ["bare", "fused", "own"])
@pytest.mark.parametrize("overlap", [False, True])
def test_a_policy_is_played_on_what_was_asked_for(
    seconds: bool, advised: str, overlap: bool, parts: Parts, tmp_path: Path
) -> None:
    loaded = SimpleNamespace(config="rules", about="about", advice="use" if advised == "own" else None)
    market = SimpleNamespace(timestamps_ns=np.arange(3) * 60_000_000_000, source="ES.csv")
    laid = None if advised == "bare" else "laid"
    (tmp_path / "fine.csv").touch()
    options = {
        **CHOSEN, "allow_overlap": overlap, "also": ["more"],
        "seconds": tmp_path / "fine.csv" if seconds else None,
        "advice": None if advised == "bare" else Path("table"),
    }  # fmt: skip
    both = SimpleNamespace(minute="result")
    parts.stand_for(
        {
            "jax_port.data.held_out.starts_within": np.arange(7),
            "jax_port.data.held_out.relate": "relation",
            "jax_port.data.held_out.require_held_out": None,
            "jax_port.data.advised_market.with_advice": "market with advice",
            "jax_port.data.data_loader.load": market,
            "jax_port.data.own_features.require_computed_features": None,
            "jax_port.data.seconds_loader.prepare_seconds": "fine",
            "jax_port.data.trained_contract.require_same_contract": None,
            "jax_port.ppo.policy.load_policy": loaded,
            "markets.readers.read_bars": lambda path, *_: f"bars of {path.name}",
            f"{EVALUATION}.evaluate.check_policy": None,
            f"{EVALUATION}.evaluate.evaluate": "result",
            f"{EVALUATION}.intrabar.evaluate_both": both,
            "rltrader.evaluate.read_advised": (laid, "fused" if advised == "fused" else None),
            "rltrader.evaluate.read_others": ("second", "third"),
        }
    )
    bars = BarOptions((Path("ES.csv"),), ("NQ",), snap=True)
    made = evaluate._play(Path("policy"), bars, options)
    told, contract = parts.told, get_contract("NQ")
    assert told["load_policy"] == [(Path("policy"), {"advised": advised != "bare"})]
    assert told["require_same_contract"] == [("about", contract)]
    assert [given[0] for given in told["require_computed_features"]] == ["about"]
    assert told["check_policy"] == [(loaded,)]
    assert told["load"] == [(Path("ES.csv"), contract, "rules", {"snap": True})]
    between = date(2025, 1, 3), date(2025, 1, 6)
    assert told["starts_within"] == [(market, "rules", *between)]
    ((seen, config, rows, about),) = told["relate"]
    assert (seen, config, rows, about) == (market, "rules", made.rows, "about")
    assert told.get("require_held_out") == (None if overlap else [("relation", market)])
    assert told["read_advised"] == [(market, loaded, options)]
    assert told["read_others"] == [(["more"], loaded, market, made.rows, overlap)]
    played_on = "market with advice" if advised == "own" else market
    assert told.get("with_advice") == ([(market, "laid", "use")] if advised == "own" else None)
    (played,) = told["evaluate_both" if seconds else "evaluate"]
    assert played[:-1] == (loaded, played_on, *(["fine"] if seconds else []))
    assert ("evaluate" in told) != seconds
    asked = played[-1]
    assert callable(asked.pop("on_batch"))
    fused = "fused" if advised == "fused" else None
    assert (asked.pop("rows") is made.rows, asked) == (True, {"trades_of": "all", "advice": fused})
    if seconds:
        assert told["prepare_seconds"] == [("bars of ES.csv", "bars of fine.csv", "rules")]
    assert (made.policy, made.policy_path, made.market) == (loaded, Path("policy"), market)
    assert (made.data_path, made.relation, made.asked) == (Path("ES.csv"), "relation", between)
    assert (made.result, made.both) == ("result", both if seconds else None)
    assert made.rows.tolist() == list(range(7))
    assert (made.seconds_path, made.advice_path) == (options["seconds"], options["advice"])
    assert (made.advised, made.laid, made.others) == (fused, laid, ("second", "third"))
    assert 0 <= made.took < 60


def test_what_an_evaluation_found_is_shown_row_by_row(
    parts: Parts, capsys: pytest.CaptureFixture[str]
) -> None:
    tile = SimpleNamespace
    parts.stand_for(
        {
            f"{EVALUATION}.page.tiles": [
                tile(label=f"L{n}", value=f"V{n}", below=f"B{n} of {NINES}") for n in (1, 2)
            ],
            f"{EVALUATION}.page.pills": [
                ("good", "held out"),
                ("bad", "no proof"),
                ("warn", "advised"),
            ],
            f"{EVALUATION}.verdicts.coverage": "nearly all",
            f"{EVALUATION}.verdicts.verdict_rows": [
                {"label": f"row {n}", "minute": f"m{n}", "second": f"s{n}", "difference": f"d{n}"}
                for n in (1, 2)
            ],
        }
    )
    accounts = [
        {"rules": {"name": "50k"}, "passes": 0.25, "passes_between": [0.125, 0.5]},
        {"rules": {"name": "100k"}, "passes": 0.0625, "passes_between": [0.0, 0.375]},
    ]
    values = {
        "data": {"symbol": "NQ", "first": "2025-01-03", "last": "2025-01-06"},
        "performance": "numbers", "seconds": {}, "evaluation_accounts": accounts,
    }  # fmt: skip
    evaluate._show(values, Path("out"))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    shown = [
        *(
            "NQ, 2025-01-03 to 2025-01-06",
            f"L1 V1 B1 of {NINES}",
            f"L2 V2 B2 of {NINES}",
            "held out",
            "no proof",
            "advised",
        ),
        "50k: passes 25.0% of the time, 95% interval 12.5% to 50.0%",
        "100k: passes 6.2% of the time, 95% interval 0.0% to 37.5%",
        "page and tables: out",
    ]
    assert lines == shown
    assert parts.told["tiles"] == [("numbers",)]
    evaluate._show({**values, "seconds": {"of": "seconds"}}, Path("out"))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[3:7] == [
        "every second: nearly all", "at the close every second difference", "row 1 m1 s1 d1",
        "row 2 m2 s2 d2",
    ]  # fmt: skip
    assert [*lines[:3], *lines[7:]] == shown
    assert parts.told["verdict_rows"] == [({"of": "seconds"},)]


def test_policies_are_shown_beside_each_other_with_what_tells_them_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = {"name": "b", "pnl": 50.0, "mean_day": 10.0, "sharpe_day": 0.5, "max_drawdown": 7.0}
    other = {"name": "a", "pnl": -20.0, "mean_day": -4.0, "sharpe_day": -0.25, "max_drawdown": 30.0}
    rows = [one, {**other, "behind": 14.0, "behind_between": [-1.0, 29.0]}]
    evaluate._show_comparison({"policies": rows, "days": 5}, Path("out"))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [
        "policy PnL mean day Sharpe of a day max drawdown",
        "b $50.00 $10.00 0.500 $7.00",
        "a −$20.00 −$4.00 −0.250 $30.00",
    ]
    assert " ".join(lines[3:]) == (
        "b made the most: $50.00 in 5 days. Its lead over a is $14.00 a day, 95% interval −$1.00 to "
        "$29.00: 5 days do not tell it from luck. comparison: out/comparison.html"
    )


def test_a_chain_of_both_phases_begins_the_second_with_the_first_and_holds_every_hop(
    parts: Parts, tmp_path: Path
) -> None:
    verdicts = [{"verdict": "different"}, {"verdict": "same"}] + [{"verdict": "same"}] * 2

    def train_(plan_: Plan, folder: Path, *_: Any) -> None:
        assert not folder.exists()
        (folder / "policy-0.safetensors").parent.mkdir(parents=True)
        (folder / "policy-0.safetensors").write_text(f"of phase {plan_.config.phase}")
        (folder / MARK).touch()

    parts.stand_for(
        {
            "jax_port.runs.run.run": train_,
            "jax_port.export.bundle.export": lambda _, bundle: bundle.mkdir(),
            "parity.export_chain.verify.verify": lambda *_: verdicts.pop(0),
            "parity.export_chain.report.write_report": None,
            "rltrader.export_verify.show": None,
        }
    )
    parts.monkeypatch.setattr("rltrader.export_parity.proving_beside", proving_here)
    out = tmp_path / "out"
    asked: dict[str, Any] = {"steps": 5000, "hidden": (5, 7), "observations": 11, "episodes": 3}
    for same in (False, True):
        parts.told.clear()
        request = ChainRequest(**asked, need_csharp=True, out=out)
        assert prove_export(request, Console(quiet=True)) is same
    told = parts.told
    (first, one, how), (second, other, _) = told["run"]
    assert (one, other, first.config.phase, second.config.phase) == (out / "run1", out / "run2", 1, 2)
    assert (first.config, second.config) == (EnvConfig.phase1(), EnvConfig.phase2())
    assert (how["begin"], list(how["texts"])) == (True, [MARK])
    start = out / "run1" / "policy-0.safetensors"
    assert (first.initial, second.initial) == ({}, {"path": str(start), "sha256": file_digest(start)})
    assert (first.certificate, second.certificate) == (UNGATED, UNGATED)
    for plan_ in (first, second):
        shape, settings = plan_.settings.network, plan_.settings
        assert (shape.pi, shape.vf) == ((5, 7), (5, 7))
        assert (settings.n_envs, settings.total_timesteps, settings.learning_rate) == (256, 5000, 0.001)
        assert [(one.kind, one.days, one.symbol) for one in plan_.data.sources] == [
            ("pattern", 30, "ES")
        ]
    phases = [(out / f"run{n}" / "policy-0.safetensors", out / f"phase{n}") for n in (1, 2)]
    assert told["export"] == phases
    assert all((bundle / MARK).is_file() for _, bundle in phases)
    assert [given[0] for given in told["verify"]] == [
        Request(bundle, None, 11, 3, need_csharp=True) for _, bundle in phases
    ]
    reports = [out / "report1", out / "report2"]
    assert told["write_report"] == [(place, {"verdict": "same"}) for place in reports]
    assert told["show"] == [({"verdict": "same"}, place) for place in reports]


def test_a_chain_on_bars_of_a_file_is_trained_and_verified_on_them(tmp_path: Path) -> None:
    asked: list[ChainRequest] = []

    def prove(request: ChainRequest, _: Any) -> bool:
        asked.append(request)
        return len(asked) == 1

    bars = ("--data", "a.csv", "--symbol", "NQ", "--snap")
    words = (*bars, "--steps", "9", "--hidden", "6,5", "--observations", "8", "--episodes", "7")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rltrader.export_parity.prove_export", prove)
        words = (*words, "--need-csharp", "--out", str(tmp_path))
        assert [CliRunner().invoke(export_parity, words).exit_code for _ in range(2)] == [0, 1]
    own = BarOptions((Path("a.csv"),), ("NQ",), snap=True)
    assert asked == [ChainRequest(own, 9, (6, 5), 8, 7, need_csharp=True, out=tmp_path)] * 2
    (source,) = _plan(asked[0], 1, None).data.sources
    assert (source.symbol, Path(source.path).name, source.reader) == ("NQ", "a.csv", {"snap": True})
