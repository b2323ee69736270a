"""Which programs are compiled for which cards, at what sizes, and what is said of each."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.gpu_program import runner
from benchmarks.gpu_program.cards import CARDS
from tests.sentences import refuses

OPTIONS: dict[str, Any] = {
    "envs": 64, "n_steps": 4, "batch_size": 128, "epochs": 3, "days": 9, "unknown_trips": 5,
    "form": ["gpu", "cpu"], "overrides": ("gamma=0.75", "activation=tanh"),
}  # fmt: skip


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let programs be named by what they were asked to be, and reports by what they are of."""
    told: list[Any] = []

    def report_of(subject: Any, card: Any, trips: int, hlo: Path | None = None) -> Any:
        told.append((subject.name, card.name, trips, hlo))
        return SimpleNamespace(name=subject.name, card=card.name)

    def named(*given: Any) -> Any:
        return SimpleNamespace(name=" ".join(str(one) for one in given))

    monkeypatch.setattr(runner, "report_of", report_of)
    monkeypatch.setattr(runner, "progress_line", lambda report: f"{report.name} on {report.card}")
    monkeypatch.setattr(runner, "environment", lambda *given: named("environment", *given))
    monkeypatch.setattr(
        runner,
        "update",
        lambda settings, phase, days, form="own": named(
            "update", settings.precision, phase, days, form
        ),
    )
    return told


def test_every_program_is_reported_for_every_card(
    told: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    hlo = Path("texts")
    what = ("environment", "training")
    cards = list(CARDS)[:2]
    reports = runner.report_all(cards, ("bf16", "tf32"), (1, 2), what, OPTIONS, hlo)
    programs = [
        name
        for phase in (1, 2)
        for name in (
            *(f"environment {form} {phase} 64 9" for form in runner.FORMS),
            *(
                f"update {precision} {phase} 9 {form}"
                for form in ("gpu", "cpu")
                for precision in ("bf16", "tf32")
            ),
        )
    ]
    wanted = [(name, CARDS[card].name, 5, hlo) for name in programs for card in cards]
    assert told == wanted
    assert [(one.name, one.card) for one in reports] == [one[:2] for one in wanted]
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"{name} on {card}" for name, card, *_ in wanted]
    told.clear()
    runner.report_all(cards[:1], ("bf16",), (2,), ("training",), OPTIONS)
    assert [one[0] for one in told] == ["update bf16 2 9 gpu", "update bf16 2 9 cpu"]
    told.clear()
    runner.report_all(cards[1:], ("bf16",), (1,), ("environment",), OPTIONS)
    assert len(told) == len(runner.FORMS)


def test_several_cards_are_held_to_one_that_was_reported_before(
    told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Any] = []

    def divided(settings: Any, phase: int, days: int, card: Any, machine: str, own: bool) -> Any:
        name = f"{settings.precision} {phase} {days} {machine} {own}"
        return SimpleNamespace(name=name), SimpleNamespace(name=f"among {card.name}")

    def scaling_row(report: Any, alone: Any, among: Any) -> Any:
        rows.append((report.name, alone.name, getattr(alone, "first", False), among.name))
        return len(rows)

    monkeypatch.setattr(runner, "divided", divided)
    monkeypatch.setattr(runner, "scaling_row", scaling_row)
    first, second = list(CARDS)[:2]
    known = [
        SimpleNamespace(name="update bf16 1 9 own", card=CARDS[second].name, first=False),
        SimpleNamespace(name="update bf16 1 9 own", card=CARDS[first].name, first=True),
    ]
    machines: Any = ["1x8", "2x8"]
    made: Any = known
    found = runner.report_scaling([first], ("bf16", "tf32"), (1,), machines, OPTIONS, Path("t"), made)
    assert found == list(range(1, 9))
    card = CARDS[first].name
    of = [(machine, own) for machine in ("1x8", "2x8") for own in (True, False)]
    assert rows == [
        (
            f"{precision} 1 9 {machine} {own}",
            f"update {precision} 1 9 own",
            precision == "bf16",
            f"among {card}",
        )
        for precision in ("bf16", "tf32")
        for machine, own in of
    ]
    among = [
        (f"{name} 1 9 {m} {own}", f"among {card}", 5, Path("t"))
        for name in ("bf16", "tf32")
        for m, own in of
    ]
    assert told == [*among[:4], ("update tf32 1 9 own", card, 5, None), *among[4:]]
    assert runner.report_scaling([first], ("bf16",), (1,), [], OPTIONS) == []


