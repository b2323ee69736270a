"""A policy as sb3-contrib's MaskablePPO with SB3's VecNormalize, and back.

A policy that sees raw observations goes out behind a VecNormalize with ``norm_obs=False``, which may be
left away, and comes in with such a one or with none.

SB3's own files are pickles in part, and loading one runs what is in it. Nothing here does: weights are
read as plain tensors, and of the normaliser's pickle only arrays and numbers are rebuilt.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from foundation.errors import reason_of
from foundation.files import file_digest, json_digest, write_from_memory
from jax_port.envs.registry import phase_of
from jax_port.evaluation.evaluate import check_policy
from jax_port.export.advised import TRAINED_WITH, require_no_prior
from jax_port.export.checks.rounding import layer_rounding, probability_limit
from jax_port.export.checks.tensors import CONVERTED, as_float32
from jax_port.export.layers import from_sb3, to_flax, to_sb3, to_torch, unshared
from jax_port.export.sb3_archive import (
    MEND,
    Archive,
    Normalizer,
    last_seen_raw,
    read_archive,
    read_normalizer,
)
from jax_port.export.sb3_description import network_of, original_policy
from jax_port.export.sb3_rates import scheduled
from jax_port.ppo.networks import masked_log_probs
from jax_port.ppo.policy import Policy, make_network
from jax_port.ppo.running_statistics import CLIP, EPSILON
from jax_port.ppo.settings import RATES, TrainSettings
from jax_port.runs.gate import UNGATED
from markets import EnvConfig, InputError

MODEL, NORMALIZER = "maskable_ppo.zip", "vecnormalize.pkl"
ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
PROBES = 4096
"""Observations on which an imported network is held against the original."""
NOTE = "rltrader"
"""Attribute in which both files carry what they were made from."""


class Spaces(gymnasium.Env[NDArray[np.float32], np.int64]):
    """What SB3 asks of an environment before it has one: its spaces."""

    def __init__(self, observations: int, actions: int) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (observations,), np.float32)
        self.action_space = spaces.Discrete(actions)


def make_sb3(
    policy: Policy, advice: Mapping[str, Any] | None = None
) -> tuple[MaskablePPO, VecNormalize]:
    """Return a MaskablePPO with a policy's weights, and its normaliser; the optimiser is fresh.

    Rates, annealing and the normaliser of rewards are the run's own. Rollouts are SB3-sized (2048
    steps, batches of 512), since the run's count on a thousand environments. Rates of single layers
    are not in a zip: see :func:`jax_port.export.sb3_rates.give_layer_rates`.

    Args:
        policy: without its prior, which a MaskablePPO does not hold.
        advice: how it was trained with advice, as the manifest says it; both files note it.

    Raises:
        InputError: the network is the user's own.
    """
    if policy.own is not None:
        raise InputError(
            f"network {policy.own.name} is the user's own and no pair of MLPs, so it cannot be "
            "exported; train the project's own network, or one of its shape"
        )
    settings = _settings_of(policy)
    rates = {name: getattr(settings, name) for name in (*RATES, "n_epochs")}
    size = policy.observation_size
    actions = phase_of(policy.config).num_actions
    normalizer = VecNormalize(
        DummyVecEnv([lambda: Spaces(size, actions)]),
        clip_obs=CLIP,
        epsilon=EPSILON,
        gamma=rates["gamma"],
        norm_obs=policy.statistics is not None,
        norm_reward=_scales_rewards(policy, settings),
    )
    model = MaskablePPO(
        "MlpPolicy",
        normalizer,
        n_steps=2048,
        batch_size=512,
        seed=settings.seed,
        policy_kwargs={
            "net_arch": {"pi": list(policy.spec.pi), "vf": list(policy.spec.vf)},
            "activation_fn": ACTIVATIONS[policy.spec.activation],
        },
        device="cpu",
        **scheduled(rates, settings.anneal),
    )
    weights = {name: torch.tensor(value) for name, value in to_sb3(to_torch(policy.params)).items()}
    model.policy.load_state_dict(weights, strict=True)
    if policy.statistics is not None:
        moments: Any = normalizer.obs_rms
        moments.mean = np.array(policy.statistics["mean"], np.float64)
        moments.var = np.array(policy.statistics["var"], np.float64)
        moments.count = float(policy.statistics["count"])
    note = {
        "normalised": policy.statistics is not None,
        "env_config": policy.config.to_dict(),
        "made": dict(policy.about),
        TRAINED_WITH: advice,
        "policy_sha256": policy_digest(policy),
    }
    note = _each_text_once(note)
    setattr(model, NOTE, note)
    setattr(normalizer, NOTE, note)
    return model, normalizer


def _each_text_once(value: Any) -> Any:
    """Return plain values in which equal texts are one object, and no two containers are.

    A pickle refers back to what it has already held, by identity and not by value, so that equal notes
    of other objects would make other files; ``export verify`` compares them byte by byte.
    """
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, Mapping):
        return {_each_text_once(key): _each_text_once(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each_text_once(one) for one in value]
    return value


def _settings_of(policy: Policy) -> TrainSettings:
    """Return what a policy says it was trained with, as far as SB3's trainer has it too."""
    settings = policy.about.get("settings") or {}
    if not isinstance(settings, Mapping):
        raise InputError("the policy's settings are not names and values; train it anew")
    names = (*RATES, "n_epochs", "seed", "anneal", "norm_reward")
    try:
        return TrainSettings().override(**{name: settings[name] for name in names if name in settings})
    except InputError as error:
        raise InputError(f"the policy's settings cannot be used: {error}; train it anew") from None


