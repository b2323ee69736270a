"""Let the rules advise on bars with a planted edge, and hold the fused policy against the bare one.

Run it with ``python examples/advise_and_compare.py``. It calls the commands that you would type, in a
temporary folder, and prints each. The training is short, so the numbers say nothing of a real policy.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = (
    "data synthetic --symbol ES --days 40 --seed 1 --pattern 1 --out ES.parquet",
    "train --data ES.parquet --symbol ES --to 2025-02-07 --out run --steps 65536 --envs 64 --n-steps 128"
    " --batch-size 1024 --epochs 4 --learning-rate 0.001 --pi 32,32 --vf 32,32 --seeds 2 --ungated",
    "advise run --data ES.parquet --symbol ES --out advice",
    "advise replay advice --data ES.parquet --symbol ES",
    "evaluate run/policy-0.safetensors --also run/policy-1.safetensors --data ES.parquet --symbol ES"
    " --from 2025-02-11 --advice advice --fusion gated --out evaluation",
)


def main() -> None:
    """Run the example."""
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            print(f"$ rltrader {command}", flush=True)
            program = [sys.executable, "-m", "rltrader", *shlex.split(command)]
            subprocess.run(program, cwd=folder, check=True, env={**os.environ, "PYTHONPATH": path})
        print(sorted(path.name for path in (Path(folder) / "evaluation").iterdir()))


if __name__ == "__main__":
    main()
