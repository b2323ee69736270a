"""Train a small policy on bars with a planted edge, evaluate it on other dates, and export it.

Run it with ``python examples/train_evaluate_export.py``. It calls the commands that you would type, in
a temporary folder, and prints each. The training is short.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = (
    "data synthetic --symbol ES --days 40 --seed 1 --pattern 1 --out ES.parquet",
    "train --data ES.parquet --symbol ES --to 2025-02-07 --out run --steps 65536 --envs 64 --n-steps 128"
    " --batch-size 1024 --epochs 4 --learning-rate 0.001 --pi 32,32 --vf 32,32 --ungated",
    "evaluate run/policy-0.safetensors --data ES.parquet --symbol ES --from 2025-02-11"
    " --out evaluation",
    "export run --to bundle",
)


def main() -> None:
    """Run the example."""
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            print(f"$ rltrader {command}", flush=True)
            program = [sys.executable, "-m", "rltrader", *shlex.split(command)]
            subprocess.run(program, cwd=folder, check=True, env=_environment(root))
        print(sorted(path.name for path in (Path(folder) / "bundle").iterdir()))


def _environment(root: Path) -> dict[str, str]:
    """Let the commands find the project where it is not installed."""
    import os

    found = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(root), found]))}


if __name__ == "__main__":
    main()
