"""The policy's file that a path stands for: a file itself, or the folder of a run or of a bundle."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from foundation.errors import printable
from jax_port.runs.policies import BEST, FINISHED, LAST
from markets import InputError

RUN, MANIFEST, BUNDLED = "run.json", "manifest.json", "policy.safetensors"
OF_AGENTS = "policy-*.safetensors"

LOG = logging.getLogger(__name__)
OF_FORMER_END = (
    "the run of this policy is not finished: it was gone on with since, or was broken off at its end; "
    "finish it (rltrader train --resume) for its newest policy"
)


def find_policy(path: Path, agent: int | None = None) -> Path:
    """Return a policy's file: the path itself, or the one policy of a run's or a bundle's folder.

    Policies in the folder of a run that is not finished are of an earlier end of it, after which it was
    gone on with: they are not the folder's, and where one is named by its file the log is told so.

    Args:
        path: a file or a folder.
        agent: which of a run's, from 0.

    Raises:
        InputError: the folder holds none, several of which none was chosen, a run that is not finished,
            or a model of SB3; or an agent is asked for of a file, of a bundle, or of a run without that
            agent.
    """
    gone_on = path.is_dir() and _is_gone_on_with(path)
    policies = sorted(path.glob(OF_AGENTS), key=_number) if path.is_dir() and not gone_on else []
    bundled = not policies and (path / MANIFEST).is_file()
    if agent is not None and (path.is_file() or bundled):
        raise InputError(
            f"{path}: the policy of one agent; give the run's folder with --agent {agent}, or leave "
            "--agent out"
        )
    if not path.is_dir():
        if path.match(OF_AGENTS) and path.is_file() and _is_gone_on_with(path.parent):
            LOG.warning("%s", printable(f"{path}: {OF_FORMER_END}"))
        return path
    if agent is not None and policies:
        return _of_agent(path, policies, agent)
    if len(policies) == 1:
        return policies[0]
    if policies:
        best = path / BEST
        example = best if best.is_file() else policies[0]
        raise InputError(
            f"{path}: {len(policies)} agents here, {policies[0].stem} to {policies[-1].stem}; name the "
            f"file of one, such as {example} (export takes --agent as well)"
        )
    if bundled:
        return path / BUNDLED
    if gone_on or (path / LAST).is_file():
        newest = f", or name its newest policy, {path / LAST}" if (path / LAST).is_file() else ""
        raise InputError(
            f"{path}: this run is not finished; go on with it (rltrader train --out {path} --resume)"
            f"{newest}"
        )
    if any(path.glob("*.zip")):
        raise InputError(
            f"{path}: a model of SB3; bring it in first: rltrader import {path} --to policy.safetensors"
        )
    unfinished = "this run has no policy yet" if (path / RUN).is_file() else "no policy here"
    raise InputError(
        f"{path}: {unfinished}; give the folder of a finished run or of a bundle, or a policy's file"
    )


def _is_gone_on_with(folder: Path) -> bool:
    """Whether a folder is of a run that has ended, or was ending, and is not finished now."""
    begun = (folder / RUN).is_file() and not (folder / FINISHED).exists()
    return begun and any(folder.glob(OF_AGENTS))


def _of_agent(folder: Path, policies: Sequence[Path], agent: int) -> Path:
    """Return the policy of an agent, from 0, among those of a run's folder."""
    wanted = folder / f"policy-{agent}.safetensors"
    if wanted in policies:
        return wanted
    first, last = policies[0].stem, policies[-1].stem
    there = first if len(policies) == 1 else f"{len(policies)} others, {first} to {last}"
    raise InputError(
        f"{folder}: no agent {agent} here, but {there}; give --agent a number that is there"
    )


def _number(path: Path) -> tuple[int, str]:
    number = path.stem.removeprefix("policy-")
    return (int(number) if number.isdecimal() else 1 << 31, path.name)
