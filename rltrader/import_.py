"""``rltrader import``: what PyTorch and SB3 users hold, as a policy file."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.errors import InputError
from rltrader.consoles import say
from rltrader.options.environment import environment


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Policy file to write.")
@click.option(
    "--vecnormalize",
    type=click.Path(path_type=Path),
    help="SB3's normaliser; beside SOURCE by default.",
)
@click.option(
    "--raw-observations",
    is_flag=True,
    help="SOURCE was trained without a VecNormalize, where it does not show that itself.",
)
@click.option("--phase", type=click.Choice(["1", "2"]), help="Of a model that does not say so itself.")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Environment setting.")
def import_(
    source: Path,
    to: Path,
    vecnormalize: Path | None,
    raw_observations: bool,
    phase: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Read SOURCE, of PyTorch or SB3, as a policy file.

    SOURCE is a MaskablePPO zip, a bundle's policy.pt, a bundle, a folder with one zip, or a run of the
    reference's trainer. A model that was trained without a VecNormalize, or with norm_obs=False, comes
    in as a policy that sees raw observations. Nothing that a file holds is run. Exit code 2 means bad
    input.
    """
    from jax_port.export.checks.tensors import CONVERTED
    from jax_port.export.importing import read_policy
    from jax_port.ppo.policy import save_policy

    if phase is None and overrides:
        raise InputError("--set changes the rules of a phase; say with --phase which")
    if to.exists():
        raise InputError(f"{to}: there is something here already; choose another --to")
    if raw_observations and vecnormalize is not None:
        raise InputError(
            "--raw-observations says that there is no VecNormalize; leave out --vecnormalize"
        )
    config = None if phase is None else environment(phase, overrides)
    policy = read_policy(source, vecnormalize, config, raw_observations)
    save_policy(to, policy)
    sees = "raw observations" if policy.statistics is None else "normalised observations"
    converted = policy.about["imported"].get(CONVERTED, "")
    note = f", weights converted from {converted} to float32" if converted else ""
    say(
        f"phase {policy.config.phase}, {policy.spec.activation}, pi {policy.spec.pi}, sees {sees}{note}"
        f"; saved as {to}"
    )
