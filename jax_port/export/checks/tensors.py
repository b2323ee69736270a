"""Read a file of PyTorch tensors as arrays that can be trusted, or refuse it; nothing in it is run.

A file of tensors that comes from elsewhere passes here: a bundle's ``policy.pt`` and the weights in
a zip of SB3. What is accepted is a mapping of names to dense, finite numbers that the file does hold.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foundation.errors import reason_of
from foundation.report.format import byte_size
from markets import InputError

MOST_BYTES = 256 << 20
"""Bytes of a file of tensors; the plan's networks take 2 MB."""
MOST_TENSORS = 1000
"""Tensors in one file; a policy has some ten."""
FLOATS = (torch.float32, torch.float64, torch.float16)
"""Types of numbers that are taken; weights of the last two are converted to float32, which is said."""
CONVERTED = "converted_to_float32"
"""Where the provenance of an imported policy says which other types its weights had."""


def read_tensors(path: Path, mend: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a file that ``torch.save`` wrote, by name; see :func:`decode_tensors`.

    Raises:
        InputError: there is no such file, it cannot be read, or :func:`decode_tensors` refuses it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); {mend}") from None
    return decode_tensors(data, path, mend)


def decode_tensors(data: bytes, where: object, mend: str) -> dict[str, torch.Tensor]:
    """Return a mapping of tensors: each on the CPU, dense, float32, float64 or float16, and finite.

    Args:
        data: what ``torch.save`` wrote of a mapping, such as a ``state_dict()``.
        where: what messages call it.
        mend: what to do about a refused one.

    Returns:
        Copies that lie row by row, in the file's own types. Together they take no more bytes than the
        file.

    Raises:
        InputError: it is too large, packed, no mapping of names to tensors, would call something, or a
            tensor is sparse, quantised, of another type, repeats numbers or holds what is no number.
    """
    if len(data) > MOST_BYTES:
        raise InputError(
            f"{where}: more than the {byte_size(MOST_BYTES)} that a policy may take; {mend}"
        )
    _require_plain_zip(data, where, mend)
    try:
        state = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except Exception:  # damage can raise anything in torch's own reader; nothing of it ran
        raise InputError(
            f"{where}: not a file of tensors (it holds more than tensors, or is damaged); {mend}"
        ) from None
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise InputError(f"{where}: holds no mapping of names to tensors; {mend}")
    if len(state) > MOST_TENSORS:
        raise InputError(f"{where}: holds {len(state):,} entries, more than a policy has; {mend}")
    made, size = {}, 0
    for name, value in state.items():
        place = f"{where}: {name[:80]}"
        _require_dense(value, place, mend)
        size += value.numel() * value.element_size()
        if value.numel() * value.element_size() > value.untyped_storage().nbytes() or size > len(data):
            raise InputError(f"{place} claims more numbers than the file holds; {mend}")
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{place} holds what is no number; {mend}")
        made[name] = value.detach().resolve_neg().clone(memory_format=torch.contiguous_format)
    return made


def as_float32(
    tensors: Mapping[str, torch.Tensor], where: object, mend: str
) -> tuple[dict[str, NDArray[np.float32]], str]:
    """Return tensors as float32 arrays, and in words which other types were converted; "" for none.

    Raises:
        InputError: a number is too large for float32.
    """
    made, others = {}, set()
    for name, value in tensors.items():
        if value.dtype != torch.float32:
            others.add(str(value.dtype).removeprefix("torch."))
        made[name] = value.to(torch.float32).numpy()
        if not np.isfinite(made[name]).all():
            raise InputError(f"{where}: {name} holds numbers too large for float32; {mend}")
    return made, " and ".join(sorted(others))


def _require_plain_zip(data: bytes, where: object, mend: str) -> None:
    """Refuse what is no zip, and a zip whose parts are packed: torch writes plain, a bomb packs."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            size = sum(item.file_size for item in inner.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{where}: not a file of tensors ({reason_of(error)}); {mend}") from None
    if size > len(data):
        raise InputError(f"{where}: its weights are packed, as torch never writes them; {mend}")


def _require_dense(value: Any, place: str, mend: str) -> None:
    """Refuse what is no dense tensor of floating-point numbers in this machine's memory."""
    if not isinstance(value, torch.Tensor):
        raise InputError(f"{place} is no tensor but {type(value).__name__:.40}; {mend}")
    if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
        raise InputError(f"{place} is no plain tensor, but sparse, quantised or without data; {mend}")
    if value.dtype not in FLOATS:
        known = ", ".join(str(kind).removeprefix("torch.") for kind in FLOATS)
        kind = str(value.dtype).removeprefix("torch.")
        raise InputError(f"{place} holds {kind}, and weights are {known}; {mend}")
