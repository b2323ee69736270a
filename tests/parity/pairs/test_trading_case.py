"""``rltrader parity case``: the configuration that its JSON means, and the bars that it allows."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from markets import EnvConfig
from parity.suites.worlds import World
from rltrader.parity import parity
from tests.sentences import check_error

STATE = {
    **dict.fromkeys(("entry_price", "sl_price", "tp_price", "position", "position_entry_step"), 0),
    **dict.fromkeys(("num_trades", "winning_trades", "losing_trades", "total_pnl"), 0),
    "balance": 5_000_000,
    "highest_balance": 5_000_000,
    "trailing_dd_level": 3_500_000,
}
"""A flat account at its beginning, but for the bar."""


class _AskedError(Exception):
    """What a case was about to be tried on: its configuration."""


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, EnvConfig.phase1()),
        ({}, EnvConfig.phase1()),
        ({"contracts": 3}, EnvConfig.phase1(contracts=3)),
        ({"phase": 1, "hold_penalty": -0.5}, EnvConfig.phase1(hold_penalty=-0.5)),
        ({"phase": 2}, EnvConfig.phase2()),
        ({"phase": 2, "window_size": 7}, EnvConfig.phase2(window_size=7)),
        ({"account": {"contracts": 2}}, EnvConfig.phase1(contracts=2)),
        (
            {"phase": 2, "reward": {"hold_penalty": -1.0}, "sl_atr_mult": 2.5},
            EnvConfig.phase2(hold_penalty=-1.0, sl_atr_mult=2.5),
        ),
        (EnvConfig.phase2(max_episode_bars=9).to_dict(), EnvConfig.phase2(max_episode_bars=9)),
    ],
    ids=lambda value: "" if isinstance(value, EnvConfig) else str(value)[:50],
)
def test_what_the_json_leaves_out_is_the_default_of_its_phase(
    given: dict[str, object] | None, meant: EnvConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(worlds: list[World], config: EnvConfig) -> None:
        raise _AskedError(config)

    monkeypatch.setattr("parity.pairs.trading.trading_pair", stop)
    config = [] if given is None else ["--config", json.dumps(given)]
    asked = CliRunner().invoke(parity, ["case", *config, "--state", "{}", "--action", "0"]).exception
    assert isinstance(asked, _AskedError), asked
    assert asked.args == (meant,)


@pytest.mark.parametrize(
    "config",
    ['{"phase": 3}', '{"phase": true}', '{"phase": "2"}', '{"account": 5}', '{"reward": [1]}'],
)
def test_json_that_is_no_configuration_is_one_sentence(config: str) -> None:
    given = ["case", "--config", config, "--state", "{}", "--action", "0"]
    check_error(CliRunner().invoke(parity, given).exception)


@pytest.mark.parametrize(("bar", "allowed"), [(119, False), (120, True), (898, True), (899, False)])
def test_a_case_has_a_whole_window_before_it_and_a_bar_after_it(bar: int, allowed: bool) -> None:
    """Two synthetic days have 900 bars in the session, of which 100 warm up and 20 are the window."""
    state = json.dumps({**STATE, "step_idx": bar, "episode_start": bar})
    given = ["case", "--synthetic", "2", "--state", state, "--action", "0"]
    result = CliRunner().invoke(parity, given)
    if allowed:
        assert result.exit_code == 0, result.output
        assert "both sides agree" in result.output
    else:
        assert str(result.exception) == f"--state names bar {bar}; these bars allow 120 to 898"
