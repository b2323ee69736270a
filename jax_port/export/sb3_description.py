"""What an SB3 model's description says of its network, understood to the last attribute or refused.

Two networks can have the same weights and decide differently: by another activation, a feature
extractor
without weights, a policy class of one's own. So classes are compared by their whole path, and anything
that is not known here is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from jax_port.export.checks.pickles import path_of
from jax_port.export.layers import MLPS, SHARED, sb3_spec
from jax_port.export.sb3_archive import Archive
from jax_port.ppo.settings import NetworkSpec
from markets import InputError

POLICY_CLASS = "sb3_contrib.common.maskable.policies.MaskableActorCriticPolicy"
OTHER_ALGORITHMS = {
    "stable_baselines3.common.policies.ActorCriticPolicy": (
        "PPO, A2C or TRPO, which knows no action masks"
    ),
    "stable_baselines3.common.policies.MultiInputActorCriticPolicy": "PPO or A2C on several inputs",
    "stable_baselines3.common.policies.ActorCriticCnnPolicy": "PPO or A2C on images",
    "stable_baselines3.dqn.policies.DQNPolicy": "DQN",
    "stable_baselines3.sac.policies.SACPolicy": "SAC",
    "stable_baselines3.td3.policies.TD3Policy": "TD3",
    "sb3_contrib.qrdqn.policies.QRDQNPolicy": "QR-DQN",
    "sb3_contrib.common.recurrent.policies.RecurrentActorCriticPolicy": "RecurrentPPO",
    "sb3_contrib.common.maskable.policies.MaskableActorCriticCnnPolicy": "MaskablePPO on images",
    "sb3_contrib.common.maskable.policies.MaskableMultiInputActorCriticPolicy": (
        "MaskablePPO on several inputs"
    ),
}
"""Policy classes of other algorithms, and what to call them."""
ACTIVATIONS = {
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.Tanh": "tanh",
}
DEFAULT_ACTIVATION = "torch.nn.modules.activation.Tanh"
"""SB3's own, where a model names none; shapes do not tell it."""
EXTRACTOR = "stable_baselines3.common.torch_layers.FlattenExtractor"
"""The feature extractor that leaves a vector as it is, and SB3's own where a model names none."""
OWN_CLASS = "a class of one's own"
"""What has no path: a pickle holds it by value, as one of a script, or as a call that makes it."""
WITHOUT_EFFECT = frozenset(
    (
        *("net_arch", "activation_fn", "features_extractor_class", "features_extractor_kwargs"),
        *("ortho_init", "optimizer_class", "optimizer_kwargs", "log_std_init", "use_sde"),
        *("share_features_extractor", "normalize_images", "squash_output", "full_std", "use_expln"),
    )
)
"""Arguments of the policy that are read here, or that change nothing in how a trained one decides."""


def network_of(archive: Archive) -> NetworkSpec:
    """Return the network that a model's description and weights stand for.

    Raises:
        InputError: it is of another algorithm, of a class of one's own, or has a part that is not
        known.
    """
    _require_policy_class(archive)
    _require_spaces(archive)
    kwargs = _policy_kwargs(archive)
    unknown = sorted(set(kwargs) - WITHOUT_EFFECT)
    if unknown:
        raise InputError(
            f"{archive.path}: its policy was made with {', '.join(unknown)}, which is not known here; "
            "train a MaskablePPO with MlpPolicy, net_arch and activation_fn alone"
        )
    _require_plain_features(archive, kwargs)
    activation = kwargs.get("activation_fn")
    path = DEFAULT_ACTIVATION if activation is None else path_of(activation)
    if path not in ACTIVATIONS:
        raise InputError(
            f"{archive.path}: its activation {path or OWN_CLASS:.80} is not one of "
            f"{', '.join(name.rsplit('.', 1)[1] for name in ACTIVATIONS)}; train with one of these"
        )
    for mlp, whose in (("policy", "policy"), ("value", "value network")):
        if f"mlp_extractor.{mlp}_net.0.weight" not in archive.state:
            raise InputError(
                f"{archive.path}: its {whose} has no hidden layer, and a policy here has at least one "
                "in both of its MLPs; train with a net_arch such as dict(pi=[64, 64], vf=[64, 64])"
            )
    return sb3_spec(archive.state, ACTIVATIONS[path])


def _require_plain_features(archive: Archive, kwargs: Mapping[str, Any]) -> None:
    """Refuse a feature extractor that may change a vector, of which a class in a script has no path."""
    extractor, arguments = (kwargs.get(f"features_extractor_{name}") for name in ("class", "kwargs"))
    path = EXTRACTOR if extractor is None else path_of(extractor)
    if path == EXTRACTOR and not arguments:
        return
    made_with = " with arguments" if arguments else ""
    raise InputError(
        f"{archive.path}: its features pass through {path or OWN_CLASS:.80}{made_with}, "
        "which may change them; train with MlpPolicy's own feature extractor"
    )


