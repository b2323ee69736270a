"""What a bundle says of itself: everything that is needed to decide as the trained policy does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from foundation.files import file_digest
from foundation.json_reading import Artifact, Count, Int32, Struct, convert, read_json
from jax_port.data.trained_contract import data_entries, require_same_contract
from jax_port.envs.registry import phase_of
from jax_port.ppo.networks import FORBIDDEN_LOGIT
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import CLIP, EPSILON
from markets import Contract, EnvConfig, InputError, get_contract
from markets.bars import FEATURES

KIND = "rltrader bundle"
VERSION = 1
MANIFEST = "manifest.json"

ACTIONS = ("hold", "buy", "sell", "break_even", "trail_on", "trail_off")
POSITION = (
    "position",
    "entry_ratio",
    "stop_distance",
    "target_distance",
    "time_in_position",
    "can_enter",
    "at_break_even",
    "trailing",
)
MASKS = {
    1: ("always", "flat", "flat"),
    2: (
        "always",
        "flat and in the entry window",
        "flat and in the entry window",
        "open, in profit at the close, stop not yet at break-even",
        "open, in profit at the close, stop at break-even or past it, not trailing",
        "open and trailing",
    ),
}
UNGATED = "ungated"
MOST_CONTRACTS = 100
"""The live strategy takes a trade of more for a mistake, as it does the next two."""
MOST_MULTIPLE = 100.0
"""Of a stop's or a trail's ATRs, and of a target's stops."""
LAST_FLAT_BY = 1439
"""New York minute: a day has one from which everything is closed."""
MANIFEST_FILE = Artifact(
    "manifest",
    "export the policy anew",
    absent="no bundle here; give a folder that `rltrader export` wrote",
    most_bytes=8 * 1024 * 1024,
)


class _Header(Struct):
    kind: str
    version: Int32


class _Layer(Struct):
    name: str
    rows: Count = field(name="in")
    columns: Count = field(name="out")


class _Network(Struct):
    activation: str
    policy: Annotated[list[_Layer], Meta(min_length=1)]
    value: Annotated[list[_Layer], Meta(min_length=1)]


class _Observation(Struct):
    size: Count
    window: Count
    features: list[str]
    position: list[str]


class _Normalizer(Struct):
    epsilon: float
    clip: float
    count: float
    mean: list[float]
    var: list[float]


class _Source(Struct):
    file: str
    sha256: str


class _Manifest(Struct):
    """What everybody who reads a manifest may count on."""

    phase: Literal[1, 2]
    actions: list[str]
    observation: _Observation
    normalizer: _Normalizer | None
    network: _Network
    masks: dict[str, Any]
    contract: Contract
    env_config: dict[str, Any]
    certificate: dict[str, Any] | str
    source: _Source
    made: dict[str, Any]
    files: dict[str, str]
    fusion: dict[str, Any] = field(default_factory=dict)
    trained_with_advice: dict[str, Any] | None = None
    lineage: dict[str, Any] = field(default_factory=dict)


