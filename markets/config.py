"""What a run is configured with: the account's rules, the reward and the environment.

Source: section 4 of ``docs/environment.md``. All classes are frozen and validated on construction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from foundation.errors import InputError
from foundation.json_reading import require_names

Session = Literal["rth", "all"]


MOST_WHOLE = 2**31 - 1
MOST_NUMBER = 1e12
"""Beyond this no amount or factor makes sense, and cents would no longer be exact in 64 bits."""


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
    return text if len(text) <= 60 else f"{text[:60]}..."


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise InputError(message)


def _whole(owner: object, name: str, least: int) -> None:
    value = getattr(owner, name)
    _require(
        isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST_WHOLE,
        f"{name} is {_short(value)}; it must be a whole number from {least} to {MOST_WHOLE}",
    )


def _number(owner: object, name: str) -> float:
    value = getattr(owner, name)
    _require(
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and -MOST_NUMBER <= value <= MOST_NUMBER,
        f"{name} is {_short(value)}; it must be a finite number, at most {MOST_NUMBER:,.0f} either way",
    )
    # One spelling a value, so that equal configurations have equal JSON: 0 for -0.0, 50.0 for 50.
    object.__setattr__(owner, name, float(value) + 0.0)
    return float(value)


def dollars_to_cents(name: str, dollars: float) -> int:
    """Return dollars as whole cents.

    Raises:
        InputError: the amount has a fraction of a cent.
    """
    cents = round(dollars * 100)
    _require(
        abs(dollars * 100 - cents) < 1e-6,
        f"{name} is ${dollars}; money is kept in whole cents, so give at most two decimals",
    )
    return cents


@dataclass(frozen=True, slots=True)
class AccountRules:
    """The account: starting money and the trailing drawdown floor.

    Attributes:
        initial_balance_dollars: balance at the start of an episode.
        trailing_drawdown_dollars: distance of the floor below the equity high.
        floor_lock_dollars: the floor stops rising at the initial balance plus this.
        contracts: whole contracts per trade.
    """

    initial_balance_dollars: float = 50_000.0
    trailing_drawdown_dollars: float = 15_000.0
    floor_lock_dollars: float = 100.0
    contracts: int = 1

    def __post_init__(self) -> None:
        for name in ("initial_balance_dollars", "trailing_drawdown_dollars", "floor_lock_dollars"):
            dollars_to_cents(name, _number(self, name))
        _require(
            self.initial_balance_dollars > 0,
            f"initial_balance_dollars is {self.initial_balance_dollars}; it must be above zero",
        )
        _require(
            self.trailing_drawdown_dollars > 0,
            f"trailing_drawdown_dollars is {self.trailing_drawdown_dollars}; it must be above zero",
        )
        _require(
            self.floor_lock_dollars >= -self.trailing_drawdown_dollars,
            f"floor_lock_dollars is {self.floor_lock_dollars}; below "
            f"-{self.trailing_drawdown_dollars} the drawdown floor would begin above its lock, so "
            "give more",
        )
        _whole(self, "contracts", 1)


@dataclass(frozen=True, slots=True)
class RewardConfig:
    """The terms of the reward (section 6.8).

    Attributes:
        hold_penalty: added per bar that ends with an open position.
        patience_reward: added per bar that ends flat with nothing closed.
        pnl_divisor_dollars: a closed trade's PnL is divided by this.
        violation_penalty: added once when a rule of the account is broken.
        invalid_action_penalty: added when the mask forbids the action.
        trail_win_bonus: added when a winner closes with trailing on (Phase 2).
    """

    hold_penalty: float = -0.01
    patience_reward: float = 0.001
    pnl_divisor_dollars: float = 100.0
    violation_penalty: float = -10.0
    invalid_action_penalty: float = 0.0
    trail_win_bonus: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            _number(self, item.name)
        _require(
            self.pnl_divisor_dollars > 0,
            f"pnl_divisor_dollars is {self.pnl_divisor_dollars}; it must be above zero",
        )
        dollars_to_cents("pnl_divisor_dollars", self.pnl_divisor_dollars)


@dataclass(frozen=True, slots=True)
class EnvConfig:
    """Everything an environment is configured with beside its bars and its contract.

    Minutes are New York minutes since midnight. Use :meth:`phase1` or :meth:`phase2` for the
    defaults of section 4; both take any field of any of the three classes by name.

    Attributes:
        phase: 1 (hold, buy, sell) or 2 (adds break-even and trailing).
        window_size: bars in an observation.
        warmup_bars: bars at the start of a file that no observation window may contain.
        session: "rth" keeps bars of 09:30 to 16:59, "all" keeps every bar.
        sl_atr_mult: stop distance in ATRs.
        tp_sl_ratio: target distance in stop distances.
        trail_atr_mult: trailing distance in ATRs (Phase 2).
        entry_open_minute: first minute in which a trade may be opened.
        entry_close_minute: first minute in which it no longer may.
        flat_by_minute: from this minute on an open position is a violation.
        max_episode_bars: an episode is truncated after this many bars.
        account: the account's rules.
        reward: the reward's terms.
    """

    phase: int = 1
    window_size: int = 20
    warmup_bars: int = 100
    session: Session = "rth"
    sl_atr_mult: float = 1.5
    tp_sl_ratio: float = 3.0
    trail_atr_mult: float = 1.0
    entry_open_minute: int = 570
    entry_close_minute: int = 960
    flat_by_minute: int = 1019
    max_episode_bars: int = 390
    account: AccountRules = field(default_factory=AccountRules)
    reward: RewardConfig = field(default_factory=RewardConfig)

    def __post_init__(self) -> None:
        _require(
            type(self.phase) is int and self.phase in (1, 2),
            f"phase is {self.phase!r}; it must be 1 or 2",
        )
        for name, kind in (("account", AccountRules), ("reward", RewardConfig)):
            _require(
                isinstance(getattr(self, name), kind),
                f"{name} is {getattr(self, name)!r}; it must be of {kind.__name__}",
            )
        _require(
            self.session in ("rth", "all"), f"session is {self.session!r}; it must be 'rth' or 'all'"
        )
        _whole(self, "window_size", 1)
        _whole(self, "warmup_bars", 20)  # sma_20 is the feature that is defined last
        _whole(self, "max_episode_bars", 1)
        for name in ("sl_atr_mult", "tp_sl_ratio", "trail_atr_mult"):
            _require(_number(self, name) > 0, f"{name} is {getattr(self, name)}; it must be above zero")
        for name in ("entry_open_minute", "entry_close_minute", "flat_by_minute"):
            _whole(self, name, 0)
            _require(
                getattr(self, name) <= 1440,
                f"{name} is {getattr(self, name)}; a day has 1440 minutes",
            )
        _require(
            self.entry_open_minute < self.entry_close_minute,
            f"the entry window {self.entry_open_minute}..{self.entry_close_minute} is empty; "
            "entry_close_minute must be later than entry_open_minute",
        )

    @classmethod
    def phase1(cls, **overrides: Any) -> EnvConfig:
        """Return the Phase 1 defaults with any field of the three classes overridden."""
        return cls(phase=1).override(**overrides)

    @classmethod
    def phase2(cls, **overrides: Any) -> EnvConfig:
        """Return the Phase 2 defaults with any field of the three classes overridden."""
        config = cls(
            phase=2,
            account=AccountRules(trailing_drawdown_dollars=2_500.0),
            reward=RewardConfig(invalid_action_penalty=-1.0, trail_win_bonus=0.5),
        )
        return config.override(**overrides)

    def override(self, **overrides: Any) -> EnvConfig:
        """Return a copy with fields replaced, whichever of the three classes holds them.

        Raises:
            InputError: a name that no class has; the message lists all.
        """
        own = {item.name for item in fields(EnvConfig)}
        account = {item.name for item in fields(AccountRules)}
        reward = {item.name for item in fields(RewardConfig)}
        unknown = sorted(set(overrides) - own - account - reward)
        _require(
            not unknown,
            f"unknown setting {', '.join(unknown)}: choose from "
            f"{', '.join(sorted((own | account | reward) - {'account', 'reward'}))}",
        )

        def pick(names: set[str]) -> dict[str, Any]:
            return {name: value for name, value in overrides.items() if name in names}

        base = replace(self, **pick(own))
        return replace(
            base,
            account=replace(base.account, **pick(account)),
            reward=replace(base.reward, **pick(reward)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EnvConfig:
        """Rebuild a configuration from :meth:`to_dict`'s values.

        Raises:
            InputError: a name is missing or unknown, or a value is not valid.
        """
        parts: dict[str, Any] = {"account": AccountRules, "reward": RewardConfig}
        made = dict(require_names(values, cls.__dataclass_fields__, "the configuration"))
        for part, kind in parts.items():
            made[part] = kind(**require_names(made[part], kind.__dataclass_fields__, part))
        return cls(**made)

    def to_json(self) -> str:
        """Return the canonical JSON text: sorted keys, no spaces. Equal configs, equal text."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