def _require_policy_class(archive: Archive) -> None:
    stored = archive.stored("policy_class")
    path = path_of(stored)
    if path == POLICY_CLASS:
        return
    if path in OTHER_ALGORITHMS:
        raise InputError(
            f"{archive.path}: this is a model of {OTHER_ALGORITHMS[path]}, and policies here come from "
            "sb3-contrib's MaskablePPO with MlpPolicy; train one, or give its zip"
        )
    raise InputError(
        f"{archive.path}: its policy class is {path or 'one of its own'}, not {POLICY_CLASS}; what "
        f"such a "
        "class decides is not known here, so train with MlpPolicy"
    )


def _require_spaces(archive: Archive) -> None:
    """Refuse actions that are no choice of one among N, and observations that are no row of numbers."""
    for name, kind, mend in (
        ("action_space", "discrete.Discrete", "a choice of one action among N"),
        ("observation_space", "box.Box", "a row of numbers"),
    ):
        stored = archive.data.get(name)
        kind_said = stored.get(":type:") if isinstance(stored, Mapping) else None
        if str(kind_said) not in {
            f"<class '{library}.spaces.{kind}'>" for library in ("gymnasium", "gym")
        }:
            raise InputError(
                f"{archive.path}: its {name} is {_class_name(kind_said)}, and a policy here has "
                f"{mend}; train with a {kind.split('.')[1]} space"
            )


def _class_name(said: Any) -> str:
    """Return the last name of what an archive says as ``<class 'a.b.C'>``."""
    return str(said or "not said").removesuffix("'>").rpartition(".")[2][:80]


def _policy_kwargs(archive: Archive) -> Mapping[str, Any]:
    kwargs = archive.stored("policy_kwargs")
    if kwargs is None:
        return {}
    if not isinstance(kwargs, dict):
        raise InputError(f"{archive.path}: its policy_kwargs are no dictionary; save the model again")
    return {str(name): value for name, value in kwargs.items()}


def original_policy(archive: Archive, spec: NetworkSpec) -> torch.nn.Module:
    """Return the library's own policy with the zip's tensors: what the imported one is held against.

    The class is sb3-contrib's and not the file's: :func:`network_of` has shown that they are the same.

    Raises:
        InputError: the tensors do not fit it.
    """
    import numpy as np
    from gymnasium import spaces
    from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy

    shared = f"{SHARED}0.weight" in archive.state
    first = f"{SHARED}0.weight" if shared else "mlp_extractor.policy_net.0.weight"
    size = int(archive.state[first].shape[1])
    actions = int(archive.state["action_net.weight"].shape[0])
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[spec.activation]
    policy = MaskableActorCriticPolicy(
        spaces.Box(-np.inf, np.inf, (size,), np.float32),
        spaces.Discrete(actions),
        lambda _: 0.0,
        net_arch={"pi": list(spec.pi), "vf": list(spec.vf)},
        activation_fn=activation,
    )
    if shared:
        policy.add_module("mlp_extractor", SharedExtractor(archive.state, activation))
    try:
        policy.load_state_dict(dict(archive.state), strict=True)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{archive.path}: its weights do not fit an MlpPolicy ({reason}); give a model of "
            "MaskablePPO with MlpPolicy"
        ) from None
    policy.set_training_mode(False)
    return policy


class SharedExtractor(nn.Module):
    """What SB3 1.x had in the place of its ``mlp_extractor``, with the same names of weights.

    Args:
        state: the zip's tensors, which give the sizes.
        activation: class of the activation.
    """

    def __init__(self, state: Mapping[str, torch.Tensor], activation: type[nn.Module]) -> None:
        super().__init__()
        for part in ("shared", *MLPS):
            layers: list[nn.Module] = []
            while (weight := state.get(f"mlp_extractor.{part}_net.{len(layers)}.weight")) is not None:
                layers += [nn.Linear(int(weight.shape[1]), int(weight.shape[0])), activation()]
            setattr(self, f"{part}_net", nn.Sequential(*layers))

    def forward_actor(self, features: torch.Tensor) -> torch.Tensor:
        """Return what the policy's head sees of features (B, D)."""
        return self._through("policy_net", features)

    def forward_critic(self, features: torch.Tensor) -> torch.Tensor:
        """Return what the value's head sees of features (B, D)."""
        return self._through("value_net", features)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both."""
        return self.forward_actor(features), self.forward_critic(features)

    def _through(self, part: str, features: torch.Tensor) -> torch.Tensor:
        for module in (
            *self.get_submodule("shared_net").children(),
            *self.get_submodule(part).children(),
        ):
            features = module(features)
        return features
