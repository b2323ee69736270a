"""The fixtures of market data, for the commands that read it."""

from tests.markets.conftest import make_frame, real_file, save

__all__ = ["make_frame", "real_file", "save"]
