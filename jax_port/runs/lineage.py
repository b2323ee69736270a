"""Lineage of a training: code and proof behind each stretch of it, of which the weakest counts.

A run may be cut off and gone on with under other code or another certificate, and may begin with
another run's policy. So each stretch says its own, a policy carries all of them with those of what it
grew from, and what an artifact shows is the weakest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foundation.errors import InputError
from foundation.json_reading import Artifact, Count, Struct, convert
from foundation.loaded_code import code_digest
from jax_port.runs.gate import UNGATED

Stretch = dict[str, Any]
"""One stretch of training as plain values: "updates", "certificate", "code", "made"."""
Proof = dict[str, Any] | str
"""A certificate in brief, or :data:`jax_port.runs.gate.UNGATED`."""

SAME = "same"
SAME_BY_PARTS = "same, but under changed code"
"""Verdict of a run whose stretches, or what it grew from, each had a proof, of other code each."""
BY_GROUP = "minibatches by group"
"""Said behind a verdict where orders were drawn in groups of environments: MaskablePPO draws one."""
ALIKE = {f"{one}{more}" for one in (SAME, SAME_BY_PARTS) for more in ("", f", {BY_GROUP}")}
"""Verdicts of a proof; all others are none."""

STRENGTHS = ("quick", "standard", "full", "thorough")
"""Strengths of a proof from the weakest, as ``parity.gate.strength`` counts them."""

TRAINER = ("jax_port.runs.run",)
"""Its closure of imports decides what a stretch makes."""

MEASURED = "seconds"
"""That the comparison took of what a certificate lacked, told in "data_at_hand" of a proof."""

UNKNOWN = "unknown"
"""Code of an ungated stretch whose source was changed while the process ran."""

GENERATIONS = 8
"""Policies behind a policy whose stretches it carries: files are read only so deep. The certificate of
the oldest says what those before it went through."""

LINEAGE = Artifact("lineage of a training", "start the run anew in another folder")


class _Stretch(Struct):
    updates: tuple[Count, Count]
    certificate: dict[str, Any] | str
    code: str
    order_groups: Count = 1


def stretch(first: int, certificate: Proof, made: Mapping[str, Any], order_groups: int = 1) -> Stretch:
    """Return a stretch that begins after so many updates, under the code that this process runs.

    Args:
        first: updates made before it.
        certificate: its proof.
        made: versions and devices.
        order_groups: groups of environments with orders of their own; told where there are several.

    Raises:
        InputError: there is a proof, and what is loaded is not what its source says.
    """
    proof = certificate or UNGATED
    try:
        code = code_digest(TRAINER)
    except InputError:
        if proof != UNGATED:
            raise
        code = UNKNOWN
    groups = {"order_groups": order_groups} if order_groups > 1 else {}
    stretch = {"updates": [first, first], "certificate": proof, "code": code, "made": dict(made)}
    return {**stretch, **groups}


def going_on(before: Sequence[Stretch], now: Stretch) -> list[Stretch]:
    """Return a lineage with one more stretch; one of the same proof and code is only continued."""
    alike = bool(before) and _decisive(before[-1]) == _decisive(now)
    return [*before] if alike else [*before, now]


def _decisive(stretch: Stretch) -> list[Any]:
    """Return what makes a stretch another one, which is not how long a comparison took."""
    proof, code, made = (stretch[name] for name in ("certificate", "code", "made"))
    if isinstance(proof, Mapping) and isinstance(at_hand := proof.get("data_at_hand"), Mapping):
        timeless = {name: value for name, value in at_hand.items() if name != MEASURED}
        proof = {**proof, "data_at_hand": timeless}
    return [proof, code, made]


def reached(lineage: Sequence[Stretch], updates: int) -> list[Stretch]:
    """Return a lineage whose last stretch has reached so many updates."""
    *earlier, last = lineage
    return [*earlier, {**last, "updates": [last["updates"][0], updates]}]


def read_stretches(values: Any, where: object) -> list[Stretch]:
    """Return stretches out of decoded JSON; one that is missing counts as ungated.

    Raises:
        InputError: they are damaged.
    """
    if values is None:
        return [{"updates": [0, 0], "certificate": UNGATED, "code": "", "made": {}}]
    convert(values, list[_Stretch], LINEAGE, where=where)
    return [dict(one) for one in values]


def ancestor(about: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Return what a policy that a run grows from says of itself, for the run's own lineage.

    Args:
        about: the policy's.
        digest: SHA-256 of its file.
    """
    lineage = about.get("lineage")
    known = isinstance(lineage, Mapping) and bool(lineage.get("stretches"))
    return {
        "sha256": digest,
        "certificate": about.get("certificate", UNGATED) if known else UNGATED,
        "lineage": _recent(lineage, GENERATIONS) if isinstance(lineage, Mapping) else {},
    }


def _recent(lineage: Mapping[str, Any], generations: int) -> dict[str, Any]:
    """Return a lineage with the stretches of so many policies, its own among them."""
    before = lineage.get("grew_from")
    further = before.get("lineage") if isinstance(before, Mapping) else None
    if not isinstance(before, Mapping) or not isinstance(further, Mapping):
        return dict(lineage)
    kept = _recent(further, generations - 1) if generations > 1 else {}
    return {**lineage, "grew_from": {**before, "lineage": kept}}


def weakest(stretches: Sequence[Stretch], grew_from: Mapping[str, Any] | None = None) -> Proof:
    """Return what an artifact shows of its proof: the weakest of all that it went through.

    Args:
        stretches: of its own training.
        grew_from: from :func:`ancestor`; None where it began from scratch.
    """
    proofs, trained = [one["certificate"] for one in stretches], [*stretches]
    if grew_from:
        earlier = grew_from["lineage"].get("stretches") or []
        proofs += [grew_from["certificate"], *(one.get("certificate", UNGATED) for one in earlier)]
        trained += earlier
    if not proofs:
        return UNGATED
    for proof in proofs:
        if not isinstance(proof, Mapping):
            return UNGATED
    for proof in proofs:
        if proof.get("verdict") not in ALIKE:
            return dict(proof)
    verdicts = [proof["verdict"] for proof in proofs]
    newest: dict[str, Any] = dict(proofs[len(stretches) - 1])
    if "strength" in newest:
        newest["strength"] = min((one.get("strength", "") for one in proofs), key=_rank)
    by_parts = any(verdict.startswith(SAME_BY_PARTS) for verdict in verdicts)
    by_parts |= len({one.get("code", "") for one in trained}) > 1
    verdict = SAME_BY_PARTS if by_parts else SAME
    by_group = any(verdict.endswith(BY_GROUP) for verdict in verdicts)
    if by_group or any(one.get("order_groups", 1) > 1 for one in trained):
        verdict = f"{verdict}, {BY_GROUP}"
    return {**newest, "verdict": verdict}


def _rank(strength: str) -> int:
    """Return a strength's place from the weakest; one that is not known is weaker than all."""
    return STRENGTHS.index(strength) if strength in STRENGTHS else -1


def lineage_of(
    stretches: Sequence[Stretch], grew_from: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what an artifact carries of its lineage, ready for JSON."""
    return {
        "certificate": weakest(stretches, grew_from),
        "stretches": [dict(one) for one in stretches],
        "grew_from": dict(grew_from or {}),
    }


def in_words(proof: Proof) -> str:
    """Return a proof as a page shows it: its verdict, or that there is none."""
    return str(proof.get("verdict", "unknown")) if isinstance(proof, Mapping) else str(proof)
