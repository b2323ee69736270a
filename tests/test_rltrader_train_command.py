"""``rltrader train`` and ``walk-forward``: what each part is told, and what is said of it."""

from __future__ import annotations

import io
import json
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from foundation.files import write_json
from foundation.report.parts import Verdict
from foundation.signals import StopRequest
from jax_port.evaluation.walk_forward.tried import Tried
from jax_port.evaluation.walk_forward.windows import Window
from jax_port.ppo.settings import TrainSettings
from jax_port.runs import run_file
from jax_port.runs.gate import UNGATED
from jax_port.runs.plan import Plan
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, get_contract
from rltrader import train
from rltrader.options.run_toml import texts_of
from rltrader.walk_forward import _trained, walk_forward
from tests.commands import Parts, parts
from tests.sentences import check_error

__all__ = ["parts"]

PLAN = Plan(TrainSettings(), TrainingData((Source("ES", "/a.csv"),)), EnvConfig.phase1())
SMALL = PLAN.settings.override(n_envs=6, n_steps=7, batch_size=21, total_timesteps=126)


@pytest.mark.parametrize(
    ("agents", "steps", "words"),
    [
        (1, 126, "126 steps in 3 updates of 6 environments x 7 steps"),
        (3, 126, "126 steps of each of 3 agents in 3 updates of 6 environments x 7 steps"),
        (1, 42, "42 steps in 1 update of 6 environments x 7 steps"),
        (2, 85, "126 steps of each of 2 agents in 3 updates of 6 environments x 7 steps: the 85 asked"),
    ],
)
def test_what_is_trained_is_said_in_whole_updates(agents: int, steps: int, words: str) -> None:
    rounded = "" if steps % 42 == 0 else " for, rounded up to whole updates (--envs, --n-steps)"
    settings = SMALL.override(total_timesteps=steps)
    plan_ = replace(PLAN, settings=settings, agents=({},) * agents)
    assert train.what_is_trained(plan_) == f"{words}{rounded}"


def record(update: int, agent: int, pnl: float | None, **more: Any) -> dict[str, Any]:
    base = {"update": update, "agent": agent, "episodes": 0 if pnl is None else 2, "trades": 0}
    return {
        **base, "episode_pnl_dollars": pnl, "episode_reward": pnl and pnl / 8, "win_rate": None, **more,
    }  # fmt: skip


AGENTS = ({"seed": 5, "gamma": 0.5}, {"ent_coef": 0.25}, {"seed": 7, "gamma": 0.75})


