"""An answer of a language model: what it must look like, and what becomes of one that does not.

An answer is data. It is decoded against a declared type and is never run; what does not fit becomes
*no advice* with a reason that is counted, and is never guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec

from foundation.json_reading import explain

OK = "ok"
MALFORMED = "malformed"
REFUSED = "refused"
LATE = "late"
TOO_LARGE = "too large"
REDIRECTED = "redirected"
FAILED = "failed"
STATUSES = (OK, MALFORMED, REFUSED, LATE, TOO_LARGE, REDIRECTED, FAILED)
"""What a question can come to. All but the last are an answer, and are never asked for again."""

CUT_OFF = "cut off at its largest length"
MOST_REASON = 300
"""Characters of a reason."""
SUM_WITHIN = 0.02
"""How far the three chances may be from one; they are then divided by their sum."""
ROUNDING = 1e-9
"""What the sum of three decimal numbers may be off by."""

Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """What a model is asked to answer, as JSON and nothing else."""

    hold: Chance
    buy: Chance
    sell: Chance
    confidence: Chance
    reason: Annotated[str, msgspec.Meta(max_length=MOST_REASON)]


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: _Usage | None = None


@dataclass(frozen=True)
class Advice:
    """What an advisor says of one bar.

    Attributes:
        hold, buy, sell: chances, which sum to one.
        confidence: 0 to 1.
        reason: a short sentence.
    """

    hold: float
    buy: float
    sell: float
    confidence: float
    reason: str = ""


@dataclass(frozen=True)
class Reply:
    """What a question came to.

    Attributes:
        status: one of :data:`STATUSES`.
        advice: where the status is "ok", else None.
        detail: why there is none.
        content: what the model wrote, as it was.
        latency_ms: from asking to having the answer.
        attempts: requests that were sent.
        prompt_tokens, completion_tokens: as the server counts them; 0 where it does not say.
    """

    status: str
    advice: Advice | None = None
    detail: str = ""
    content: str = ""
    latency_ms: float = 0.0
    attempts: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0


def answer_schema() -> dict[str, Any]:
    """Return the JSON schema of :class:`Answer`, for servers that constrain what a model writes."""
    _, components = msgspec.json.schema_components([Answer])
    return {key: value for key, value in components["Answer"].items() if key != "description"}


def read_content(content: str) -> Reply:
    """Return what a model's text comes to: advice, or the reason that it is none."""
    try:
        answer = msgspec.json.decode(content.strip().encode("utf-8", "replace"), type=Answer)
    except RecursionError:
        return Reply(MALFORMED, detail="nested too deeply", content=content)
    except (ValueError, msgspec.DecodeError) as error:
        return Reply(MALFORMED, detail=explain(error), content=content)
    total = answer.hold + answer.buy + answer.sell
    if abs(total - 1) > SUM_WITHIN + ROUNDING:
        return Reply(MALFORMED, detail=f"hold, buy and sell sum to {total:.3g}", content=content)
    advice = Advice(
        answer.hold / total, answer.buy / total, answer.sell / total, answer.confidence, answer.reason
    )
    return Reply(OK, advice, content=content)


def read_completion(body: bytes) -> Reply:
    """Return what a chat completion (the body of a server's answer) comes to."""
    try:
        completion = msgspec.json.decode(body, type=_Completion)
    except RecursionError:
        return Reply(MALFORMED, detail="nested too deeply")
    except (ValueError, msgspec.DecodeError) as error:
        return Reply(MALFORMED, detail=f"no chat completion ({explain(error)})")
    choice, usage = completion.choices[0], completion.usage or _Usage()
    return replace(
        _read_choice(choice),
        prompt_tokens=min(max(usage.prompt_tokens, 0), 2**31 - 1),
        completion_tokens=min(max(usage.completion_tokens, 0), 2**31 - 1),
    )


def _read_choice(choice: _Choice) -> Reply:
    text = choice.message.content or ""
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return Reply(REFUSED, detail="the model refused", content=choice.message.refusal or "")
    if choice.finish_reason == "length":
        return Reply(MALFORMED, detail=CUT_OFF, content=text)
    return read_content(text)
