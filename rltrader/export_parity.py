"""Train a policy of each phase, export both and verify both: ``python -m rltrader.export_parity``.

The training is short and ungated: it is the way out that is proved here, not what was learnt. It is
done on a market with a planted edge, unless bars are given, so that the policies soon trade. Phase 2
begins with Phase 1's weights, as it would in earnest.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from foundation.errors import run_command

OUT = Path("reports/export")
PATTERN_DAYS = 30
LEARNING_RATE = "0.001"
"""Three times the default, so that a short training moves the weights far."""


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="One-minute bars; synthetic by default.")
@click.option("--symbol", default="ES", show_default=True)
@click.option("--format", "format_", help="Format of the file; detected by default.")
@click.option("--tz", "timezone", help="Zone of timestamps that carry none.")
@click.option("--snap", is_flag=True, help="Move off-grid prices to the grid.")
@click.option("--steps", default=200_000, show_default=True, help="Of training, for each phase.")
@click.option("--hidden", default="256,256", show_default=True, help="Sizes of both towers' layers.")
@click.option("--observations", default=100_000, show_default=True, help="Compared in each phase.")
@click.option("--episodes", default=20, show_default=True, help="Replayed in each phase.")
@click.option("--need-csharp", is_flag=True, help="Fail where Mono is missing.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def main(data: Path | None, symbol: str, steps: int, hidden: str, out: Path, **options: Any) -> None:
    """Train, export and verify a policy of each phase; write chain.json and chain.html of both.

    Both phases are verified, whatever comes out of the first. Exit code 0 means that every hop is the
    same, 1 that one differs, 2 bad input.
    """
    from jax_port.export.bundle import export
    from rltrader.export_verify import verify
    from rltrader.train import train

    reading = [f"--{name}={options[key]}" for name, key in READING.items() if options[key]]
    reading += ["--snap"] if options["snap"] else []
    bars = ["--data", str(data), "--symbol", symbol, *reading] if data else []
    market = bars or ["--pattern", str(PATTERN_DAYS), "--symbol", symbol]
    network = ["--pi", hidden, "--vf", hidden, "--learning-rate", LEARNING_RATE]
    need = ["--need-csharp"] if options["need_csharp"] else []
    counts = [f"--{name}={options[name]}" for name in ("observations", "episodes")]
    differs = []
    for phase in (1, 2):
        run, bundle = out / f"run{phase}", out / f"phase{phase}"
        for folder in (run, bundle):
            shutil.rmtree(folder, ignore_errors=True)
        begin = ["--from-policy", str(out / "run1")] if phase == 2 else []
        what = ["--phase", str(phase), "--steps", str(steps), "--envs", "256", "--ungated", *begin]
        train.main([*market, *network, *what, "--out", str(run)], standalone_mode=False)
        export(run / "policy-0.safetensors", bundle)
        try:
            verify.main(
                [str(bundle), *bars, *need, *counts, "--out", str(out / f"report{phase}")],
                standalone_mode=False,
            )
        except SystemExit:
            differs.append(phase)
    if differs:
        raise SystemExit(1)


READING: dict[str, str] = {"format": "format_", "tz": "timezone"}
"""Options that say how the bars are read, and the names under which they come."""


if __name__ == "__main__":
    run_command(main)
