"""``rltrader evaluate`` from a file of bars and a policy to a folder of results, and bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest

from foundation.files import WriteError, write_json
from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.data.trained_contract import describe_contract
from jax_port.envs.env_phase1_jax import HOLD
from jax_port.evaluation.report import FILES
from jax_port.ppo.policy import save_policy
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from markets.writers import write_bars
from rltrader.evaluate import _show_comparison
from tests.foundation.report.layout import CHROMIUM, layout_faults, outside_requests
from tests.foundation.report.written_files import Page, read_json
from tests.jax_port.made_policy import OTHER, make_policy, one_action_policy
from tests.rltrader.conftest import CONFIG, Run
from tests.sentences import check_error
from tests.snapshots import Snapshot

TRAINED = {
    "symbol": "ES",
    "source": "a.csv",
    "sha256": "0",
    "first": "2024-01-02",
    "last": "2025-01-02",
}
PROOF = {"verdict": "same", "made": {"when": "2025-01-01T10:00:00+00:00"}, "sha256": "1", "counts": {}}


@pytest.mark.costly
def test_a_held_out_range(run: Run, market: PreparedMarket, tmp_path: Path, snapshot: Snapshot) -> None:
    policy = make_policy(market, CONFIG, seed=1, data=TRAINED, certificate=PROOF)
    done = run(policy, "--from", "2025-01-06")
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == set(FILES)
    values = read_json(out / "evaluation.json")
    assert values["held_out"] == {
        "status": "held out",
        "training": {"first": "2024-01-02", "last": "2025-01-02"},
        "trading_days_between": 1,
    }
    assert values["certificate"] == PROOF
    data = values["data"]
    assert (data["from"], data["to"], data["first"], data["last"]) == (
        *("2025-01-06", None),
        *("2025-01-06", "2025-01-07"),
    )
    assert data["sha256"] == market.digest
    assert len(values["policy"]["sha256"]) == len(data["file_sha256"]) == 64
    assert values["policy"]["config"] == CONFIG.to_dict()
    assert {"jax", "python"} <= set(values["made"]["versions"])

    trades = pd.read_parquet(out / "trades.parquet")
    episodes = pd.read_parquet(out / "episodes.parquet")
    equity = pd.read_parquet(out / "equity.parquet")
    found = values["performance"]
    assert found["starts"]["episodes"] == len(episodes)
    assert found["account"]["days"] == episodes["daily"].sum() == equity["episode"].nunique() == 2
    assert found["trades"]["trades"] == len(trades) > 0
    kept = episodes[episodes["daily"]]
    assert found["account"]["closed_pnl"] == kept["pnl"].sum() == trades["pnl"].sum()
    assert set(trades["episode"]) <= set(kept["episode"])
    text = pd.read_csv(out / "trades.csv", parse_dates=["entry_time", "exit_time"])
    for column in trades.columns:
        assert text[column].tolist() == trades[column].tolist(), column

    page = Page(out / "report.html")
    assert "ES, 2025-01-06 to 2025-01-07" in page.text
    assert "held out: 2025-01-02 was the last day of training" in page.text
    assert "parity at training: same, 2025-01-01" in page.text
    assert f"${abs(found['account']['pnl']):,.2f}" in page.text
    assert "nan" not in re.sub("[a-z]nan|nan[a-z]", "", page.text.lower())
    assert "#00fe" not in page.raw
    assert outside_requests(page.raw) == []
    assert page.raw.index("The account ") < page.raw.index("Total PnL")
    for axis in ("account equity ($)", "New York time", "price (points)", "PnL of an episode ($)"):
        assert axis in page.text
    # Equity, the baselines and two days over price are drawn wide and for a phone.
    assert page.raw.count('role="img"') == 9 + 2 * 4
    assert values["tear_sheet"]["platform"]["total_trades"] == len(trades)
    assert f"of {len(trades)} trades" not in page.text  # the list is made by the page's script
    assert json.loads(re.search(r'id="trade-rows">(.*?)</script>', page.raw)[1])[0][0] == 1
    assert "2 days are too few to tell an edge from luck: no interval is given" in page.text
    assert "Would it pass" not in page.text
    assert values["evaluation_accounts"] == []
    assert "Every second" not in page.text
    assert values["seconds"] is None
    assert "Win rate" in done.output
    snapshot("out", out)
    assert "held out" in done.output


@pytest.mark.costly
def test_all_lists_every_episodes_trades(
    run: Run, market: PreparedMarket, tmp_path: Path, snapshot: Snapshot
) -> None:
    policy = make_policy(market, CONFIG, seed=1)
    assert run(policy, "--starts", "all", "--to", "2025-01-02").exit_code == 0
    values = read_json(tmp_path / "out" / "evaluation.json")
    trades = pd.read_parquet(tmp_path / "out" / "trades.parquet")
    episodes = pd.read_parquet(tmp_path / "out" / "episodes.parquet")
    assert values["performance"]["trades"]["of"] == "all"
    assert trades["episode"].nunique() > 100
    assert trades["pnl"].sum() == pytest.approx(episodes["pnl"].sum())
    # one day has no spread, and says so with null and a dash
    assert values["performance"]["account"]["sharpe_day"] is None
    assert values["performance"]["starts"]["mean_low"] is None
    page = Page(tmp_path / "out" / "report.html")
    assert "Sharpe per day –" in " ".join(page.text.replace("–", " – ").split())
    assert "training data: unknown" in page.text
    assert "parity certificate: unknown" in page.text
    snapshot("out", tmp_path / "out")


@pytest.mark.costly
def test_no_trade_at_all(run: Run, market: PreparedMarket, tmp_path: Path, snapshot: Snapshot) -> None:
    assert run(one_action_policy(market, CONFIG, HOLD), "--from", "2025-01-06").exit_code == 0
    values = read_json(tmp_path / "out" / "evaluation.json")
    assert values["performance"]["trades"]["win_rate"] is None
    assert len(pd.read_parquet(tmp_path / "out" / "trades.parquet")) == 0
    assert (tmp_path / "out" / "trades.csv").read_text().startswith("episode,side,")
    assert Page(tmp_path / "out" / "report.html").text.count("No trade was closed.") == 2
    assert values["tear_sheet"]["baselines"]["random"]["trades"] == 0.0
    snapshot("out", tmp_path / "out")


def test_numbers_stay_whole_beside_long_names(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"pnl": -1_234_567.5, "mean_day": 12_345.25, "sharpe_day": 0.125, "max_drawdown": 98_765.0}
    row["behind_between"] = [None, None]
    rows = [{"name": letter * 120, **row} for letter in "ab"]
    _show_comparison({"policies": rows, "days": 9}, Path("out"))
    shown = capsys.readouterr().out
    for number in ("−$1,234,567.50", "$12,345.25", "0.125", "$98,765.00"):
        assert shown.count(number) >= 2, shown
    assert shown.count("a") >= 120  # nor is a name cut
    for head in ("PnL", "mean day", "Sharpe of a day", "max drawdown"):
        assert head in shown.splitlines()[0]


@pytest.mark.costly
def test_several_policies_are_compared(
    run: Run, market: PreparedMarket, tmp_path: Path, snapshot: Snapshot
) -> None:
    other = tmp_path / "sweep" / "other.safetensors"
    other.parent.mkdir()
    save_policy(other, make_policy(market, CONFIG, seed=2))
    # All count by the run that more policies were chosen from, wherever it stands among them.
    (other.parent / "finished.json").write_text('{"updates": 3, "policies": 12}')
    done = run(make_policy(market, CONFIG, seed=1), str(other), "--from", "2025-01-06")
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    names = {"policy-0", "other"}
    assert {path.name for path in out.iterdir()} == {*names, "comparison.html", "comparison.json"}
    found = read_json(out / "comparison.json")
    assert {row["name"] for row in found["policies"]} == names
    for row in found["policies"]:
        values = read_json(out / row["name"] / "evaluation.json")
        assert row["pnl"] == values["performance"]["account"]["pnl"]
        assert values["tear_sheet"]["luck"]["trials"] == 1 + 12
        assert f'href="{row["name"]}/report.html"' in (out / "comparison.html").read_text()
    assert "comparison.html" in done.output
    snapshot("out", out)


@pytest.mark.parametrize(("of", "trials"), [([1], 1), ([1, 1, 1], 3), ([2, 1, 1], 4), ([1, 12], 13)])
def test_policies_of_one_call_count_as_tried_against_each_other(
    run: Run, market: PreparedMarket, tmp_path: Path, of: list[int], trials: int
) -> None:
    policies = [tmp_path / str(n) / "p.safetensors" for n in range(len(of))]
    for seed, (path, count) in enumerate(zip(policies, of, strict=True)):
        save_policy(path, make_policy(market, CONFIG, seed=seed))
        write_json(path.with_name("finished.json"), {"updates": 1, "policies": count})
    with patch("jax_port.evaluation.tasks.finish", side_effect=RuntimeError) as finish:
        for more in ([], ["--trials", "2"]):
            run(*policies[:1], *map(str, policies[1:]), "--to", "2025-01-02", *more)
    assert [call.args[2] for call in finish.call_args_list] == [trials, 2]


@pytest.mark.parametrize("named", ["p.safetensors", "x/../p.safetensors", "link", "run", "copy"])
def test_a_policy_that_is_given_twice_is_refused_however_it_is_named(
    run: Run, market: PreparedMarket, tmp_path: Path, named: str
) -> None:
    """As two it would be compared with itself, and count as two that were tried."""
    for folder in ("x", "run"):
        (tmp_path / folder).mkdir()
    policy = tmp_path / "p.safetensors"
    save_policy(policy, one_action_policy(market, CONFIG, HOLD))
    (tmp_path / "link").symlink_to(policy)
    (tmp_path / "copy").write_bytes(policy.read_bytes())
    (tmp_path / "run" / "policy-0.safetensors").symlink_to(policy)
    check_error(run(policy, str(tmp_path / named)).exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("swept", [3, 1], ids=["many in the sweep", "few in the sweep"])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "two"])
def test_what_a_sweep_tried_counts_for_its_policy_and_policies_of_one_call_for_each_other(
    run: Run, market: PreparedMarket, tmp_path: Path, alone: bool, swept: int
) -> None:
    """Ratios are those of the sweep, and of the call's others."""
    policies = [tmp_path / "sweep" / "best" / "p.safetensors", tmp_path / "q.safetensors"]
    for path, seed in zip(policies, (1, 2), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_policy(path, make_policy(market, CONFIG, seed=seed))
    known = [0.5, None, -0.25, 0.125][: swept + (swept > 1)]
    write_json(tmp_path / "sweep" / "sweep.json", {"chosen_from": 7, "sharpes": known})
    with patch("jax_port.evaluation.tasks.finish", side_effect=RuntimeError) as finish:
        run(policies[0], *([] if alone else [str(policies[1])]), "--from", "2025-01-03")
    played, rules, trials, sharpes = finish.call_args.args
    assert (rules, trials) == ([], 7 if alone else 8)
    made = played.result.episodes.query("daily").eval("pnl + open_pnl")
    own = pytest.approx(made.mean() / made.std(ddof=1))
    of_sweep = [0.5, -0.25, 0.125][:swept]
    assert sharpes[:swept] == of_sweep  # its own is among them
    assert len(sharpes) == swept + (not alone)
    assert alone or sharpes[-1] != own  # but the other's


def test_a_policy_of_features_that_its_file_brought_along_is_not_played_on_computed_ones(
    run: Run, market: PreparedMarket, tmp_path: Path
) -> None:
    own = {"symbol": "ES", "source": "own.parquet", "features": "precomputed"}
    save_policy(tmp_path / "p.safetensors", make_policy(market, CONFIG, seed=1, data=own))
    check_error(run(tmp_path / "p.safetensors", "--from", "2025-01-03").exception)


def test_without_a_sweep_the_one_ratio_that_is_known_is_its_own(
    run: Run, market: PreparedMarket, tmp_path: Path
) -> None:
    save_policy(tmp_path / "p.safetensors", make_policy(market, CONFIG, seed=1))
    with patch("jax_port.evaluation.tasks.finish", side_effect=RuntimeError) as finish:
        run(tmp_path / "p.safetensors", "--from", "2025-01-03")
    played, _, trials, sharpes = finish.call_args.args
    made = played.result.episodes.query("daily").eval("pnl + open_pnl")
    assert (trials, sharpes) == (1, [pytest.approx(made.mean() / made.std(ddof=1))])


def test_a_policy_of_other_ticks_is_refused(run: Run, market: PreparedMarket, tmp_path: Path) -> None:
    trained = {"contract": {**describe_contract(market.contract), "tick_size": 0.5}}
    policy = make_policy(market, CONFIG, data={**TRAINED, **trained})
    check_error(run(policy, "--from", "2025-01-06").exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.costly
def test_would_it_pass(run: Run, tmp_path: Path, snapshot: Snapshot) -> None:
    bars = synthetic_bars("ES", days=9, seed=6, start="2025-01-02")
    path = write_bars(bars, tmp_path / "LONG_ES.csv")
    policy = make_policy(prepare(bars, CONFIG), CONFIG, seed=1)
    done = run(policy, "--rules", "intraday-trailing-50k", "--rules", "static-50k", data=path)
    assert done.exit_code == 0, done.output
    values = read_json(tmp_path / "out" / "evaluation.json")["evaluation_accounts"]
    assert [one["rules"]["trailing"] for one in values] == ["intraday", "static"]
    for one in values:
        low, high = one["passes_between"]
        assert 0 <= low <= high <= 1
        assert sum(one["ends"].values()) == pytest.approx(1)
    page = Page(tmp_path / "out" / "report.html")
    assert "Would it pass a prop firm's evaluation?" in page.text
    assert "Read on 2026-11-26" in page.text
    assert "passes" in done.output
    if CHROMIUM is not None:
        assert layout_faults(page.raw, tmp_path) == []
    snapshot("out", tmp_path / "out")


@pytest.mark.costly
def test_under_rules_that_are_all_others(run: Run, tmp_path: Path, snapshot: Snapshot) -> None:
    """Seven contracts around the clock over a change of clocks, with every rule another."""
    config = EnvConfig.phase2(**{**OTHER, "initial_balance_dollars": 30_000.0})
    bars = synthetic_bars("RTY", days=6, seed=8, start="2025-03-06", session="all")
    path = write_bars(bars, tmp_path / "other_RTY.parquet")
    policy = make_policy(prepare(bars, config), config, seed=4)
    given = ("--symbol", "RTY", "--rules", "static-50k", "--trials", "7", "--starts", "all")
    done = run(policy, *given, data=path)
    assert done.exit_code == 0, done.output
    snapshot("out", tmp_path / "out")
    snapshot("shown", done.output)


def test_overlap_is_refused_or_stamped(run: Run, market: PreparedMarket, tmp_path: Path) -> None:
    policy = make_policy(market, CONFIG, data=TRAINED, certificate="ungated")
    refused = run(policy)
    check_error(refused.exception)
    assert not (tmp_path / "out").exists()
    assert run(policy, "--to", "2025-01-02", "--allow-overlap").exit_code == 0
    values = read_json(tmp_path / "out" / "evaluation.json")
    assert values["held_out"]["status"] == "overlaps training data"
    page = Page(tmp_path / "out" / "report.html")
    assert "overlaps training data, 2024-01-02 to 2025-01-02" in page.text
    assert "ungated: trained without proof of parity" in page.text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "2025-13-01"],
        ["--from", "2025-01-07", "--to", "2025-01-02"],
        ["--from", "2026-01-01"],
        ["--symbol", "XX"],
        ["--symbol", "YM"],
        ["--data", "nowhere.csv"],
        ["--tz", "Mars/Olympus"],
        ["--rules", "nowhere"],
        ["--rules", "static-50k"],
    ],
)
def test_bad_input_is_one_sentence(run: Run, market: PreparedMarket, arguments: list[str]) -> None:
    done = run(make_policy(market, CONFIG), *arguments)
    check_error(done.exception)


def test_files_that_are_no_policy(run: Run, bars_file: Path, tmp_path: Path) -> None:
    check_error(run(tmp_path / "nowhere.safetensors").exception)
    check_error(run(bars_file).exception, r"(?<=program \().*(?=\);)")


def test_a_folder_that_cannot_be_written(run: Run, market: PreparedMarket, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands here")
    done = run(make_policy(market, CONFIG), "--to", "2025-01-02")
    check_error(done.exception, kind=WriteError)


def test_one_second_bars_are_refused(run: Run, market: PreparedMarket, tmp_path: Path) -> None:
    fine = second_bars(synthetic_bars("ES", days=1, seed=5), seed=5)
    path = write_bars(fine.select(slice(0, 3000)), tmp_path / "ES_1s.parquet")
    done = run(make_policy(market, CONFIG), data=path)
    check_error(done.exception)
