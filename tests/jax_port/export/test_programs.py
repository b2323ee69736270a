"""A bundle's programs take any number of rows and give each what it is given alone."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from jax_port.export.bundle import make_module
from jax_port.export.manifest import read_manifest
from jax_port.export.programs import PROGRAM, _quiet, save_program
from jax_port.export.torch_policy import TradingPolicy
from tests.jax_port.export.made_bundle import bundle, made_policy


@pytest.mark.parametrize("phase", [1, 2])
def test_rows_are_independent_and_as_many_as_one_likes(phase: int) -> None:
    policy = made_policy(phase)
    module = make_module(policy, read_manifest(bundle(phase)))
    exported = torch.export.load(bundle(phase) / PROGRAM)
    (rows_at_once,) = exported.range_constraints.values()
    assert rows_at_once.lower == 1
    program = exported.module()
    rng = np.random.default_rng(0)
    count, size = 5_000, policy.observation_size
    assert policy.statistics is not None
    spread = np.sqrt(policy.statistics["var"])
    obs = (policy.statistics["mean"] + rng.normal(size=(count, size)) * spread).astype(np.float32)
    masks = rng.random((count, module.action_head.out_features)) < 0.6
    masks[:, 0] = True
    given = torch.from_numpy(obs), torch.from_numpy(masks)
    with torch.no_grad():
        actions, logits = program(*given)
        expected, exact = module(*given)
        assert actions.tolist() == expected.tolist()
        torch.testing.assert_close(logits, exact, rtol=1e-5, atol=1e-5)
        for rows in (slice(0, 1), slice(7, 9), slice(0, 257), slice(count - 1, count)):
            some, theirs = program(*(each[rows] for each in given))
            assert some.tolist() == actions[rows].tolist()
            torch.testing.assert_close(theirs, logits[rows], rtol=1e-5, atol=1e-5)


def test_a_program_takes_more_than_a_million_rows(tmp_path: Path) -> None:
    save_program(TradingPolicy(2, 3, [2], [2], "tanh"), tmp_path / PROGRAM)
    count = (1 << 20) + 1
    given = torch.zeros(count, 2), torch.ones(count, 3, dtype=torch.bool)
    with torch.no_grad():
        actions, _ = torch.export.load(tmp_path / PROGRAM).module()(*given)
    assert actions.shape == (count,)


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG, logging.CRITICAL])
def test_a_log_that_is_held_back_speaks_again_as_loud_as_before(level: int) -> None:
    log = logging.getLogger("torch.onnx")
    before = log.level
    try:
        log.setLevel(level)
        with _quiet():
            assert log.level == logging.ERROR
        assert log.level == level
    finally:
        log.setLevel(before)