def _scales_rewards(policy: Policy, settings: TrainSettings) -> bool:
    """Return whether rewards were normalised: as its run says, else as the imported file did."""
    imported = policy.about.get("imported")
    if policy.about.get("settings") or not isinstance(imported, Mapping):
        return settings.norm_reward
    return bool(imported.get("norm_reward", settings.norm_reward))


def save_sb3(policy: Policy, folder: Path, advice: Mapping[str, Any] | None = None) -> None:
    """Write :data:`MODEL` and :data:`NORMALIZER` into a folder; arguments as :func:`make_sb3`'s."""
    model, normalizer = make_sb3(policy, advice)
    write_from_memory(folder / MODEL, model.save)
    normalizer.save(str(folder / NORMALIZER))


def load_sb3(
    model: Path,
    normalizer: Path | None,
    config: EnvConfig | None = None,
    raw: bool = False,
    advised: bool = False,
) -> Policy:
    """Read a MaskablePPO and its normaliser as a policy; nothing of them is run.

    Args:
        model: SB3's zip.
        normalizer: SB3's pickle of a VecNormalize; by default :data:`NORMALIZER` beside the model.
        config: rules of the environment; by default what :func:`save_sb3` noted in the zip.
        raw: the model was trained without a VecNormalize, and what lies beside it is not its own.
        advised: read one that was trained with advice as a prior as its network decides alone.

    Raises:
        InputError: a file can't be read, the network is not two plain MLPs, the normaliser's formula
            is another or not the model's, there is none and the model does not show that it was trained
            without, the rules are not known, or it was trained with advice as a prior.
    """
    archive = read_archive(model)
    plain = replace(archive, state=unshared(archive.state))
    stored = archive.data.get(NOTE)
    note: Mapping[str, Any] = stored if isinstance(stored, Mapping) else {}
    if not advised:
        require_no_prior(note.get(TRAINED_WITH), model)
    spec = network_of(plain)
    if config is None:
        if not note:
            raise InputError(
                f"{model}: does not say which environment it is for; say so with --phase, and --set "
                "for what differs from its defaults"
            )
        try:
            config = EnvConfig.from_dict(note["env_config"])
        except (KeyError, TypeError, InputError) as error:
            raise InputError(
                f"{model}: its note of the environment is damaged ({reason_of(error)}); say with "
                "--phase which it is for"
            ) from None
    weights, converted = as_float32(from_sb3(plain.state, spec), model, MEND)
    normalizer_read = _normalizer_of(archive, note, normalizer, raw)
    policy = Policy(spec, to_flax(weights, spec), normalizer_read.statistics, config)
    check_policy(policy, model)
    require_same_decisions(policy, archive)
    return replace(policy, about=_about(policy, note, model, normalizer_read, converted))


def _normalizer_of(
    archive: Archive, note: Mapping[str, Any], path: Path | None, raw: bool
) -> Normalizer:
    """Return how a model's observations were normalised, held against the last ones that it saw."""
    beside = archive.path.with_name(NORMALIZER)
    if path is not None and not path.is_file():
        raise InputError(f"{path}: no such file; name what VecNormalize.save wrote with --vecnormalize")
    if path is None and beside.is_file() and not raw:
        path = beside
    normalizer = Normalizer(None, False) if path is None else read_normalizer(path)
    seen_raw = last_seen_raw(archive)
    if path is None and seen_raw is None and not raw and note.get("normalised") is not False:
        raise InputError(
            f"{archive.path}: no {NORMALIZER} beside it, and the model does not show whether it was "
            "trained behind a VecNormalize; name what its save wrote with --vecnormalize, or say "
            "--raw-observations if there was none"
        )
    if seen_raw is None or seen_raw == (normalizer.statistics is None):
        return normalizer
    if seen_raw:
        raise InputError(
            f"{path}: the last observations that {archive.path.name} saw in training lie beyond "
            f"{CLIP:g}, where this VecNormalize clips, so it is not its own; give the model's own, or "
            "say --raw-observations if it was trained without one"
        )
    raise InputError(
        f"{archive.path}: the last observations that it saw in training all lie within {CLIP:g}, as "
        "those behind a VecNormalize with norm_obs=True do and raw prices and volumes never; name what "
        "its save wrote with --vecnormalize"
    )


