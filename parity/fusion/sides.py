"""The four implementations of the fusion behind one signature: NumPy arrays in, NumPy arrays out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from foundation.signals import run_child
from jax_port.evaluation.advice import fusion as port
from legacy_torch import fusion as reference
from markets import InputError
from markets.advice.fusion import Fused, FusionSettings, Situation, fuse

Fuse = Callable[[Situation, FusionSettings], Fused]
SECONDS = 600


def numpy_side(given: Situation, settings: FusionSettings) -> Fused:
    """Return what the specification's reference says, in float64."""
    return fuse(given, settings)


def torch_side(given: Situation, settings: FusionSettings) -> Fused:
    """Return what PyTorch says, in float32."""
    fused = reference.fuse(Situation(*(torch.tensor(x) for x in given)), settings)
    return Fused(*(x.numpy() for x in fused))


def jax_side(given: Situation, settings: FusionSettings) -> Fused:
    """Return what JAX says, in float32."""
    return port.fuse_on_host(given, settings)


def csharp_side(program: Path, scratch: Path) -> Fuse:
    """Return the side of a compiled checker; see :func:`parity.export_chain.csharp.compile_checker`."""

    def run(given: Situation, settings: FusionSettings) -> Fused:
        words, cases, made = (scratch / name for name in ("fusion.json", "cases.bin", "fused.bin"))
        words.write_text(json.dumps(settings.to_dict()), encoding="utf-8")
        count, actions = given.logits.shape
        layout = np.dtype(
            [
                ("logits", "<f4", (actions,)),
                ("masks", "u1", (actions,)),
                ("advice", "<f4", (3,)),
                ("confidence", "<f4"),
                ("fresh", "<f4"),
                ("losses", "<i4"),
                ("left", "<f4"),
            ]
        )
        rows = np.zeros(count, layout)
        for name in Situation._fields:
            rows[name] = getattr(given, name)
        cases.write_bytes(np.array([count, actions], "<i4").tobytes() + rows.tobytes())
        command = ["mono", str(program), "fuse", str(words), str(cases), str(made)]
        done = run_child(command, timeout=SECONDS)
        if done.returncode:
            raise InputError(f"the checker failed: {(done.stderr or 'no message').splitlines()[0]}")
        table = np.fromfile(made, "<f8").reshape(count, actions + 1)
        return Fused(table[:, :actions], table[:, actions].astype(np.int64))

    return run
