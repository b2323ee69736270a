"""What a run's log and TensorBoard say is what the program's metrics are, number by number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jax_port.envs.state import DONE_BAR_LIMIT, DONE_DRAWDOWN, DONE_END_OF_DATA, DONE_LATE
from jax_port.ppo.metrics import Metrics
from jax_port.ppo.rollout import EpisodeStats
from jax_port.runs.logs.training_log import (
    TENSORBOARD,
    TrainingLog,
    read_log,
    records_of,
    scalars,
)
from tests.jax_port.runs.logs.tensorboard_events import events_of

UPDATES, AGENTS, FIRST, ROLLOUT, SECONDS = 2, 3, 11, 128, 0.5
ACTIONS = ("hold", "buy", "sell", "break_even", "trail_on", "trail_off")
TERMS = tuple(name for name in Metrics._fields if name not in ("ends", "minibatches"))


def _metrics(actions: int) -> Metrics:
    """Return metrics (updates, agents) of which no two numbers are the same."""
    rng = np.random.default_rng(actions)
    shape = (UPDATES, AGENTS)

    def whole(*more: int) -> Any:
        return rng.choice(np.arange(2, 60), (*shape, *more)).astype(np.int32)

    def real(*more: int) -> Any:
        return (rng.normal(size=(*shape, *more)) * 1000).astype(np.float32)

    ends = EpisodeStats(
        **{name: real() for name in ("reward", "pnl", "drawdown")},
        **{name: whole() for name in ("episodes", "length", "trades", "wins")},
        reasons=whole(5),
        actions=whole(actions),
    )
    return Metrics(ends=ends, minibatches=whole(), **{name: real() for name in TERMS})


def _expected(metrics: Metrics, k: int, agent: int) -> dict[str, Any]:
    """Return a record, written down from what docs say of the metrics and from nothing of the log."""
    ends = jax_free(metrics.ends, k, agent)
    episodes, trades = ends["episodes"], ends["trades"]
    codes = {
        "drawdown": DONE_DRAWDOWN,
        "late_close": DONE_LATE,
        "end_of_data": DONE_END_OF_DATA,
        "bar_limit": DONE_BAR_LIMIT,
    }
    return {
        "update": FIRST + k,
        "agent": agent,
        "steps": (FIRST + k) * ROLLOUT,
        "episodes": episodes,
        "episode_reward": ends["reward"] / episodes,
        "episode_pnl_dollars": ends["pnl"] / episodes / 100,
        "episode_bars": ends["length"] / episodes,
        "episode_drawdown_dollars": ends["drawdown"] / episodes / 100,
        "trades": trades,
        "win_rate": ends["wins"] / trades,
        "ended_by": {name: ends["reasons"][code] for name, code in codes.items()},
        "action_share": {
            name: taken / sum(ends["actions"])
            for name, taken in zip(ACTIONS, ends["actions"], strict=False)
        },
        **{name: float(getattr(metrics, name)[k, agent]) for name in TERMS},
        "minibatches": int(metrics.minibatches[k, agent]),
        # All that the call trained, of all agents, by the time that it took.
        "steps_per_second": UPDATES * AGENTS * ROLLOUT / SECONDS,
    }


def jax_free(ends: EpisodeStats, k: int, agent: int) -> dict[str, Any]:
    """Return sums of one agent's episodes in one update as plain numbers and lists."""
    return {name: np.asarray(value)[k, agent].tolist() for name, value in ends._asdict().items()}


def _flat(values: dict[str, Any]) -> dict[str, float]:
    inner = {name: value for name, value in values.items() if isinstance(value, dict)}
    nested = {f"{name}.{key}": one for name, value in inner.items() for key, one in value.items()}
    return {name: value for name, value in values.items() if name not in inner} | nested


@pytest.mark.parametrize("actions", [3, 6])
def test_a_record_is_one_agents_update(actions: int) -> None:
    metrics = _metrics(actions)
    records = records_of(metrics, FIRST, ROLLOUT, SECONDS)
    assert len(records) == UPDATES * AGENTS
    for number, record in enumerate(records):
        expected = _flat(_expected(metrics, *divmod(number, AGENTS)))
        found = _flat(record)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert type(found[name]) is type(value), name
            assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name