def describe(policy: Policy, contract: Contract, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bundle's manifest, ready for JSON, but for its list of files.

    Args:
        policy: what is exported.
        contract: what it trades.
        source: where the policy came from: file and SHA-256.
    """
    phase, config = phase_of(policy.config), policy.config
    return {
        "kind": KIND,
        "version": VERSION,
        "phase": phase.number,
        "actions": list(ACTIONS[: phase.num_actions]),
        "observation": {
            "size": config.window_size * len(FEATURES) + phase.position_features,
            "window": config.window_size,
            "features": list(FEATURES),
            "position": list(POSITION[: phase.position_features]),
            "order": "bars t-window to t-1, oldest first, each with its features; then position at t",
        },
        "normalizer": _normalizer(policy),
        "network": {
            "activation": policy.spec.activation,
            "kernel": "NAME.kernel (in, out), row by row; out = in . kernel + NAME.bias; float32",
            **{mlp: _layers(policy, names) for mlp, names in policy.spec.mlps.items()},
        },
        "masks": {"forbidden_logit": FORBIDDEN_LOGIT, "allowed_when": list(MASKS[phase.number])},
        "contract": asdict(contract),
        "env_config": config.to_dict(),
        "certificate": policy.about.get("certificate") or UNGATED,
        "lineage": policy.about.get("lineage") or {},
        "source": dict(source),
        "made": dict(policy.about),
    }


def _normalizer(policy: Policy) -> dict[str, Any] | None:
    """Return how observations are normalised; None where the networks see them raw."""
    if policy.statistics is None:
        return None
    return {
        "formula": "clip((x - mean) / sqrt(var + epsilon), -clip, clip)",
        "epsilon": EPSILON,
        "clip": CLIP,
        "count": float(policy.statistics["count"]),
        "mean": policy.statistics["mean"].tolist(),
        "var": policy.statistics["var"].tolist(),
    }


def _layers(policy: Policy, names: Sequence[str]) -> list[dict[str, Any]]:
    layers = policy.params["params"]
    shapes = {name: layers[name]["kernel"].shape for name in names}
    return [{"name": name, "in": int(shape[0]), "out": int(shape[1])} for name, shape in shapes.items()]


def contract_of(policy: Policy, symbol: str | None) -> Contract:
    """Return what a policy trades: the symbol given, which must be of its training data, else theirs.

    Raises:
        InputError: it was not trained on that contract; or none is given, and training data are not
            known or of several contracts.
    """
    symbols = trained_on(policy)
    if symbol:
        contract = get_contract(symbol)
        if symbols and contract.symbol not in symbols:
            raise InputError(
                f"the policy was trained on {', '.join(sorted(symbols))} and can't trade "
                f"{contract.symbol}, of which a tick is worth another sum to the account that it "
                "learnt to keep; train one on that contract"
            )
        require_same_contract(policy.about, contract)
        return contract
    if len(symbols) != 1:
        found = (
            f"was trained on {', '.join(sorted(symbols))}" if symbols else "does not say its contract"
        )
        raise InputError(f"the policy {found}; say with --symbol which contract it is to trade")
    contract = get_contract(symbols.pop())
    require_same_contract(policy.about, contract)
    return contract


def require_live_rules(config: EnvConfig) -> None:
    """Require rules that the live strategy takes (``ninjatrader/policy/Manifest.cs``).

    Raises:
        InputError: it would refuse the bundle.
    """
    limits = {
        "contracts": (config.account.contracts, MOST_CONTRACTS),
        **{
            name: (getattr(config, name), MOST_MULTIPLE)
            for name in ("sl_atr_mult", "tp_sl_ratio", "trail_atr_mult")
        },
        "flat_by_minute": (config.flat_by_minute, LAST_FLAT_BY),
    }
    for name, (value, most) in limits.items():
        if value > most:
            raise InputError(
                f"the policy was trained with {name} {value:g}, and a bundle's live strategy takes "
                f"{most:g} at most; train one with less"
            )


def trained_on(policy: Policy) -> set[str]:
    """Return the symbols of a policy's training data; none where it does not say them."""
    return {str(entry["symbol"]) for entry in data_entries(policy.about) if "symbol" in entry}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a bundle's manifest.

    Raises:
        InputError: there is none, it is damaged, or it is of another kind or version.
    """
    path = folder / MANIFEST
    values = read_json(path, dict[str, Any], MANIFEST_FILE)
    header = convert(values, _Header, MANIFEST_FILE, where=path)
    if (header.kind, header.version) != (KIND, VERSION):
        raise InputError(
            f"{path}: {header.kind!r} version {header.version!r} is not {KIND!r} version {VERSION}; "
            "use the version of this program that wrote it, or export the policy anew"
        )
    convert(values, _Manifest, MANIFEST_FILE, where=path)
    return values


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a bundle with a file that is not the one its manifest was written for.

    Raises:
        InputError: naming the file.
    """
    for name, digest in sorted(manifest["files"].items()):
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path}: no such file; copy the whole bundle")
        if file_digest(path) != digest:
            raise InputError(
                f"{path}: not the file that {MANIFEST} was written for; copy the bundle again, or "
                "export the policy anew"
            )
