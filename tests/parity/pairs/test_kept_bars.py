"""The environments with a memory do what they do without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.seconds import SECONDS_ENVIRONMENTS, SecondsPhase1
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from parity.pairs.kept_bars import KeptBars, keeping_bars

BARS = synthetic_bars("ES", days=2, seed=3)
PLAIN: dict[int, type[TradingEnvPhase1]] = {1: TradingEnvPhase1, 2: TradingEnvPhase2}
CONFIGS = {1: EnvConfig.phase1(max_episode_bars=40), 2: EnvConfig.phase2(max_episode_bars=40)}


def _episodes(env: TradingEnvPhase1, starts: list[int]) -> list[Any]:
    """Return all that an environment shows in episodes of drawn actions, the same in each call."""
    rng = np.random.default_rng(1)
    shown: list[Any] = []
    for start in starts:
        obs, info = env.reset(options={"start_index": start})
        shown += [obs.tobytes(), info]
        ended = False
        while not ended:
            masks = env.action_masks()
            obs, reward, terminated, truncated, info = env.step(int(rng.choice(np.flatnonzero(masks))))
            shown += [masks.tobytes(), obs.tobytes(), reward, terminated, truncated, info]
            ended = terminated or truncated
        shown += [env.trade_history, env.balance]
    return shown


@pytest.mark.parametrize("seconds", [False, True])
@pytest.mark.parametrize("phase", [1, 2])
def test_episodes_are_the_same_with_a_memory(phase: int, seconds: bool) -> None:
    """Some bars are walked over twice, from another start: by then they are remembered."""
    given: tuple[Any, ...] = (BARS, second_bars(BARS, seed=4)) if seconds else (BARS,)
    environment: Any = (SECONDS_ENVIRONMENTS if seconds else PLAIN)[phase]
    both: Any = (environment, keeping_bars(environment))
    plain, kept = (one(*given, CONFIGS[phase]) for one in both)
    starts = [int(plain.valid_starts[i]) for i in (0, 30, 10, -1, 0)]
    assert _episodes(kept, starts) == _episodes(plain, starts)
    assert isinstance(kept, SecondsPhase1) == seconds


def test_each_bar_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    of_plain = TradingEnvPhase1._bar

    def counted(env: TradingEnvPhase1) -> Any:
        read.append(env.step_idx)
        return of_plain(env)

    monkeypatch.setattr(TradingEnvPhase1, "_bar", counted)
    env: Any = keeping_bars(TradingEnvPhase1)(BARS, CONFIGS[1])
    first = int(env.valid_starts[0])
    _episodes(env, [first, first + 5])
    assert len(read) == len(set(read)) == len(env.rows) == len(env.windows)
    assert first in env.windows
    assert isinstance(env, KeptBars)
