"""Compile the programs of a card's report again, for the same card, where it need not be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.gpu_model.programs import block_to_dict
from benchmarks.gpu_program import hlo
from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.kernels import program_of
from benchmarks.gpu_program.subjects import Subject, environment, find_part, training_settings, update
from benchmarks.gpu_program.target import compile_for


def subject_of(about: Mapping[str, Any], days: int) -> Subject:
    """Return the program that :func:`benchmarks.gpu_model.programs.about_of` names.

    Args:
        about: its form and sizes.
        days: of the synthetic market.
    """
    if "batch_size" not in about:
        return environment(about["form"], about["phase"], about["envs"], days, about["steps"])
    settings = training_settings({name: value for name, value in about.items() if name != "form"})
    return update(settings, 1, days, about["form"])


def compiled(about: Mapping[str, Any], days: int, card: Card) -> dict[str, Any]:
    """Return a program as plain values, compiled for a card.

    Returns:
        ``about``, ``program`` and, by the names of its loops, ``parts``: kernels and bytes of a turn.

    Raises:
        InputError: the CUDA plugin is not installed.
    """
    subject = subject_of(about, days)
    made = compile_for(card, subject.function, subject.shapes(), subject.donate, subject.places)
    return described(about, subject, made.text)


def described(about: Mapping[str, Any], subject: Subject, text: str) -> dict[str, Any]:
    """Return what :func:`compiled` returns, of scheduled HLO."""
    program = program_of(hlo.parse(text))
    parts = {name: find_part(program, turns) for name, turns in subject.parts.items()}
    return {
        "about": dict(about),
        "parts": {
            name: {
                "kernels": len(block.kernels),
                "bytes": sum(kernel.bytes for kernel in block.kernels),
            }
            for name, block in parts.items()
            if block is not None
        },
        "program": block_to_dict(program),
    }
