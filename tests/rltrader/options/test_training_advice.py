"""``rltrader train --advice``: from a table to a policy that plays with it, and bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from foundation.errors import InputError
from jax_port.runs.training_advice import TrainingAdvice, from_tables
from jax_port.runs.training_data import Source, TrainingData
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.advice.table import load_table, save_table
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader.__main__ import app
from rltrader.options.training_advice import remark, with_tables
from tests.sentences import check_error

SMALL = (
    *("--steps", "128", "--envs", "4", "--n-steps", "16", "--batch-size", "32", "--epochs", "1"),
    *("--pi", "8", "--vf", "8", "--set", "max_episode_bars=30", "--ungated"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars, and a table of the rules."""
    place = tmp_path_factory.mktemp("advice")
    write_bars(synthetic_bars("ES", days=12, seed=5, start="2025-01-02"), place / "ES.csv")
    made = run("advise", "run", *data(place), "--out", str(place / "rules"))
    assert made.exit_code == 0, made.output
    return place


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def data(place: Path) -> tuple[str, ...]:
    return ("--data", str(place / "ES.csv"), "--symbol", "ES")


@pytest.mark.parametrize(
    "more",
    [
        ["--advice", "absent"],
        ["--advice", "rules", "--advice", "rules"],
        ["--advice", "rules", "--fusion-set", "every=3"],
        ["--advice", "rules", "--fusion-set", "weight=0"],
        ["--advice", "rules", "--advice-as", "columns", "--fusion-set", "weight=1"],
        ["--fusion-set", "weight=1"],
        ["--latency", "3"],
        ["--fusion", "weighted"],
        ["--advice-as", "columns"],
        ["--advice", "rules", "--advice-as", "columns", "--fusion", "gated"],
    ],
)
def test_bad_input_ends_in_a_sentence(folder: Path, tmp_path: Path, more: list[str]) -> None:
    given = [str(folder / word) if word in ("rules", "absent") else word for word in more]
    done = run("train", *data(folder), "--out", str(tmp_path / "run"), *SMALL, *given)
    assert done.exit_code != 0
    check_error(done.exception)
    assert not (tmp_path / "run").exists()


GIVEN = {"advice_as": None, "fusion": None, "fusion_set": (), "latency": None}
DATA = TrainingData((Source("ES", "/a.csv"), Source("ES", "/b.csv")))


@pytest.mark.parametrize(
    ("given", "way", "settings", "latency"),
    [
        ({}, "prior", FusionSettings("gated"), None),
        ({"latency": 0.0}, "prior", FusionSettings("gated"), 0.0),
        (
            {"fusion": "weighted", "fusion_set": ("weight=2.5", "fade=0.25"), "latency": 7.5},
            *("prior", FusionSettings("weighted", weight=2.5, fade=0.25), 7.5),
        ),
        (
            {"advice_as": "columns", "fusion_set": ("fade=0.25", "most_age=9")},
            *("columns", FusionSettings("gated", fade=0.25, most_age=9), None),
        ),
    ],
    ids=["nothing", "no latency", "prior", "columns"],
)
def test_how_advice_is_used_arrives(
    folder: Path, given: dict[str, Any], way: str, settings: FusionSettings, latency: float | None
) -> None:
    tables = (folder / "rules", folder / "rules")
    found = with_tables(DATA, {**GIVEN, "tables": tables, **given})
    assert found == replace(DATA, advice=from_tables(way, settings, tables, 2, latency))
    assert found.advice is not None
    assert (found.advice.latency, found.advice.use.way) == (latency, way)
    assert found.advice.tables == (str(folder / "rules"),) * 2


@pytest.mark.parametrize(
    ("way", "used"),
    [("prior", {"weight", "threshold", "fade", "most_age"}), ("columns", {"fade", "most_age"})],
)
def test_a_setting_that_a_way_does_not_go_by_is_refused(folder: Path, way: str, used: set[str]) -> None:
    tables = (folder / "rules", folder / "rules")
    plain = FusionSettings().to_dict()
    taken, said = set(), []
    for name, value in plain.items():
        told = f"{name}={json.dumps(value)}"
        # Behind one that is used: each is looked at.
        options = {**GIVEN, "tables": tables, "advice_as": way, "fusion_set": ("fade=0.5", told)}
        try:
            with_tables(DATA, options)
            taken.add(name)
        except InputError as error:
            said.append(str(error))
    assert taken == used
    assert all(text.startswith("--fusion-set ") and f"advice as {way} goes by" in text for text in said)