def test_agents_are_ranked_by_the_end_of_their_training_with_settings_of_their_own(
    tmp_path: Path,
) -> None:
    lines = [
        *(record(6, agent, 1e6 * agent) for agent in range(3)),  # before the last quarter
        *(record(7, 0, -8.0), record(7, 1, 24.0, trades=3, win_rate=1 / 3), record(7, 2, None)),
        *(record(8, 0, 56.0, trades=9, win_rate=2 / 3), record(8, 1, 8.0), record(8, 2, None)),
    ]
    (tmp_path / "log.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    plan_ = replace(PLAN, settings=SMALL.override(gamma=0.875, seed=40), agents=AGENTS)
    shown = Console(file=io.StringIO(), width=150)
    table = train.ranked_table(tmp_path, plan_)
    shown.print(table)
    rows = [line.split() for line in shown.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert " ".join(rows[0]).startswith("agents by the PnL of their training")
    assert " ".join(rows[1]) == "policy PnL an episode reward trades trades won seed gamma ent_coef"
    seeds = [str(seed) for seed in plan_.seeds]
    assert (seeds[0], seeds[2]) == ("5", "7")
    assert rows[2] == ["policy-0", "$24.00", "3.00", "2.2", "66.7%", "5", "0.5", "0.01"]
    assert rows[3] == ["policy-1", "$16.00", "2.00", "0.8", "33.3%", seeds[1], "0.875", "0.25"]
    assert rows[4] == ["policy-2", *"\N{EN DASH}" * 4, "7", "0.75", "0.01"]


def trained(
    monkeypatch: pytest.MonkeyPatch, out: Path, *words: str, finishes: bool = True, proof: Any = UNGATED
) -> tuple[Result, dict[str, Any]]:
    """Return how the command ends whose training is made by nobody, and what each part was told."""
    told: dict[str, Any] = {"order": []}

    def tell(name: str, answer: Any = None) -> Any:
        def called(*given: Any, **named: Any) -> Any:
            told["order"].append(name)
            told[name] = (*given, named) if named else given
            return answer

        return called

    def run(plan_: Plan, folder: Path, on_update: Any, stopped: StopRequest, **more: Any) -> bool:
        tell("run")(plan_, folder, stopped, **more)
        on_update(1, [record(1, 0, 1.0, steps_per_second=5.0)])
        stopped.signal = None if finishes else 15
        return finishes

    monkeypatch.setattr(train, "join_processes", tell("join"))
    monkeypatch.setattr(train, "prove", tell("prove", proof))
    monkeypatch.setattr("jax_port.runs.gate.refuse_other_numbers", tell("numbers"))
    monkeypatch.setattr(run_file, "shown_proof", lambda folder: {"verdict": f"same in {folder.name}"})
    monkeypatch.setattr("jax_port.runs.run.run", run)
    monkeypatch.setattr(train, "ranked_table", lambda folder, plan_: f"{folder} {len(plan_.agents)}")
    done = CliRunner().invoke(train.train, [*words, "--out", str(out)], terminal_width=300)
    return done, told


NEW = (
    *("--synthetic", "5", "--steps", "85", "--envs", "6", "--n-steps", "7", "--batch-size", "21"),
    *("--logger", "wandb", "--logger", "mlflow", "--coordinator", "here:9", "--processes", "3"),
    *("--process-id", "2", "--set", "max_episode_bars=33"),
)


@pytest.mark.parametrize("count", [1, 2])
def test_a_new_run_is_trained_under_its_proof_with_all_that_was_asked_for(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = {"verdict": "same", "when": "now"}
    done, told = trained(
        monkeypatch, tmp_path / "new", *NEW, "--seeds", str(count), "--distributed", proof=proof
    )
    assert done.exit_code == 0, done.exception
    assert told["order"] == ["join", "numbers", "prove", "run"]
    assert told["join"] == (True, "here:9", 3, 2)
    proved, options, _ = told["prove"]
    plan_, folder, stopped, more = told["run"]
    assert plan_ == replace(proved, certificate=proof)
    assert proved.certificate != proof
    assert (plan_.settings.total_timesteps, plan_.config.max_episode_bars) == (85, 33)
    assert (options["ungated"], options["least"]) == (False, "standard")
    assert folder == tmp_path / "new"
    assert isinstance(stopped, StopRequest)
    text = more.pop("texts")
    assert more == {"begin": True, "certificate": proof, "loggers": ("wandb", "mlflow")}
    assert tomllib.loads(text.pop("run.toml"))["set"] == {"max_episode_bars": 33}
    assert text == {}
    whose = "1 policy" if count == 1 else "2 policies"
    ranking = "" if count == 1 else f"{tmp_path / 'new'} 2\n"
    told_of = f"{whose} trained, parity: same in new; saved in {tmp_path / 'new'}\n"
    assert done.stdout.replace("\n", "") == f"{ranking}{told_of}".replace("\n", "")
    of_each = "" if count == 1 else " of each of 2 agents"
    assert f"126 steps{of_each} in 3 updates of" in done.stderr


def test_a_run_that_was_stopped_says_how_to_go_on_and_one_that_is_there_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, told = trained(monkeypatch, tmp_path / "new", *NEW, finishes=False)
    assert done.exit_code == 143
    go_on = f"stopped and saved; go on with: rltrader train --out {tmp_path / 'new'} --resume"
    assert go_on in done.stderr
    assert done.stdout == ""
    assert told["join"][0] is False
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "run.json").write_text("{}")
    done, told = trained(monkeypatch, tmp_path / "old", *NEW)
    check_error(done.exception)
    assert told["order"] == ["join", "numbers"]
    check_error(CliRunner().invoke(train.train, NEW).exception)


def test_a_run_that_goes_on_is_trained_by_its_own_plan_and_written_no_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_resumed_plan", lambda *given: replace(PLAN, settings=SMALL))
    words = ("--resume", "--logger", "mlflow", "--ungated")
    done, told = trained(monkeypatch, tmp_path, *words)
    assert done.exit_code == 0, done.exception
    assert told["prove"][1]["ungated"] is True
    assert told["run"][0] == replace(PLAN, settings=SMALL)
    more = told["run"][-1]
    assert (more["texts"], more["begin"], more["loggers"]) == ({}, False, ("mlflow",))
    assert more["certificate"] == UNGATED


WINDOW = Window(*(date(2025, 1, day) for day in (2, 8, 10, 13)))
GATED = {"certificate": Path("c.json"), "least": "full", "require_key": None, "ungated": False}


def test_a_window_is_trained_on_its_own_dates_and_gone_on_with_as_it_was_begun(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoints are of the plan as it was written, with the proof of then."""
    then, now = ({"verdict": "same", "data_at_hand": {"seconds": seconds}} for seconds in (1.5, 1.75))
    proofs, programs, finished = [then, now, now], {}, [True, True, False]  # type: ignore[var-annotated]
    place = tmp_path / "window-2"

    def run(*given: Any) -> bool:
        given[2](1, [record(1, 0, 1.0, steps_per_second=5.0)])
        given[3].signal = 15
        return finished.pop(0)

    parts.stand_for(
        {
            "rltrader.walk_forward.prove": lambda *_: proofs.pop(0),
            "rltrader.walk_forward._require_same_bars": None,
            "jax_port.runs.run.run": run,
        }
    )
    policy = _trained(PLAN, WINDOW, place, GATED, programs)
    assert policy == place / "run" / "policy-0.safetensors"
    first, folder, _, stopped, more = parts.told["run"][0]
    dated = replace(PLAN.data, first="2025-01-02", last="2025-01-08")
    assert first == replace(PLAN, data=dated, certificate=then)
    assert (folder, type(stopped)) == (place / "run", StopRequest)
    assert more.pop("programs") is programs
    assert more == {"begin": True, "texts": texts_of(first), "certificate": then}
    assert more["texts"]
    proved, options, _ = parts.told["prove"][0]
    assert (proved, options) == (replace(PLAN, data=dated), GATED)

    write_json(place / "run" / "run.json", {"plan": first.to_dict()})
    assert _trained(PLAN, WINDOW, place, GATED, programs) == policy
    again, *_, more = parts.told["run"][1]
    assert again == first
    assert more == {"begin": False, "texts": {}, "certificate": now, "programs": programs}
    with pytest.raises(SystemExit) as left:
        _trained(PLAN, WINDOW, place, GATED, programs)
    assert left.value.code == 143
    assert "_require_same_bars" not in parts.told
    write_json(place / "run" / "finished.json", {"updates": 1, "policies": 1})
    assert _trained(PLAN, WINDOW, place, GATED, programs) == policy
    assert len(parts.told["run"]) == 3
    assert parts.told["_require_same_bars"] == [(policy, replace(PLAN, data=dated), place / "run")]


def test_every_window_is_trained_judged_and_joined_in_its_place(parts: Parts, tmp_path: Path) -> None:
    windows = [WINDOW, Window(*(date(2025, 2, day) for day in (2, 8, 10, 13))), WINDOW]
    verdict, tried = Verdict("good", "It made money.", "Of luck."), Tried(9, (0.5,), "")
    parts.stand_for(
        {
            "rltrader.walk_forward._trained": lambda *given: f"policy of {given[2].name}",
            "rltrader.walk_forward._judged": lambda *given: f"judged {given[0]}",
            "jax_port.data.data_loader.load": "market",
            "jax_port.runs.training_data.trading_days": "days",
            "jax_port.evaluation.walk_forward.windows.windows_of": windows,
            "jax_port.evaluation.walk_forward.tried.settings_tried": tried,
            "jax_port.evaluation.walk_forward.joined.judge": ("result", "sheet"),
            "jax_port.evaluation.walk_forward.joined.to_values": "values",
            "jax_port.evaluation.walk_forward.joined.write": None,
            "jax_port.evaluation.walk_forward.joined.verdict": verdict,
        }
    )
    (tmp_path / "ES.csv").touch()
    out, config = tmp_path / "out", tmp_path / "more.toml"
    config.write_text("gamma = 0.5\nfrom = '2020-01-01'\nseeds = 7\n")
    words = ("--data", str(tmp_path / "ES.csv"), "--symbol", "ES", "--train", "3", "--test", "2")
    more = ("--trials", "9", "--sweep", "swept", "--tz", "Asia/Tokyo", "--config", str(config))
    done = CliRunner().invoke(walk_forward, [*words, *more, "--out", str(out)])
    assert done.exit_code == 0, done.exception
    told = parts.told
    assert [given[1:3] for given in told["_trained"]] == [
        (window, out / f"window-{number}") for number, window in enumerate(windows, 1)
    ]
    plans, options, programs = zip(*((one[0], one[3], one[4]) for one in told["_trained"]), strict=True)
    assert {id(one) for one in programs} == {id(programs[0])}
    plan_ = plans[0]
    assert (plan_.settings.gamma, plan_.data.first, len(plan_.agents)) == (0.5, "", 1)
    assert options[2]["ungated"] is False
    file = tmp_path / "ES.csv"
    assert told["load"] == [(file, get_contract("ES"), plan_.config, {"timezone": "Asia/Tokyo"})]
    assert told["trading_days"] == [("market",)]
    assert told["settings_tried"] == [(config, 9, Path("swept"))]
    assert told["_judged"] == [
        (f"policy of window-{number}", window, file, "market", out, tried)
        for number, window in enumerate(windows, 1)
    ]
    judged = [f"judged policy of window-{number}" for number in (1, 2, 3)]
    assert told["judge"] == [(judged, "market", tried)]
    assert told["to_values"] == [(judged, "result", "sheet", "market", tried)]
    assert told["write"] == [(out, "values", "result")]
    assert told["verdict"] == [("values",)]
    assert done.stdout.splitlines() == [
        *(f"window {number} of 3: {window}" for number, window in enumerate(windows, 1)),
        f"{verdict.sign} It made money. Of luck.",
        f"page: {out / 'walk_forward.html'}",
    ]
    assert tomllib.loads((out / "walk_forward.toml").read_text())["trials"] == 9
