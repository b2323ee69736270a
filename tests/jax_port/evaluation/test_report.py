"""The numbers of an evaluation say what they were made from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from foundation.files import file_digest
from jax_port.data.held_out import HELD_OUT, Relation, Span
from jax_port.evaluation.report import to_values
from jax_port.evaluation.sheet.tear_sheet import tear_sheet
from tests.jax_port.evaluation.conftest import Week

TRADED = Span(date(2025, 1, 28), date(2025, 2, 5))
TRAINED = Span(date(2025, 1, 2), date(2025, 1, 24))


@pytest.fixture
def made(week: Week, tmp_path: Path) -> Any:
    policy, bars = tmp_path / "policy.safetensors", tmp_path / "bars.csv"
    policy.write_text("weights")
    bars.write_text("bars")
    sheet = tear_sheet(week.result, week.policy, week.market, week.baselines)

    def call(relation: Relation, **options: Any) -> dict[str, Any]:
        asked, result = options.pop("asked", (None, None)), options.pop("result", week.result)
        return to_values(
            result, week.policy, policy, week.market, bars, relation, asked, 1.5, sheet, **options
        )

    return call


def test_where_the_numbers_come_from(made: Any, week: Week, tmp_path: Path) -> None:
    policy, bars = tmp_path / "policy.safetensors", tmp_path / "bars.csv"
    values = made(Relation(HELD_OUT, TRADED, TRAINED, 1), asked=(TRADED.first, None))
    assert values["made"]["seconds"] == 1.5
    told = {name: values["policy"][name] for name in ("path", "sha256", "config")}
    config = week.policy.config.to_dict()
    assert told == {"path": str(policy), "sha256": file_digest(policy), "config": config}
    data = values["data"]
    assert (data["symbol"], data["sha256"], data["bars"]) == (
        "ES",
        week.market.digest,
        len(week.market),
    )
    assert data["file_sha256"] == file_digest(bars)
    assert (data["from"], data["to"]) == ("2025-01-28", None)
    assert (data["first"], data["last"]) == ("2025-01-28", "2025-02-05")
    assert values["held_out"] == {
        "status": HELD_OUT,
        "training": {"first": "2025-01-02", "last": "2025-01-24"},
        "trading_days_between": 1,
    }
    assert (values["seconds"], values["advice"], values["evaluation_accounts"]) == (None, None, [])


def test_an_unknown_training_has_no_dates(made: Any) -> None:
    assert made(Relation("unknown", TRADED))["held_out"]["training"] is None


def test_advice_is_named_and_counted(made: Any, week: Week) -> None:
    table = Path("advice.parquet")
    plain = made(Relation(HELD_OUT, TRADED), advice=(table, {"fusion": {"rule": "gated"}}))["advice"]
    none = {"trained_with": None, "questions": None, "advised": None, "changed": None}
    assert plain == {"path": "advice.parquet", "fusion": {"rule": "gated"}, **none}
    asked = pd.DataFrame({"questions": [1, 2], "advised": [10, 20], "changed": [3, 4]})
    result = replace(week.result, advised=asked)
    told = made(
        Relation(HELD_OUT, TRADED), advice=(table, {"trained_with": {"as": "columns"}}), result=result
    )
    counts = {"questions": 3, "advised": 30, "changed": 7}
    trained = {"trained_with": {"as": "columns"}, "fusion": None}
    assert told["advice"] == {"path": "advice.parquet", **trained, **counts}
