"""Make the committed pages anew from their committed JSON, after a change of templates or drawings.

    python reports/make_pages.py

The parity gate's page needs a run of its own (``nox -s parity``).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "reports" / "reference"


def pages() -> Iterator[tuple[Path, str]]:
    """Give each page's path and what it is to hold."""
    from benchmarks.gpu_model.page import render as gpu_model
    from benchmarks.harness.reports import MergedReport, read_report
    from benchmarks.report.page import render as benchmarks
    from jax_port.evaluation.advice_comparison.report import render as advice
    from parity.export_chain.page import render as export_chain
    from parity.learning_study.page import render as learning

    for path in sorted(REFERENCE.glob("benchmarks_*/benchmarks.json")):
        report = read_report(path)
        if isinstance(report, MergedReport):
            yield path.with_suffix(".html"), benchmarks(report)
    of_json: dict[str, Callable[[Any], str]] = {
        "advice_gain/*/advice.json": advice,
        "export_chain/*/chain.json": export_chain,
        "gpu_model/gpu_model.json": gpu_model,
        "learning/learning.json": learning,
    }
    for pattern, render in of_json.items():
        for path in sorted(REFERENCE.glob(pattern)):
            yield path.with_suffix(".html"), render(json.loads(path.read_text(encoding="utf-8")))


def main() -> None:
    """Write every page and name it."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    sys.path.insert(0, str(ROOT))
    from foundation.files import write_text

    for path, page in pages():
        write_text(path, page)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