@pytest.mark.parametrize(
    ("cutoff", "first", "known"),
    [
        ("never", "", None),
        ("2025-06-01", "2025-06-02", None),
        ("2025-06-01", "2025-06-01", "days up to 2025-06-01"),
        ("2025-06-01", "", "days up to 2025-06-01"),
        ("", "2025-06-02", "any of these days, its cutoff date being unknown"),
    ],
)
def test_look_ahead_is_told_where_it_may_be(cutoff: str, first: str, known: str | None) -> None:
    use = AdviceUse("columns", FusionSettings(), "chat", "m", "", "", cutoff)
    assert remark(replace(DATA, first=first)) == ""
    said = remark(replace(DATA, first=first, advice=TrainingAdvice(use, ())))
    wanted = (
        f"the advisor may have read about {known}: on those the policy may learn to trust it more than "
        "it deserves; train on days after its cutoff, with --from"
    )
    assert said == ("" if known is None else wanted)


def test_settings_of_a_fusion_need_a_rule(tmp_path: Path) -> None:
    done = run("export", "p.safetensors", "--to", str(tmp_path / "b"), "--fusion-set", "weight=2")
    check_error(done.exception)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["prior", "columns"])
def test_a_policy_trained_with_advice_plays_with_it_and_with_nothing_else(
    folder: Path, tmp_path: Path, way: str
) -> None:
    made, policy = tmp_path / "run", str(tmp_path / "run" / "policy-0.safetensors")
    advice = ("--advice", str(folder / "rules"))
    days = ("--to", "2025-01-10")
    # An advisor whose cutoff date is unknown may have read about what is trained on.
    table = load_table(folder / "rules")
    table.about.cutoff = ""
    save_table(tmp_path / "chat.parquet", table)
    done = run(
        *("train", *data(folder), *days, "--out", str(made), *SMALL),
        *("--advice", str(tmp_path / "chat.parquet"), "--advice-as", way),
    )
    assert done.exit_code == 0, done.output
    assert "may have read about" in done.output.replace("\n", " ")
    rest = (*data(folder), "--from", "2025-01-14")
    out = ("--out", str(tmp_path / "out"))
    played = run("evaluate", policy, *rest, *advice, *out)
    assert played.exit_code == 0, played.output
    values = json.loads((tmp_path / "out" / "advice.json").read_text())
    assert values["trained_with"]["as"] == way
    assert [row["name"] for row in values["arms"][:3]] == [
        "bare policy",
        "advisor alone",
        "trained with advice",
    ]
    assert sum(null["seeds"] for null in values["nulls"]) == 10
    evaluation = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert evaluation["advice"]["trained_with"]["model"] == table.about.key.model
    assert "trained with advice" in (tmp_path / "out" / "report.html").read_text()
    bundle = str(tmp_path / "bundle")
    exported = run("export", policy, "--to", bundle)
    if way == "prior":
        assert exported.exit_code == 0, exported.output
        assert "asks the service at every bar" in exported.output.replace("\n", " ")
        few = ("--observations", "500", "--episodes", "2")
        proved = run("export", "verify", bundle, *few, "--out", str(tmp_path / "proof"))
        assert proved.exit_code == 0, proved.output
        chain = json.loads((tmp_path / "proof" / "chain.json").read_text())
        assert any(hop["hop"].startswith("fusion is the prior") for hop in chain["hops"])
    else:
        check_error(exported.exception)
    for refused in (
        run("evaluate", policy, *rest, *out),
        run("evaluate", policy, *rest, *advice, "--fusion", "gated", *out),
        run("train", *data(folder), "--from-policy", policy, "--out", str(tmp_path / "r2"), *SMALL),
    ):
        assert refused.exit_code != 0
        check_error(refused.exception)
