"""Replay of a pass without a model: every transcript read again must give the advice in the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from markets.advice.answers import CUT_OFF, FAILED, MALFORMED, OK, read_content
from markets.advice.chat.prompt import PromptSettings, question
from markets.advice.passes import prompt_digest
from markets.advice.rules import RulesAdvisor
from markets.advice.table import AdviceTable
from markets.advice.view import MarketView

NAMES = ("hold", "buy", "sell", "confidence")


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Attributes:
        replayed: rows whose transcript was read again.
        without: rows with nothing to read again (late, failed and the like).
        differing: bars whose question or answer is not what the table says.
    """

    replayed: int
    without: int
    differing: list[int]


def replay(table: AdviceTable, view: MarketView) -> Replay:
    """Write every question anew and read every answer anew, or let the rules advise anew."""
    if table.about.key.advisor == RulesAdvisor.name:
        made = RulesAdvisor().advise(view, table.rows)
        columns = (*made.probabilities.T, made.confidence)
        unequal = np.any(
            [
                table.frame[name].to_numpy(np.float32) != column
                for name, column in zip(NAMES, columns, strict=True)
            ],
            axis=0,
        )
        return Replay(len(table), 0, table.rows[unequal].tolist())
    prompt = PromptSettings(table.about.prompt_bars, table.about.masked)
    differing: list[int] = []
    replayed = 0
    for found in table.frame.itertuples():
        row = int(str(found.row))
        never_asked = found.status == FAILED and not found.prompt_sha256  # of a batch that was given up
        same = never_asked or prompt_digest(question(view, row, prompt)) == found.prompt_sha256
        if found.status in (OK, MALFORMED) and found.content:
            replayed += 1
            again = read_content(str(found.content))
            if found.detail != CUT_OFF:
                same &= again.status == found.status
            if again.advice is not None and found.status == OK:
                same &= all(
                    np.float32(getattr(again.advice, name)) == np.float32(getattr(found, name))
                    for name in NAMES
                )
        if not same:
            differing.append(row)
    return Replay(replayed, len(table) - replayed, differing)
