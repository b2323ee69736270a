"""From a played policy to its report, and how many policies its run or its sweep made."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foundation.json_reading import Struct
from jax_port.data import held_out
from jax_port.data.data_loader import prepare
from jax_port.data.seconds_loader import PreparedSeconds, prepare_seconds
from jax_port.evaluation import tasks as module
from jax_port.evaluation.intrabar import Verdicts, evaluate_both
from jax_port.evaluation.prop_firm.chances import chances
from jax_port.evaluation.prop_firm.day_paths import day_paths
from jax_port.evaluation.prop_firm.replay import allowed_share
from jax_port.evaluation.prop_firm.rules import Rules, Tier
from jax_port.evaluation.sweep_account import read_account
from jax_port.evaluation.tasks import Choice, Played, choice_of, choices_together, finish
from jax_port.ppo.policy import save_policy
from markets import EnvConfig
from markets.contracts import SYMBOLS, get_contract
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.jax_port.evaluation.conftest import Week
from tests.jax_port.made_policy import make_policy
from tests.sentences import refuses

RULES = Rules("r", "s", date(2026, 11, 26), 50_000.0, 500.0, 400.0, "intraday")


def test_trials_of_a_runs_folder(tmp_path: Path) -> None:
    (tmp_path / "finished.json").write_text('{"updates": 3, "policies": 12}')
    assert choice_of(tmp_path / "policy-0.safetensors", {}).trials == 12


@pytest.mark.parametrize(("own", "trials"), [(1, 1), (5, 5), (0, 12), (-1, 12), ("5", 12), (True, 12)])
def test_a_policy_says_itself_how_many_were_trained_beside_it(
    tmp_path: Path, own: Any, trials: int
) -> None:
    """Also where its file was copied elsewhere, or its run has not ended; nonsense says nothing."""
    about = {"agents": own}
    (tmp_path / "finished.json").write_text('{"updates": 3, "policies": 12}')
    assert choice_of(tmp_path / "best.safetensors", about).trials == trials
    alone = trials if trials != 12 else 1
    assert choice_of(tmp_path / "elsewhere" / "best.safetensors", about).trials == alone


def test_policies_of_one_source_were_chosen_from_the_same_ones(tmp_path: Path) -> None:
    """Agents of a run, wherever they were copied, and policies of a sweep, by whichever name."""
    one, other = tmp_path / "a" / "p.safetensors", tmp_path / "b" / "q.safetensors"
    assert choice_of(one, {"agents": 3, "data": "x"}) == choice_of(other, {"agents": 3, "data": "x"})
    assert choice_of(one, {"agents": 3, "data": "x"}) != choice_of(one, {"agents": 3, "data": "y"})
    assert choice_of(one, {"agents": 1}) != choice_of(other, {"agents": 1})
    agents = [{"agents": 3, "settings": {"seed": 0}}, {"agents": 3, "settings": {"seed": 1}}]
    agents.append({**agents[1], "chosen": {"agent": 1}})  # the best one's copy
    assert len({choice_of(path, said) for path in (one, other) for said in agents}) == 1
    for folder in ("run", "sweep/best", "sweep/trials/0001"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "run" / "finished.json").write_text('{"updates": 3, "policies": 12}')
    first, second = (choice_of(tmp_path / "run" / f"policy-{n}.safetensors", {}) for n in (0, 1))
    assert first == second
    for name in ("alike", "again"):  # and nothing of what they say tells them apart
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").touch()
    apart = [choice_of(tmp_path / name / "p", said) for name in ("alike", "again") for said in agents]
    assert apart == [apart[0]] * 3 + [apart[3]] * 3
    assert apart[0] != apart[3]
    (tmp_path / "sweep" / "sweep.json").write_text('{"chosen_from": 7, "sharpes": [0.1]}')
    best, same = (choice_of(tmp_path / "sweep" / n / "p", {}) for n in ("best", "trials/0001"))
    assert best == same


def test_what_there_was_to_choose_from_adds_up_over_sources() -> None:
    swept, again = Choice("s", 20, (0.1, 0.2)), Choice("s", 20, (0.1, 0.2))
    other, run, alone = Choice("t", 30, (0.3,)), Choice("r", 8), Choice("p", 1)
    choices = [swept, run, other, again, alone, run]
    ratios = [9.1, 0.4, 9.2, 9.3, 0.5, 0.6]
    trials, known = choices_together(choices, ratios)
    assert trials == 20 + 8 + 30 + 1
    assert known == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert choices_together([alone], [0.5]) == (1, [0.5])
    assert choices_together([Choice("s", 1, (0.1,))] * 3, [1.0, 2.0, 3.0]) == (3, [0.1])


WHOLE = '{"updates": 3, "policies": 1}'
BAD = [WHOLE[:-1], "{}", "[" * 100_000, '{"policies": 1}', '{"updates": 3}', "\0"]


@pytest.mark.parametrize(
    "text",
    [*BAD, *(WHOLE.replace("1", other) for other in ("0", "-1", "1e999", '"x"', str(2**31)))],
    ids=lambda text: text[:30],
)
def test_a_damaged_account_of_a_run_is_no_single_trial(tmp_path: Path, text: str) -> None:
    (tmp_path / "finished.json").write_text(text)
    with refuses():
        choice_of(tmp_path / "policy-0.safetensors", {})


def test_what_a_sweep_says_counts(tmp_path: Path) -> None:
    policy = tmp_path / "best" / "policy.safetensors"
    policy.parent.mkdir()
    (policy.parent / "finished.json").write_text(WHOLE)
    (tmp_path / "sweep.json").write_text('{"chosen_from": 7, "sharpes": [0.1, null, 0.0, 0.3]}')
    assert choice_of(policy, {"agents": 3}).trials == 7
    assert choice_of(policy, {}).sharpes == (0.1, 0.0, 0.3)  # a trial that never traded is one of them


@pytest.mark.parametrize(
    "text",
    [*BAD, '{"chosen_from": 7}', '{"chosen_from": 7, "sharpes": [1e999]}'],
    ids=lambda text: text[:30],
)
def test_a_damaged_account_of_a_sweep_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep.json").write_text(text)
    with refuses():
        choice_of(tmp_path / "best" / "policy.safetensors", {"agents": 3})


def test_how_a_policy_was_advised_is_named_by_what_it_is() -> None:
    fused = SimpleNamespace(settings=SimpleNamespace(to_dict=lambda: {"rule": "veto"}))
    own = SimpleNamespace(advice=SimpleNamespace(to_dict=lambda: {"as": "prior"}))
    table = Path("advice.parquet")
    for path, advised, policy, told in (
        (None, None, own, None),
        (table, fused, SimpleNamespace(advice=None), (table, {"fusion": {"rule": "veto"}})),
        (table, None, own, (table, {"trained_with": {"as": "prior"}})),
    ):
        given = SimpleNamespace(advice_path=path, advised=advised, policy=policy)
        assert Played.advice.fget(given) == told  # type: ignore[attr-defined]


def test_trials_without_a_run(tmp_path: Path) -> None:
    assert choice_of(tmp_path / "policy-0.safetensors", {}).trials == 1


@pytest.mark.costly
def test_a_report(week: Week, tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    save_policy(path, week.policy)
    rows = week.result.episodes["start"].to_numpy()
    played = Played(
        policy=week.policy,
        policy_path=path,
        market=week.market,
        data_path=path,
        relation=held_out.relate(week.market, week.policy.config, rows, week.policy.about),
        asked=(None, None),
        took=1.0,
        result=week.result,
        rows=rows,
    )
    report = finish(played, [RULES, replace(RULES, trailing="static")], 7, [0.1, 0.2])
    sheet, accounts = report.values["tear_sheet"], report.values["evaluation_accounts"]
    assert sheet["luck"]["trials"] == 7
    assert sheet["luck"]["trials_known"] is True
    assert [one["rules"]["trailing"] for one in accounts] == ["intraday", "static"]
    assert all(0 <= one["passes_between"][0] <= one["passes_between"][1] <= 1 for one in accounts)
    assert len(report.chances) == 2
    assert played.pnl.tolist() == report.sheet.pnl.tolist()


def test_accounts_live_through_what_the_seconds_showed(week: Week, tmp_path: Path) -> None:
    """Of both verdicts the one by the second, which lost $50 more on each day but the first."""
    path = tmp_path / "policy.safetensors"
    save_policy(path, week.policy)
    market, result = week.market, week.result
    first = result.equity["episode"] == result.equity["episode"].iloc[0]
    lower = result.equity["equity"] - 50.0 * ((result.equity["step"] > 0) & ~first)
    second = replace(result, equity=result.equity.assign(equity=lower))
    shape = (len(market), 60)
    none = PreparedSeconds(np.zeros(shape, np.int32), np.ones(shape, np.int32), "seconds", "0", 0)
    rows = result.episodes["start"].to_numpy()
    account, few = week.policy.config.account, replace(RULES, trailing="static", profit_target=200.0)
    played = Played(
        policy=week.policy, policy_path=path, market=market, data_path=path,
        relation=held_out.relate(market, week.policy.config, rows, week.policy.about),
        asked=(date(2025, 1, 27), None), took=2.5, result=result, rows=rows,
        both=Verdicts(result, second, none, 9, 9),
    )  # fmt: skip
    report = finish(played, [RULES, few], 3, [])
    assert [one.rules for one in report.chances] == [RULES, few]
    for one in report.chances:
        expected, other = (
            chances(one.rules, day_paths(of, market, 1, none, account=account), 1.0)
            for of in (second, result)
        )
        assert one.looked_at == "in every second"
        np.testing.assert_array_equal(one.traces, expected.traces)
        assert (one.ends, one.passes_between) == (expected.ends, expected.passes_between)
        assert not np.array_equal(one.traces, other.traces)
    # The numbers and the sheet are those by the minute.
    assert report.values["performance"]["account"]["pnl"] == played.pnl.sum() / 100
    assert report.sheet.values["luck"]["trials"] == 3
    told = report.values
    assert [one["rules"]["profit_target"] for one in told["evaluation_accounts"]] == [500.0, 200.0]
    assert (told["made"]["seconds"], told["data"]["from"], told["data"]["to"]) == (
        2.5,
        "2025-01-27",
        None,
    )


def test_a_micro_counts_as_a_tenth_of_a_contract() -> None:
    """Of three contracts thirty micros are all traded, of thirty-one all but one."""
    rules = replace(RULES, contracts=(Tier(0.0, 3.0),))
    assert get_contract("MES").full_size == "ES"
    assert allowed_share(rules, np.zeros(1, np.int64), 30 / 10) is None
    scaled = allowed_share(rules, np.zeros(1, np.int64), 31 / 10)
    assert scaled is not None
    assert scaled.tolist() == pytest.approx([30 / 31])


@pytest.mark.costly
@pytest.mark.parametrize("symbol", ["ES", "MES", "MZ", "ZZ"])
def test_accounts_go_through_the_days_that_were_looked_at_most_closely(
    symbol: str, tmp_path: Path
) -> None:
    """Of the seconds where there are some; with contracts of full size, of which a micro is a tenth."""
    config = EnvConfig.phase1(max_episode_bars=60, contracts=20, trailing_drawdown_dollars=2_500.0)
    built_in = symbol if symbol in SYMBOLS else {"MZ": "ES", "ZZ": "MES"}[symbol]
    bars = synthetic_bars(built_in, days=7, seed=5, start="2025-01-28")
    # Of one's own: one of full size whose symbol begins as a micro's does, and a micro whose does not.
    bars = replace(bars, contract=replace(bars.contract, symbol=symbol))
    market = prepare(bars, config)
    policy, path = make_policy(market, config, seed=1), tmp_path / "policy.safetensors"
    save_policy(path, policy)
    seconds = prepare_seconds(bars, second_bars(bars, seed=5), config)
    both = evaluate_both(policy, market, seconds, rows=market.starts[::50])
    rules = replace(RULES, contracts=(Tier(0.0, 3.0),))
    minute = day_paths(both.minute, market, 20, account=config.account)
    second = day_paths(both.second, market, 20, seconds, account=config.account)
    assert minute.looked_at != second.looked_at
    of_full_size = {"ES": 20.0, "MES": 2.0}[built_in]
    for verdicts, paths in ((None, minute), (both, second)):
        played = Played(
            policy=policy,
            policy_path=path,
            market=market,
            data_path=path,
            relation=held_out.relate(market, config, market.starts[::50], policy.about),
            asked=(None, None),
            took=1.0,
            result=both.minute,
            rows=market.starts[::50],
            both=verdicts,
            seconds_path=None if verdicts is None else path,
        )
        (found,) = finish(played, [rules], 1, []).chances
        expected, other = (chances(rules, paths, size) for size in (of_full_size, 22 - of_full_size))
        assert found.looked_at == paths.looked_at
        np.testing.assert_array_equal(found.traces, expected.traces)
        assert not np.array_equal(found.traces, other.traces)


class Account(Struct):
    """What is asked of it here."""

    trials: int


@pytest.mark.parametrize("chosen", ["best/run.toml", "trials/0007/run.toml"])
def test_the_account_lies_above_what_was_chosen(tmp_path: Path, chosen: str) -> None:
    (tmp_path / "sweep.json").write_text('{"trials": 12}')
    assert read_account(tmp_path / chosen, Account) == (tmp_path / "sweep.json", Account(12))


@pytest.mark.parametrize("chosen", ["run.toml", "other/runs/0007/run.toml"])
def test_an_account_beside_or_further_above_is_anothers(tmp_path: Path, chosen: str) -> None:
    (tmp_path / "sweep.json").write_text('{"trials": 12}')
    assert read_account(tmp_path / chosen, Account) is None


def test_a_damaged_account_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{")
    with refuses():
        read_account(tmp_path / "best/run.toml", Account)


@pytest.mark.parametrize(
    ("full_size", "contracts", "of_full_size"), [(None, 20, 20), ("ES", 20, 2.0), ("ES", 3, 0.3)]
)
@pytest.mark.parametrize("by_second", [True, False], ids=["seconds", "minutes"])
def test_every_part_of_a_report_is_made_of_its_own(
    full_size: str | None,
    contracts: int,
    of_full_size: float,
    by_second: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sheet and the numbers of the minute; accounts of the seconds, where there are some."""
    asked: dict[str, list[Any]] = {}

    def stand(name: str) -> None:
        def part(*given: Any, **more: Any) -> str:
            asked.setdefault(name, []).append((given, more))
            return f"{name} {len(asked[name])}"

        monkeypatch.setattr(module, name, part)

    for name in ("tear_sheet", "play_baselines", "day_paths", "chances", "to_values"):
        stand(name)
    days = pd.to_datetime([f"2025-03-0{day}" for day in range(3, 9)])
    episodes = pd.DataFrame(
        {
            "day": days, "daily": True, "pnl": 10.0, "open_pnl": [0.5, 0.0, -1.25, 0.0, 0.0, 9.0],
            "trades": 1, "steps": 60, "done_reason": 4,
        }
    )  # fmt: skip
    account = SimpleNamespace(contracts=contracts)
    given: Any = {
        "policy": SimpleNamespace(config=SimpleNamespace(account=account)), "policy_path": "a.st",
        "market": SimpleNamespace(contract=SimpleNamespace(full_size=full_size)),
        "data_path": "ES.csv", "relation": "held out", "took": 2.5, "rows": "rows",
        "asked": (date(2025, 3, 1), date(2025, 3, 9)), "result": SimpleNamespace(episodes=episodes),
        "both": SimpleNamespace(second="by the second", seconds="seconds") if by_second else None,
        "seconds_path": "ES_1s.csv" if by_second else None, "advice_path": "table.parquet",
        "advised": SimpleNamespace(settings=SimpleNamespace(to_dict=lambda: {"rule": "gated"})),
    }  # fmt: skip
    played, rules = Played(**given), [RULES, replace(RULES, trailing="static")]
    policy, market, result = given["policy"], given["market"], given["result"]
    report = finish(played, rules, 7, [0.25, -0.5])
    assert played.pnl.tolist() == [1050, 1000, 875, 1000, 1000, 1900]
    assert asked["play_baselines"] == [((policy, market, result), {})]
    ((sheet, _),) = asked["tear_sheet"]
    assert sheet[:5] == (result, policy, market, "play_baselines 1", 7)
    assert sheet[5].tolist() == [0.25, -0.5]
    paths = (
        ("by the second", market, contracts, "seconds") if by_second else (result, market, contracts)
    )
    assert asked["day_paths"] == [(paths, {"account": account})]
    assert asked["chances"] == [
        ((one, "day_paths 1", pytest.approx(of_full_size)), {}) for one in rules
    ]
    made = ["chances 1", "chances 2"]
    assert asked["to_values"] == [
        (
            (result, policy, "a.st", market, "ES.csv", "held out", given["asked"], 2.5, "tear_sheet 1"),
            {
                "verdicts": given["both"], "seconds_path": given["seconds_path"], "chances": made,
                "advice": ("table.parquet", {"fusion": {"rule": "gated"}}),
            },
        )
    ]  # fmt: skip
    assert (report.values, report.sheet, report.chances) == ("to_values 1", "tear_sheet 1", made)
    for sharpes in ([], [0.25]):
        bare = finish(played, [], 1, sharpes)
        assert bare.chances == []
        assert asked["tear_sheet"][-1][0][4:] == (1, None)
        assert asked["to_values"][-1][1]["chances"] == []
    assert (len(asked["day_paths"]), len(asked["chances"])) == (1, 2)
    few = replace(played, result=SimpleNamespace(episodes=episodes[:4]))  # type: ignore[arg-type]
    count = len(asked["play_baselines"])
    with refuses():
        finish(few, rules, 1, [])
    assert len(asked["play_baselines"]) == count  # before anything was played
    assert finish(few, [], 1, []).chances == []
