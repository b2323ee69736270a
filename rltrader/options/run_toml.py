"""``run.toml`` of a run that no command line of ``rltrader train`` asked for: its plan as options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.toml_files import read_toml
from rltrader.options.config_file import CONTRACT, FILE, text_of
from rltrader.options.training import SHORT

if TYPE_CHECKING:
    from jax_port.ppo.settings import TrainSettings
    from jax_port.runs.plan import Plan
    from jax_port.runs.training_data import TrainingData
    from markets.config import EnvConfig

RUN_TOML = "run.toml"
FEATURES = "use_features"
"""A reader's option that no command has."""
READER = {"timezone": "tz"}
"""Options of a reader whose name on the command line is another."""


def texts_of(plan: Plan) -> dict[str, str]:
    """Return ``run.toml`` by its name, with which ``rltrader train --config`` makes the same run.

    Nothing is returned where options cannot say the plan: a network or schedules in the user's own
    code, agents with numbers of their own, advice, markets that are read in different ways, or bars of
    which Python said what no option says.
    """
    data = plan.data
    ways = [(one.kind, one.days, one.seed, one.strength, one.reader) for one in data.sources]
    unsaid = plan.settings.own is not None or plan.schedules or any(plan.agents) or data.advice
    of_python = any(one.name or one.contract or FEATURES in one.reader for one in data.sources)
    if unsaid or of_python or any(way != ways[0] for way in ways) or ways[0][3] != 1.0:
        return {}
    values = {
        **_data(data),
        "phase": str(plan.config.phase),
        **_settings(plan.settings),
        "updates_per_call": plan.updates_per_call,
        "checkpoint_every": plan.checkpoint_every,
    }
    if len(plan.agents) > 1:
        values["seeds"] = len(plan.agents)
    if plan.initial:
        values["from_policy"] = plan.initial["path"]
    return {RUN_TOML: text_of(values, _rules(plan.config))}


def register_contracts_of(folder: Path) -> None:
    """Register the contracts that a run's ``run.toml`` describes, where there is one.

    Raises:
        InputError: the file is damaged, or another file describes one of them otherwise.
    """
    from markets.contracts_file import register_table

    path = folder / RUN_TOML
    table = read_toml(path, dict[str, Any], FILE).get(CONTRACT) if path.is_file() else None
    if isinstance(table, dict):
        register_table(path, table)


def _data(data: TrainingData) -> dict[str, Any]:
    first, *_ = data.sources
    values: dict[str, Any] = {"symbol": [one.symbol for one in data.sources]}
    if first.kind == "file":
        values["data"] = [one.path for one in data.sources]
        values |= {READER.get(name, name): value for name, value in first.reader.items()}
    else:
        values |= {first.kind: first.days, "data_seed": first.seed}
    return values | {name: day for name, day in (("from", data.first), ("to", data.last)) if day}


def _settings(settings: TrainSettings) -> dict[str, Any]:
    """Return every setting by its option; those that are None, which is their default, are left out."""
    values = settings.to_dict()
    shape, layers = values.pop("network"), values.pop("layer_lr")
    values |= {name: list(one) if isinstance(one, tuple) else one for name, one in shape.items()}
    named = {SHORT.get(name, name): value for name, value in values.items() if value is not None}
    rates = [f"{name}={factor!r}" for name, factor in layers]
    return {**named, "layer_rate": rates} if rates else named


def _rules(config: EnvConfig) -> dict[str, Any]:
    """Return what differs from the phase's own rules."""
    plain = type(config).phase1() if config.phase == 1 else type(config).phase2()

    def flat(values: dict[str, Any]) -> dict[str, Any]:
        inner = {**values.pop("account"), **values.pop("reward")}
        return {**values, **inner}

    usual = flat(plain.to_dict())
    return {name: value for name, value in flat(config.to_dict()).items() if value != usual[name]}
