"""Exported files as a user loads them: each as a function from observations to stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from foundation.extras import how_to_install
from jax_port.export import torch_policy
from jax_port.export.bundle import STATE
from jax_port.export.checks.tensors import read_tensors
from jax_port.export.layers import layer_names, sb3_layer
from jax_port.export.programs import ONNX, PROGRAM
from jax_port.export.sb3 import MODEL, NORMALIZER
from jax_port.ppo.policy import Policy
from markets import InputError

Obs = NDArray[np.float32]
Masks = NDArray[np.bool_]
Stages = dict[str, NDArray[Any]]
Side = Callable[[Obs, Masks], Stages]


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """Say which file of a bundle does not load; each library raises errors of its own for that."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: does not load ({type(error).__name__}: {words}); export the policy anew"
        ) from None


def _module(folder: Path) -> torch_policy.TradingPolicy:
    read_tensors(folder / STATE, "export the policy anew")  # the module's own loader checks nothing
    with _opening(folder / STATE):
        return torch_policy.load(folder)


def pytorch(folder: Path, dtype: torch.dtype) -> Side:
    """Return ``policy.pt`` in the module of a bundle, in a type of weights."""
    module = _module(folder).to(dtype)

    def run(obs: Obs, masks: Masks) -> Stages:
        with torch.no_grad():
            stages = module.stages(torch.from_numpy(obs), torch.from_numpy(masks))
        return {name: value.numpy() for name, value in stages.items()}

    return run


def scaled_pytorch(folder: Path, factor: float) -> Side:
    """Return ``policy.pt`` in float32 with its action head multiplied, for logits far apart."""
    module = _module(folder)
    with torch.no_grad():
        for weight in module.action_head.parameters():
            weight.mul_(factor)

    def run(obs: Obs, masks: Masks) -> Stages:
        with torch.no_grad():
            action, logits = module(torch.from_numpy(obs), torch.from_numpy(masks))
        return {"action_head": logits.numpy(), "action": action.numpy()}

    return run


def program(folder: Path) -> Side:
    """Return ``policy.pt2``; it tells logits and action."""
    with _opening(folder / PROGRAM):
        run = torch.export.load(folder / PROGRAM).module()

    def decide(obs: Obs, masks: Masks) -> Stages:
        with torch.no_grad():
            action, logits = run(torch.from_numpy(obs), torch.from_numpy(masks))
        return {"action_head": logits.numpy(), "action": action.numpy()}

    return decide


def onnx_session(folder: Path) -> Any:
    """Return an ONNX Runtime session of ``policy.onnx`` on one thread.

    Raises:
        InputError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(how_to_install("onnxruntime") or str(error)) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with _opening(folder / ONNX):
        return onnxruntime.InferenceSession(
            str(folder / ONNX), options, providers=["CPUExecutionProvider"]
        )


def onnx(folder: Path) -> Side:
    """Return ``policy.onnx``; it tells logits and action."""
    session = onnx_session(folder)

    def decide(obs: Obs, masks: Masks) -> Stages:
        action, logits = session.run(["actions", "logits"], {"obs": obs, "masks": masks})
        return {"action_head": logits, "action": action}

    return decide


def load_sb3(
    folder: Path, make_env: Callable[[], Any] | None = None
) -> tuple[MaskablePPO, VecNormalize]:
    """Return what SB3 makes of a bundle's two files; the normaliser no longer learns.

    Args:
        folder: the bundle.
        make_env: makes the environment that SB3 insists on; by default one of the model's own spaces.
    """
    with _opening(folder / MODEL):
        model = MaskablePPO.load(folder / MODEL, device="cpu")
    if make_env is None:
        from jax_port.export.sb3 import Spaces

        spaces: Any = model.observation_space, model.action_space
        size, actions = spaces[0].shape[0], int(spaces[1].n)

        def make_env() -> Any:
            return Spaces(size, actions)

    with _opening(folder / NORMALIZER):
        normalizer = VecNormalize.load(str(folder / NORMALIZER), DummyVecEnv([make_env]))
    normalizer.training = False
    normalizer.norm_reward = False
    return model, normalizer


def sb3(folder: Path, policy: Policy, dtype: torch.dtype) -> Side:
    """Return ``maskable_ppo.zip`` behind ``vecnormalize.pkl``, its layers under our names."""
    model, normalizer = load_sb3(folder)
    net = model.policy.to(dtype)
    net.set_training_mode(False)
    modules = dict(net.named_modules())
    layer_outputs: Stages = {}

    def remember(name: str) -> Callable[..., None]:
        def hook(module: Any, given: Any, made: torch.Tensor) -> None:
            layer_outputs[name] = made.detach().numpy()

        return hook

    for name in layer_names(policy.spec):
        modules[sb3_layer(name)].register_forward_hook(remember(name))

    def run(obs: Obs, masks: Masks) -> Stages:
        wide = dtype == torch.float64
        clipped: Any = normalizer.normalize_obs(obs.astype(np.float64) if wide else obs)
        if wide and normalizer.norm_obs:
            # SB3 casts to float32; its formula again, in the statistics' own precision.
            moments: Any = normalizer.obs_rms
            clipped = np.clip(
                (obs.astype(np.float64) - moments.mean) / np.sqrt(moments.var + normalizer.epsilon),
                -normalizer.clip_obs,
                normalizer.clip_obs,
            )
        with torch.no_grad():
            # The policy's own forward would cast what comes in to float32.
            for_actions, for_values = net.mlp_extractor(torch.from_numpy(clipped).to(dtype))
            net.value_net(for_values)
            choice = net._get_action_dist_from_latent(for_actions)
            choice.apply_masking(masks)
            action = choice.get_actions(deterministic=True)
        return {"clipped": clipped, **layer_outputs, "action": action.numpy()}

    return run
