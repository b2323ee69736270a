"""Name of a market in a certificate: a digest of all that decides its environment."""

from __future__ import annotations

from dataclasses import asdict

from foundation.files import json_digest
from markets import Contract


def market_key(digest: str, contract: Contract) -> str:
    """Return a digest of all that decides an environment: bars, configuration, contract with its costs.

    Args:
        digest: :attr:`jax_port.data.data_loader.PreparedMarket.digest`.
        contract: of the bars.
    """
    return json_digest([digest, asdict(contract)])
