"""Train a policy of each phase, export both and verify both: ``python -m parity.chain.run``.

The training is short and ungated: it is the way out that is proved here, not what was learnt. Phase 2
begins with Phase 1's weights, as it would in earnest.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from markets.errors import run_command

OUT = Path("reports/export")
SYNTHETIC_DAYS = 30


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="One-minute bars; synthetic by default.")
@click.option("--symbol", default="ES", show_default=True)
@click.option("--tz", "timezone", help="Zone of timestamps that carry none.")
@click.option("--steps", default=200_000, show_default=True, help="Of training, for each phase.")
@click.option("--observations", default=100_000, show_default=True, help="Compared in each phase.")
@click.option("--episodes", default=20, show_default=True, help="Replayed in each phase.")
@click.option("--need-csharp", is_flag=True, help="Fail where Mono is missing.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def main(
    data: Path | None, symbol: str, timezone: str | None, steps: int, out: Path, **options: Any
) -> None:
    """Train, export and verify a policy of each phase; exit code 1 where a hop differs."""
    from jax_port.export.bundle import export
    from jax_port.train_cli import train
    from parity.chain.cli import verify

    given = ["--data", str(data)] if data else ["--synthetic", str(SYNTHETIC_DAYS)]
    zone = ["--tz", timezone] if timezone else []
    for phase in (1, 2):
        run, bundle = out / f"run{phase}", out / f"phase{phase}"
        for folder in (run, bundle):
            shutil.rmtree(folder, ignore_errors=True)
        begin = ["--from-policy", str(out / "run1")] if phase == 2 else []
        what = ["--phase", str(phase), "--steps", str(steps), "--envs", "256", "--ungated", *begin]
        asked = [*given, *zone, "--symbol", symbol, *what, "--out", str(run)]
        train.main(asked, standalone_mode=False)
        export(run / "policy-0.safetensors", bundle)
        bars = ["--data", str(data), *zone] if data else []
        need = ["--need-csharp"] if options["need_csharp"] else []
        counts = [f"--{name}={options[name]}" for name in ("observations", "episodes")]
        verify.main(
            [str(bundle), *bars, *need, *counts, "--out", str(out / f"report{phase}")],
            standalone_mode=False,
        )


if __name__ == "__main__":
    run_command(main)