def policy_digest(policy: Policy) -> str:
    """Return the SHA-256 of all that a policy decides by, in hex: weights, statistics, shape, rules."""
    described = [asdict(policy.spec), policy.config.to_dict()]
    h = hashlib.sha256(json_digest(described).encode())
    for name, value in sorted({**to_torch(policy.params), **(policy.statistics or {})}.items()):
        h.update(name.encode() + np.ascontiguousarray(value).tobytes())
    return h.hexdigest()


def _about(
    policy: Policy, note: Mapping[str, Any], path: Path, normalizer: Normalizer, converted: str
) -> dict[str, Any]:
    """Return provenance: the run's own where nothing was changed since, else that it was imported."""
    imported = {
        "from": path.name,
        "sha256": file_digest(path),
        "norm_reward": normalizer.norm_reward,
        **({CONVERTED: converted} if converted else {}),
    }
    stored = note.get("made")
    made = dict(stored) if isinstance(stored, Mapping) else {}
    if note.get("policy_sha256") == policy_digest(policy):
        return {**made, "imported": imported}
    about: dict[str, Any] = {"imported": imported, "certificate": UNGATED}
    return {**about, "ancestor": made} if made else about


def require_same_decisions(policy: Policy, archive: Archive) -> None:
    """Run the library's network and the imported one on the same observations and hold them together.

    Probabilities may differ by what rounding in float32 explains of logits of their size
    (:func:`jax_port.export.checks.rounding.probability_limit`); values by 1e-5 of the largest.

    Raises:
        InputError: probabilities or values differ by more.
    """
    generator = np.random.default_rng(0)
    size, actions = policy.observation_size, policy.params["params"]["action_head"]["bias"].size
    obs = generator.normal(0.0, 1.0, (PROBES, size)).astype(np.float32)
    obs[::4] *= 8.0
    if policy.statistics is not None:
        obs = np.clip(obs, -CLIP, CLIP)
    masks = generator.random((PROBES, actions)) < 0.7
    masks[:, 0] = True
    original: Any = original_policy(archive, policy.spec)
    with torch.no_grad():
        tensors = torch.from_numpy(obs)
        distribution = original.get_distribution(tensors, action_masks=masks)
        theirs = {
            "probabilities": distribution.distribution.probs.numpy(),
            "values": original.predict_values(tensors).numpy()[:, 0],
        }
    logits, values = forward(policy, obs)
    ours = {
        "probabilities": np.exp(np.asarray(masked_log_probs(logits, jnp.asarray(masks)))),
        "values": np.asarray(values),
    }
    rounding = layer_rounding(policy, obs, "float32")
    # A value near zero may be what is left of large terms, so the largest one sets the measure.
    values_scale = 1e-5 * max(1.0, float(np.abs(theirs["values"]).max()))
    limits = {
        "probabilities": probability_limit(
            theirs["probabilities"], np.asarray(logits), rounding["action_head"]
        ),
        "values": values_scale + 1e-4 * np.abs(theirs["values"]),
    }
    for name, expected in theirs.items():
        apart = np.abs(ours[name] - expected)
        if not (apart <= limits[name]).all():  # NaN is beyond every limit
            worst = float(apart.max())
            raise InputError(
                f"{archive.path}: after the import {name} differ by {worst:.2g} from those of the "
                f"network "
                f"in the zip, on {PROBES:,} observations; this model is not understood, so it was not "
                "imported"
            )


def forward(policy: Policy, obs: NDArray[np.float32]) -> tuple[jax.Array, jax.Array]:
    """Return logits (B, A) and values (B,) of a policy's network on what it sees, (B, D)."""
    network = make_network(policy.spec, num_actions=phase_of(policy.config).num_actions)
    with jax.default_matmul_precision("highest"):
        logits: Any = network.apply(policy.params, obs, part="policy")
        values: Any = network.apply(policy.params, obs, part="value")
    return logits, values
