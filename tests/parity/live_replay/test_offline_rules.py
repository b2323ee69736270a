"""The offline side by hand: prices of entries and exits, ends of every window, and a log's bars."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from foundation.files import file_digest
from jax_port.export.bundle import POLICY
from jax_port.export.manifest import MANIFEST, describe
from jax_port.ppo.policy import save_policy
from legacy_torch.features import add_features
from markets.advice.fusion import FusionSettings
from parity.live_replay.decision_log import LiveLog
from parity.live_replay.offline import Held, Offline, cut, open_bundle
from tests.parity.live_replay.made_replay import (
    BARS,
    CONFIG,
    FIRST,
    FLAT_BY,
    NO_TRADE_BEFORE,
    NO_TRADE_FROM,
    SLIPPAGE,
    agreeing,
    bars,
    header,
    offline,
    policy,
)
from tests.sentences import refuses

TICK = 0.25


def ticks(name: str, t: int) -> int:
    return round(float(bars().frame[name].iloc[t]) / TICK)


def test_bars_are_told_in_points_ticks_and_minutes() -> None:
    rules = offline()
    assert len(rules) == BARS
    np.testing.assert_array_equal(rules.bars, bars().frame.to_numpy())
    assert rules.minute.tolist() == list(range(FIRST, FIRST + BARS))
    assert rules.close.tolist() == [ticks("close", t) for t in range(BARS)]
    opened = bars().frame.index[0].timestamp() / 60
    assert rules.opened.tolist() == [opened + t for t in range(BARS)]
    table = add_features(bars().frame, TICK, CONFIG)
    names = ["stop_ticks", "target_ticks", "trail_ticks"]
    np.testing.assert_array_equal(rules.distances, table[names].to_numpy())
    assert rules.features.shape == (BARS, 11)


def test_windows_hold_their_first_minute_and_not_their_last() -> None:
    rules = offline()
    for minute, may in (
        (NO_TRADE_BEFORE - 1, False),
        (NO_TRADE_BEFORE, True),
        (NO_TRADE_FROM - 1, True),
        (NO_TRADE_FROM, False),
    ):
        assert rules.may_enter(minute - FIRST) is may, minute
    for minute, late in ((FLAT_BY - 1, False), (FLAT_BY, True), (FLAT_BY + 1, True)):
        assert rules.late(minute - FIRST) is late, minute


@pytest.mark.parametrize("side", [1, -1])
def test_an_entry_lies_at_the_close_and_its_slippage_or_where_it_was_filled(side: int) -> None:
    rules, t = offline(), 40
    price = ticks("close", t) + side * SLIPPAGE
    stop, target, trail = (int(x) for x in rules.distances[t])
    assert len({stop, target, trail}) == 3
    assert rules.market_price(t, side) == price
    assert rules.entered(t, side) == Held(side, price, price - side * stop, price + side * target, t)
    assert rules.entered(t, side, price + 5) == Held(
        side, price + 5, price + 5 - side * stop, price + 5 + side * target, t
    )


@pytest.mark.parametrize("side", [1, -1])
def test_an_exit_is_at_its_own_price_and_the_stop_comes_first(side: int) -> None:
    rules, t = offline(), 50
    high, low = ticks("high", t), ticks("low", t)
    assert high - low > 2
    adverse, kind = (low, high) if side > 0 else (high, low)
    far = side * 100

    def why(stop: int, target: int, entry_bar: int = t - 1) -> Any:
        return rules.exit_price(t, Held(side, 0, stop, target, entry_bar))

    assert why(adverse, kind + far) == ("stop", adverse)
    assert why(adverse - side, kind + far) is None
    assert why(adverse + side, kind + far) == ("stop", adverse + side)
    assert why(adverse - far, kind) == ("target", kind)
    assert why(adverse - far, kind + side) is None
    assert why(adverse, kind) == ("stop", adverse)
    assert why(adverse, kind, entry_bar=t) is None
    assert rules.exit_price(t, Held()) is None


@pytest.mark.parametrize("side", [1, -1])
def test_an_open_trade_is_managed_at_the_close(side: int) -> None:
    rules, t = offline(), 45
    close, trail = ticks("close", t), int(rules.distances[t, 2])
    held = Held(side, close - side * 20, close - side * 30, close + side * 60, 43)
    trailed = close - side * trail
    assert rules.managed(t, held, 0) == held
    assert rules.managed(t, held, 3) == replace(held, stop=held.entry + side)
    on = replace(held, stop=trailed, trailing=True)
    assert rules.managed(t, held, 4) == on
    assert rules.managed(t, replace(held, trailing=True), 0) == on
    assert rules.managed(t, replace(held, trailing=True), 5) == held
    assert rules.managed(t, Held(), 4) == Held()


def test_advice_counts_from_the_minute_after_its_bar_to_its_greatest_age() -> None:
    """Advice for the entry that the policy does not want, of a bar some minutes back; that of the last
    row lacks confidence."""
    rows, back = np.array([50, 52, 53, 55, 56, 57, 58]), [0, 1, 2, 4, 5, None, 1]
    rules = Offline(policy(), bars(), FusionSettings("gated", 100.0, 0.5, fade=0.0, most_age=3))
    flat, log = [Held()] * len(rows), agreeing()
    own = offline().see(rows, flat, log).action
    wanted = np.where(own == 1, 2, 1)
    opened = bars().frame.index[0].timestamp() / 60
    log.advice[:], log.confidence[:] = [0.25, 0.5, 0.25], 0.0
    for row, minutes, entry in zip(rows, back, wanted, strict=True):
        log.advice[row], log.confidence[row] = np.eye(3)[entry], 0.5
        log.asked[row] = -1 if minutes is None else opened + row - minutes
    log.confidence[58] = np.nextafter(np.float32(0.5), np.float32(0))
    seen = rules.see(rows, flat, log)
    heard = np.array([False, True, True, True, False, False, False])
    assert seen.mask[:, :3].all()
    assert seen.action.tolist() == np.where(heard, wanted, own).tolist()


def test_the_bars_of_a_log_are_cut_from_its_first_to_its_last() -> None:
    whole = bars()
    log = agreeing()
    some = replace(log, time_ns=log.time_ns[10:31])
    kept, unseen = cut(whole, some, policy())
    assert unseen is None
    np.testing.assert_array_equal(kept.timestamps_ns, whole.timestamps_ns[10:31])
    # Two that live had not: the bars end before the first of them.
    lacking = replace(log, time_ns=np.delete(log.time_ns[10:31], [15, 18]))
    kept, unseen = cut(whole, lacking, policy())
    np.testing.assert_array_equal(kept.timestamps_ns, whole.timestamps_ns[10:25])
    assert unseen == f"{whole.frame.index[25]:%Y-%m-%dT%H:%M:%S}Z"
    single = replace(log, time_ns=log.time_ns[-1:])
    assert len(cut(whole, single, policy())[0]) == 1
    with refuses():
        cut(whole.select(np.arange(BARS) < 25), some, policy())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    contract = bars().contract
    save_policy(tmp_path / POLICY, policy())
    manifest = describe(policy(), contract, {"file": POLICY, "sha256": "0" * 64})
    manifest["files"] = {POLICY: file_digest(tmp_path / POLICY)}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    return tmp_path


def made_of(folder: Path, **values: Any) -> LiveLog:
    given = {"policy_sha256": file_digest(folder / POLICY), **values}
    return replace(agreeing(), header=header(**given))


def rewritten(folder: Path, **values: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **values}))


FUSION = FusionSettings("gated", 2.5, 0.7, fade=0.1, most_age=4)
NUMBERS = [2.5, float(np.float32(0.7)), float(np.float32(0.1)), 4.0]


def test_a_bundle_is_opened_with_what_it_trades_and_is_fused_with(bundle: Path) -> None:
    opened, contract, fusion = open_bundle(bundle, made_of(bundle))
    assert (opened.config, contract, fusion) == (CONFIG, bars().contract, None)
    rewritten(bundle, fusion=FUSION.to_dict())
    log = made_of(bundle, fusion="gated", fusion_numbers=NUMBERS)
    assert open_bundle(bundle, log)[1:] == (bars().contract, FUSION)


@pytest.mark.parametrize(
    "values",
    [
        {"symbol": "NQ"},
        {"session": "all"},
        {"window": 4},
        {"contracts": 1},
        {"fusion": "gated", "fusion_numbers": NUMBERS},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_log_of_another_bundle_is_refused(bundle: Path, values: dict[str, Any]) -> None:
    log = made_of(bundle, **values)
    with refuses():
        open_bundle(bundle, log)


def test_a_log_of_another_policy_is_refused(bundle: Path) -> None:
    with refuses(r"(?<= and )[0-9a-f]{12}(?=\))"):
        open_bundle(bundle, made_of(bundle, policy_sha256="cd" * 32))


def test_a_log_of_the_other_phase_is_refused(bundle: Path) -> None:
    with refuses():
        open_bundle(bundle, made_of(bundle, phase=1))


@pytest.mark.parametrize("at", range(4))
def test_each_number_of_a_fusion_belongs_to_its_log(bundle: Path, at: int) -> None:
    rewritten(bundle, fusion=FUSION.to_dict())
    others = [*NUMBERS[:at], NUMBERS[at] + 1, *NUMBERS[at + 1 :]]
    log = made_of(bundle, fusion="gated", fusion_numbers=others)
    with refuses():
        open_bundle(bundle, log)
    with pytest.raises(InputError, match="fused"):
        open_bundle(bundle, made_of(bundle, fusion="veto", fusion_numbers=NUMBERS))


def test_a_bundle_that_is_not_its_manifest_s_is_refused(bundle: Path) -> None:
    log = made_of(bundle)
    contract = asdict(bars().contract)
    rewritten(bundle, contract={**contract, "ticks": 1})
    with refuses():
        open_bundle(bundle, log)
    for files in ({POLICY: "0" * 64}, {}):
        rewritten(bundle, contract=contract, files=files)
        with refuses():
            open_bundle(bundle, log)
