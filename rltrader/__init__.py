"""The command line ``rltrader``, and :class:`MaskablePPO`, the same from Python."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rltrader.agent import MaskablePPO
    from rltrader.python.callbacks import EvaluateEvery

__all__ = ["EvaluateEvery", "MaskablePPO"]


def __getattr__(name: str) -> Any:
    """Import the agent when it is first asked for, so that the command line starts fast."""
    if name == "EvaluateEvery":
        from rltrader.python.callbacks import EvaluateEvery

        return EvaluateEvery
    if name != "MaskablePPO":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rltrader.agent import MaskablePPO

    return MaskablePPO
