"""The committed picture is the one that the committed report gives."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest

from tests.docs.pages import ROOT


@pytest.fixture
def pictures() -> ModuleType:
    spec = spec_from_file_location("make_pictures", ROOT / "docs" / "assets" / "make_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_that_of_the_report(pictures: ModuleType) -> None:
    report = json.loads(pictures.REPORT.read_text("utf-8"))
    assert pictures.draw(report) == pictures.PICTURE.read_text("utf-8")


def test_another_report_gives_another_picture(pictures: ModuleType) -> None:
    report = json.loads(pictures.REPORT.read_text("utf-8"))
    for row in report["sections"]["env"]["report"]["rows"]:
        row["rate"]["median"] *= 2
    assert pictures.draw(report) != pictures.PICTURE.read_text("utf-8")