def test_where_nothing_ended_no_mean_is_told_and_what_is_no_number_is_none() -> None:
    """Each for itself: the second agent has episodes without a trade."""
    metrics = _metrics(6)
    ends = metrics.ends
    for name in ("episodes", "trades"):
        getattr(ends, name)[0, 0] = 0
    ends.trades[0, 1] = 0
    ends.actions[0, 0] = 0
    metrics.loss[0, 0], metrics.approx_kl[0, 1], metrics.entropy[1, 2] = np.nan, np.inf, -np.inf
    records = records_of(metrics, FIRST, ROLLOUT, SECONDS)
    none = {
        number: {name for name, value in record.items() if value is None}
        for number, record in enumerate(records)
    }
    means = {"episode_reward", "episode_pnl_dollars", "episode_bars", "episode_drawdown_dollars"}
    expected = {0: {*means, "win_rate", "loss"}, 1: {"win_rate", "approx_kl"}, 5: {"entropy"}}
    assert none == {number: expected.get(number, set()) for number in range(6)}
    assert set(records[0]["action_share"].values()) == {0.0}
    json.dumps(records, allow_nan=False)


def test_both_logs_hold_each_record_at_its_own_step_and_agent(tmp_path: Path) -> None:
    records = records_of(_metrics(3), 1, ROLLOUT, SECONDS)
    with TrainingLog(tmp_path, 0, AGENTS, ROLLOUT) as log:
        log.write(records[:AGENTS])
        log.write(records[AGENTS:])
    assert read_log(tmp_path) == records == [
        json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()
    ]  # fmt: skip
    groups = {"rollout", "time", "train"}
    for agent in range(AGENTS):
        told: dict[int, dict[str, float]] = {}
        for event in events_of(tmp_path / TENSORBOARD / f"agent-{agent}"):
            for value in event.summary.value:
                group, _, name = value.tag.partition("/")
                assert group in groups
                told.setdefault(event.step, {})[name] = value.simple_value
        own = [one for one in records if one["agent"] == agent]
        assert list(told) == [one["steps"] for one in own] == [ROLLOUT, 2 * ROLLOUT]
        for one in own:
            real = {name: value for name, value in one.items() if isinstance(value, float)}
            assert told[one["steps"]] == pytest.approx(real)
            assert {"episode_pnl_dollars", "loss", "steps_per_second"} <= real.keys()


def test_each_real_number_is_shown_in_its_own_group() -> None:
    """Counts, and what there is none of, are no curves."""
    record = records_of(_metrics(3), 1, ROLLOUT, SECONDS)[0]
    of_episodes = ("reward", "pnl_dollars", "bars", "drawdown_dollars")
    expected = {f"rollout/episode_{name}": record[f"episode_{name}"] for name in of_episodes}
    expected |= {"rollout/win_rate": record["win_rate"]}
    expected |= {"time/steps_per_second": record["steps_per_second"]}
    expected |= {f"train/{name}": record[name] for name in TERMS}
    assert scalars(record) == expected
    assert scalars({**record, "win_rate": None, "loss": None}) == {
        name: value
        for name, value in expected.items()
        if name not in ("rollout/win_rate", "train/loss")
    }


def test_what_was_told_is_there_while_the_run_goes_on(tmp_path: Path) -> None:
    """In both logs, and at once: the run may be killed before it closes them."""
    records = records_of(_metrics(3), 1, ROLLOUT, SECONDS)
    with TrainingLog(tmp_path / "run", 0, AGENTS, ROLLOUT) as log:
        for count in (AGENTS, 2 * AGENTS):
            log.write(records[count - AGENTS : count])
            assert read_log(tmp_path / "run") == records[:count]
            for agent in range(AGENTS):
                place = tmp_path / "run" / TENSORBOARD / f"agent-{agent}"
                steps = {event.step for event in events_of(place) if event.HasField("summary")}
                assert steps == {ROLLOUT * number for number in range(1, count // AGENTS + 1)}


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_run_that_goes_on_keeps_the_lines_up_to_its_checkpoint(tmp_path: Path, after: int) -> None:
    records = records_of(_metrics(3), 1, ROLLOUT, SECONDS)
    with TrainingLog(tmp_path, 0, AGENTS, ROLLOUT) as log:
        log.write(records)
    with TrainingLog(tmp_path, after, AGENTS, ROLLOUT):
        pass
    assert read_log(tmp_path) == records[: after * AGENTS]


def test_tensorboard_shows_what_came_before_the_checkpoint_and_hides_what_came_after(
    tmp_path: Path,
) -> None:
    """Its mark of a new beginning stands at the first step that is trained once more."""
    TrainingLog(tmp_path, 5, 2, ROLLOUT).close()
    for agent in range(2):
        marks = [one.step for one in events_of(tmp_path / TENSORBOARD / f"agent-{agent}")]
        assert 5 * ROLLOUT + 1 in marks
        assert all(step in (0, 5 * ROLLOUT + 1) for step in marks)