def test_settings_are_those_of_the_options_and_what_is_set_goes_before_them() -> None:
    settings = runner.settings_of("tf32", OPTIONS)
    assert (settings.n_envs, settings.n_steps, settings.batch_size) == (64, 4, 128)
    assert (settings.n_epochs, settings.precision, settings.gamma) == (3, "tf32", 0.75)
    assert settings.network.activation == "tanh"
    assert runner.named(("a=1.5", "b=x=y", "c=[1, 2]", "a=true")) == {
        "a": True,
        "b": "x=y",
        "c": [1, 2],
    }
    with refuses():
        runner.named(("a=1", "b"))


@pytest.mark.parametrize(
    ("platform", "there", "times"), [("cpu", True, 0), ("gpu", False, 0), ("gpu", True, 1)]
)
def test_a_program_is_reported_as_compiled_and_timed_on_that_card_alone(
    platform: str, there: bool, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    card, other = (CARDS[name] for name in list(CARDS)[:2])
    compiled = SimpleNamespace(text="the text", seconds=7.5, temporary_bytes=99, own_kernels="own")
    subject: Any = SimpleNamespace(
        name="a program, of two", function="f", shapes=lambda: "shapes", donate=(1,), places="places",
        steps=30, parts={"step": (3,), "update": (4,)},
    )  # fmt: skip

    def analyse(*given: Any, **named: Any) -> Any:
        told.append((given, named))
        return SimpleNamespace(measured_seconds=None)

    timed = SimpleNamespace(timed=lambda seconds: [9.0, 1.0, seconds])
    device = SimpleNamespace(platform=platform, device_kind="kind")
    monkeypatch.setattr(runner, "compile_for", lambda *given: told.append(given) or compiled)
    monkeypatch.setattr(runner, "analyse", analyse)
    monkeypatch.setattr(runner, "prepare", lambda subject: timed)
    monkeypatch.setattr(runner.jax, "devices", lambda: [device])
    monkeypatch.setattr(runner, "card_of", lambda kind: card if there else other)
    report: Any = runner.report_of(subject, card, 5, tmp_path)
    assert told[0] == (card, "f", "shapes", (1,), "places")
    (name, text, steps, given, parts, trips), more = told[1]
    assert (name, text, steps, given, trips, more) == (
        *(subject.name, "the text", 30),
        *(card, 5, {"own": "own"}),
    )
    assert {part: one.keywords for part, one in parts.items()} == {
        "step": {"turns": (3,)}, "update": {"turns": (4,)},
    }  # fmt: skip
    assert (report.compile_seconds, report.temporary_bytes) == (7.5, 99)
    assert report.measured_seconds == (2.0 if times else None)
    assert [path.name for path in tmp_path.iterdir()] == [
        f"{card.name}_a_program_of_two.txt".replace(" ", "_")
    ]


def test_progress_says_what_each_part_launches() -> None:
    parts = [
        SimpleNamespace(kernels=7, name="step", host_loops=[]),
        SimpleNamespace(kernels=9, name="update", host_loops=[1, 2]),
    ]
    report: Any = SimpleNamespace(name="x", card="y", compile_seconds=1.26, parts=parts)
    assert runner.progress_line(report) == (
        "x, y, compiled in 1.3 s: 7 kernels a step, 9 kernels a update and 2 loops the host reads"
    )
