"""Write ``library_numbers.json``: what empyrical-reloaded and skfolio make of three curves.

Neither library is needed to run the tests; install both to make the numbers anew:

    pip install empyrical-reloaded==0.7.1 skfolio==1.12.2
    python tests/jax_port/evaluation/sheet/make_library_numbers.py
"""

from __future__ import annotations

import json
from pathlib import Path

import empyrical
import numpy as np
import pandas as pd
import skfolio
from skfolio import measures

WINDOW = 21
PLACE = Path(__file__).with_name("library_numbers.json")
CURVES = Path(__file__).with_name("day_returns.json")


def numbers(returns: np.ndarray, trials: np.ndarray) -> dict[str, object]:
    series = pd.Series(returns)
    return {
        "sharpe_year": float(empyrical.sharpe_ratio(series)),
        "sortino_year": float(empyrical.sortino_ratio(series)),
        "calmar": float(empyrical.calmar_ratio(series)),
        "max_drawdown": float(empyrical.max_drawdown(series)),
        "yearly_growth": float(empyrical.annual_return(series)),
        "rolling_sharpe": np.asarray(empyrical.roll_sharpe_ratio(series, WINDOW)).tolist(),
        "probabilistic_sharpe": float(measures.probabilistic_sharpe_ratio(returns)),
        "above_a_tenth": float(measures.probabilistic_sharpe_ratio(returns, 0.1)),
        "deflated_sharpe": float(measures.deflated_sharpe_ratio(returns, trials)),
        "expected_best": float(
            measures.expected_max_sharpe_ratio(len(trials), float(trials.std(ddof=1)))
        ),
    }


def main() -> None:
    given = json.loads(CURVES.read_text())
    trials = np.array(given["trial_sharpes"])
    made = {
        "made_with": f"empyrical-reloaded {empyrical.__version__}, skfolio {skfolio.__version__}",
        "window": WINDOW,
        "curves": {
            name: numbers(np.array(returns), trials) for name, returns in given["curves"].items()
        },
    }
    PLACE.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
