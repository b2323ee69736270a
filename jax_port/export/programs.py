"""A policy as programs: a ``.pt2`` for PyTorch and an ``.onnx`` for everyone else.

Both take raw observations float32 (N, D) and masks bool (N, A), for any N, and give actions int64 (N,)
and logits float32 (N, A). Normalising, clipping, masking and choosing are inside.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from foundation.extras import how_to_install
from foundation.files import write_from_memory
from jax_port.export.torch_policy import TradingPolicy
from markets import InputError

PROGRAM, ONNX = "policy.pt2", "policy.onnx"
TRACE = "stack_trace"
"""What the exporter notes of an operator: the file and line that it came from, with its folder."""


def _example(module: TradingPolicy) -> tuple[torch.Tensor, torch.Tensor]:
    actions = module.action_head.out_features
    return torch.zeros(4, module.observations), torch.ones(4, actions, dtype=torch.bool)


def _free_batch() -> dict[str, dict[int, torch.export.Dim]]:
    # Left fixed, a program would refuse every other number of rows.
    batch = torch.export.Dim("batch", min=1)
    return {"obs": {0: batch}, "masks": {0: batch}}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what torch's exporter tells its own developers."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def save_program(module: TradingPolicy, path: Path) -> None:
    """Write a module as a ``.pt2``; ``torch.export.load(path).module()`` runs it.

    It says nothing of where it was made: a bundle is held to the same file made elsewhere.
    """
    with _quiet():
        program = torch.export.export(module, _example(module), dynamic_shapes=_free_batch())
        for node in program.graph.nodes:
            node.meta.pop(TRACE, None)
        write_from_memory(path, lambda stream: torch.export.save(program, stream))


def save_onnx(module: TradingPolicy, path: Path) -> None:
    """Write a module as one ONNX file that holds its weights, and says nothing of where it was made.

    Raises:
        InputError: ONNX's packages are not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(how_to_install(error.name or "") or str(error)) from None
    with _quiet():
        made = torch.onnx.export(
            module,
            _example(module),
            dynamo=True,
            dynamic_shapes=_free_batch(),
            input_names=["obs", "masks"],
            output_names=["actions", "logits"],
            verbose=False,
        )
        assert made is not None  # as it is without a path
        for node in made.model.graph:
            node.metadata_props.pop(f"pkg.torch.onnx.{TRACE}", None)
        # Else weights go into a second file, and one alone does not load.
        made.save(path, external_data=False)
