"""Settings of a fusion on the command line."""

from __future__ import annotations

import pytest

from markets.advice.fusion import FusionSettings
from rltrader.options.fusion import fusion_settings, refuse_without_advice
from tests.sentences import refuses


def test_each_setting_arrives_and_the_others_stay() -> None:
    usual = FusionSettings(rule="gated").to_dict()
    for text, name, value in (
        ("weight=2", "weight", 2.0),
        ("every=7", "every", 7),
        ("fade=0.25", "fade", 0.25),
        ("at_entries=false", "at_entries", False),
        ("at_entries=true", "at_entries", True),
    ):
        assert fusion_settings("gated", [text]).to_dict() == {**usual, name: value}
    assert fusion_settings("veto", []).to_dict() == FusionSettings(rule="veto").to_dict()


@pytest.mark.parametrize(
    "text",
    [
        "weight",
        "colour=1",
        "rule=veto",
        "at_entries=yes",
        "every=2.5",
        "weight=much",
        "weight=-1",
        "weight=nan",
    ],
)
def test_what_is_no_setting_is_refused(text: str) -> None:
    with refuses():
        fusion_settings("gated", [text])


@pytest.mark.parametrize("value", [0.0, "x", ("x",)])
def test_what_is_about_advice_is_refused_without_any(value: object) -> None:
    """Zero is a value that was given, too."""
    refuse_without_advice({"--latency": None, "--fusion-set": ()})
    with refuses():
        refuse_without_advice({"--fusion": None, "--latency": value})
