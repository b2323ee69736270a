"""What the pages say is so: paths, names, links, commands, examples and quoted numbers."""

from __future__ import annotations

import pytest

from tests.docs import commands, numbers, paths, python_blocks
from tests.docs.pages import Fault, Page, pages

PAGES = {page.name: page for page in pages()}
LONG = {
    "docs/evaluation.md",
    "docs/explanation/gymnasium-and-gymnax.md",
    "docs/export.md",
    "docs/how-to/change-the-reward.md",
    "docs/how-to/other-trainers.md",
    "docs/how-to/sweep.md",
    "docs/how-to/your-own-network.md",
    "docs/how-to/your-own-port.md",
    "docs/migration-plan.md",
    "docs/training.md",
    "docs/tutorial.md",
}
"""Pages whose examples train, or compare ports, for more than a quarter of a minute."""
RUNNABLE = [
    pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in LONG else [])
    for page in pages()
    if python_blocks.script(page)
]


def told(faults: list[Fault]) -> str:
    return "\n".join(map(str, faults))


@pytest.fixture(params=pages(), ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Page:
    return request.param


def test_paths_and_names_exist(page: Page) -> None:
    faults = list(paths.check_spans(page))
    assert not faults, told(faults)


def test_links_lead_somewhere(page: Page) -> None:
    faults = list(paths.check_links(page, PAGES))
    assert not faults, told(faults)


def test_commands_parse(page: Page) -> None:
    faults = list(commands.check_page(page))
    assert not faults, told(faults)


def test_numbers_are_the_reports(page: Page) -> None:
    faults = list(numbers.check_page(page))
    assert not faults, told(faults)


@pytest.mark.costly
@pytest.mark.parametrize("runnable", RUNNABLE)
def test_examples_run(runnable: Page) -> None:
    faults = list(python_blocks.run(runnable))
    assert not faults, told(faults)


def test_the_long_pages_are_among_them() -> None:
    assert set(PAGES) >= LONG
