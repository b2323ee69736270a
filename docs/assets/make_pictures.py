"""Draw docs/assets/benchmarks.svg from the committed benchmark report: ``python docs/assets/make_pictures.py``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports" / "reference" / "benchmarks_cpu2" / "benchmarks.json"
PICTURE = ROOT / "docs" / "assets" / "benchmarks.svg"
WIDTH, ROW, LEFT, RIGHT = 860, 26, 300, 110
SIDES = {"PyTorch": "#b0bec5", "JAX": "#1565c0"}
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:14px;fill:#263238}"
    ".h{font-weight:600;font-size:15px}.n{text-anchor:end}"
)


def charts(report: dict[str, Any]) -> list[tuple[str, list[tuple[str, str, float, str]]]]:
    """Return each chart's title and its bars: label, side, value, value in words."""
    sections = {name: part["report"] for name, part in report["sections"].items()}

    def rate(section: str, name: str) -> float:
        (row,) = (row for row in sections[section]["rows"] if row["name"] == name)
        return float(row["rate"]["median"])

    workers = [r for r in sections["env"]["rows"] if r["name"].startswith("reference, SubprocVecEnv")]
    best = max(float(row["rate"]["median"]) for row in workers)
    trainer = [r for r in sections["train"]["rows"] if r["name"].startswith("reference, 4 epochs")]
    library = max(float(row["rate"]["median"]) for row in trainer)

    def seconds(name: str) -> float:
        rows = [r for r in sections["time_to_return"]["rows"] if r["trainer"] == name]
        return median(float(row["seconds"]) for row in rows)

    port, ppo = rate("env", "port, obs"), rate("train", "port, 4 epochs, float32")
    fast, slow = seconds("port"), seconds("maskable")
    return [
        (
            "Environment steps a second",
            [
                ("Gymnasium, best SubprocVecEnv", "PyTorch", best, f"{best / 1e3:.1f} thousand"),
                ("JAX, 10,000 environments", "JAX", port, f"{port / 1e6:.0f} million"),
            ],
        ),
        (
            "Training steps a second, four epochs",
            [
                ("MaskablePPO", "PyTorch", library, f"{library / 1e3:.1f} thousand"),
                ("JAX", "JAX", ppo, f"{ppo / 1e3:.0f} thousand"),
            ],
        ),
        (
            "Seconds of training until it trades the planted pattern well",
            [
                ("MaskablePPO", "PyTorch", slow, f"{slow:.0f} s"),
                ("JAX", "JAX", fast, f"{fast:.1f} s"),
            ],
        ),
    ]


def draw(report: dict[str, Any]) -> str:
    """Return the picture as SVG; bars of rates are logarithmic, those of seconds are not."""
    parts: list[str] = []
    top = 30
    for number, (title, bars) in enumerate(charts(report)):
        logarithmic = number < 2
        parts.append(f'<text x="16" y="{top}" class="h">{title}</text>')
        largest = max(value for _, _, value, _ in bars)
        for label, side, value, words in bars:
            share = math.log10(value) / math.log10(largest) if logarithmic else value / largest
            length = share * (WIDTH - LEFT - RIGHT)
            y = top + 12
            parts.append(f'<text x="{LEFT - 10}" y="{y + 15}" class="n">{label}</text>')
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{ROW - 6}" fill="{SIDES[side]}"/>'
            )
            parts.append(f'<text x="{LEFT + length + 8:.1f}" y="{y + 15}">{words}</text>')
            top += ROW
        top += 38
    info = report["machine_info"]
    parts.append(
        f'<text x="16" y="{top}">{info["cpu"]}, {info["cores"]} cores; bars of rates are logarithmic</text>'
    )
    height = top + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="PyTorch against JAX"><style>{STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(draw(json.loads(REPORT.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
