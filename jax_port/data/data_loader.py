"""Market data on the device: one or many markets in a few contiguous arrays, cached on disk.

Source: sections 1 to 4 of ``docs/environment.md``. A bar's features are one row of 11 floats, and
what a step reads of it is one row of 8 integers (32 bytes, one memory sector), so that an
observation and a step are each one contiguous read per environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np
from flax import struct
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from foundation.errors import run_command
from foundation.files import WriteError, json_digest, write_bytes
from foundation.import_closure import PACKAGES_ROOT, digests
from jax_port.data.array_digest import array_digest
from jax_port.data.features import compute_features, compute_ticks, first_defined, valid_starts
from markets import Bars, Contract, EnvConfig, InputError
from markets.bars import FEATURES, source_of
from markets.file_facts import said_by_name
from markets.limits import EXACT_IN_FLOAT32, check_int32

HIGH, LOW, CLOSE, STOP, TARGET, TRAIL, MINUTE, ATR = range(8)
"""Columns of ``MarketData.bars``; the last holds the bits of a float32."""

_LAYOUT = 5
_ARRAYS = ("features", "bars", "starts", "timestamps_ns")


@struct.dataclass
class MarketData:
    """Bars of one or more markets, one after another, as a pytree of device arrays.

    Attributes:
        features: float32, shape (B, 11), section 3; NaN in bars before they are defined.
        bars: int32, shape (B, 8): high, low, close (ticks), stop, target and trail distances
            (ticks), New York minute, and the bits of atr in float32 ticks.
        starts: int32, shape (S, 2): a bar at which an episode may start, and its market.
        first_bar: int32, shape (M,): each market's first row.
        last_bar: int32, shape (M,): each market's last row.
        tick_value: int32 cents of one contract, shape (M,).
        slippage: int32 ticks, shape (M,).
        commission: int32 cents per side and contract, shape (M,).
        tick_size: float32, shape (M, 2): a tick in points as numerator and denominator, which float32
            holds where it holds the tick itself only roughly; for views, never used in a step.
        prior: float32, shape (B, 3): what advice adds to the policy's logits of hold, buy and sell;
            None without.
    """

    features: jax.Array
    bars: jax.Array
    starts: jax.Array
    first_bar: jax.Array
    last_bar: jax.Array
    tick_value: jax.Array
    slippage: jax.Array
    commission: jax.Array
    tick_size: jax.Array
    prior: jax.Array | None = None

    @property
    def num_markets(self) -> int:
        """Number of markets, known when tracing."""
        return self.last_bar.shape[0]

    @property
    def nbytes(self) -> int:
        """Device memory of all arrays, in bytes."""
        return int(sum(leaf.nbytes for leaf in jax.tree.leaves(self)))


@dataclass(frozen=True)
class PreparedMarket:
    """One market's arrays on the host, before they are stacked.

    Attributes:
        features: float32, shape (T, 11); with advice as columns (T, 15).
        bars: int32, shape (T, 8), columns as in :class:`MarketData`.
        starts: int32, shape (S,).
        timestamps_ns: int64 nanoseconds since 1970 in UTC, shape (T,).
        contract: the contract.
        source: where the bars came from.
        digest: SHA-256 over the bars and the configuration, in hex.
        advised: how a policy is advised on these bars, "prior" or "columns"; "" for not at all.
        prior: float32, shape (T, 3), as in :class:`MarketData`.
        accepted: kinds of problems that someone chose to go on with; ``source`` names them.
    """

    features: NDArray[np.float32]
    bars: NDArray[np.int32]
    starts: NDArray[np.int32]
    timestamps_ns: NDArray[np.int64]
    contract: Contract
    source: str
    digest: str
    advised: str = ""
    prior: NDArray[np.float32] | None = None
    accepted: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.bars)


def prepare(bars: Bars, config: EnvConfig) -> PreparedMarket:
    """Compute features, integers and starts of one market.

    Args:
        bars: bars of one contract, before the session is applied.
        config: session, window, ATR multiples and episode length.

    Raises:
        InputError: no bar can start an episode, a feature is not finite after all were defined, or
            the worst case leaves int32.
    """
    session_bars = bars.session(config.session)
    check_int32(session_bars, config)
    wide = compute_features(session_bars)
    ticks = compute_ticks(session_bars, wide, config)
    narrow = wide.astype(np.float32)
    begins = first_defined(narrow, config)
    _require_whole(narrow, begins, session_bars, config)
    starts = valid_starts(narrow, ticks.minute, config)
    if not len(starts):
        if config.warmup_bars < begins < len(narrow):  # a file's own features may begin later
            first, why = begins, "until its features begin"
        else:
            first, why = config.warmup_bars, "to warm up"
        need = first + config.window_size + config.max_episode_bars + 1
        raise InputError(
            f"{bars.source}: no episode can start in its {len(session_bars)} {config.session} bars; "
            f"one needs {need} bars ({first} {why}, {config.window_size} in the "
            f"window, {config.max_episode_bars} to trade) and a bar in the entry window, so give more "
            "bars or a shorter max_episode_bars"
        )
    rows = np.stack([*ticks[:-1], ticks.atr.view(np.int32)], axis=1)
    digest = hashlib.sha256(f"{session_bars.digest}{config.to_json()}".encode()).hexdigest()
    return PreparedMarket(
        features=narrow,
        bars=np.ascontiguousarray(rows),
        starts=starts,
        timestamps_ns=session_bars.timestamps_ns,
        contract=bars.contract,
        source=bars.source,
        digest=digest,
        accepted=bars.accepted,
    )


def _require_whole(features: NDArray[np.float32], begins: int, bars: Bars, config: EnvConfig) -> None:
    """Refuse features, float32 (T, 11), with a hole after all have begun, and such as never begin."""
    finite = np.isfinite(features[begins:])
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise InputError(
            f"{bars.source}: feature {FEATURES[column]} of bar {bars.frame.index[begins + row]} is not "
            "a finite float32; repair the file"
        )
    if config.warmup_bars < begins == len(features):
        never = np.argmin(np.isfinite(features[-1]))
        raise InputError(
            f"{bars.source}: no bar has all features; {FEATURES[never]} is undefined to the end, so "
            "mend the file, or let the features be computed"
        )


def stack(markets: Sequence[PreparedMarket]) -> MarketData:
    """Put markets one after another on the default device.

    Args:
        markets: at least one; all prepared with the same configuration, and advised in the same way.

    Returns:
        Arrays in which a bar's row number is ``first_bar[market] + its number within the market``.

    Raises:
        InputError: no market, or more rows than an int32 and a float32 can count.
    """
    if not markets:
        raise InputError("no market to load; give at least one")
    assert len({market.advised for market in markets}) == 1, "all are advised in the same way"
    sizes = np.array([len(market) for market in markets], np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    if sizes.sum() >= EXACT_IN_FLOAT32:
        raise InputError(
            f"{int(sizes.sum())} bars in {len(markets)} markets; at most {EXACT_IN_FLOAT32} fit, "
            "so load fewer markets or years"
        )

    def column(values: Sequence[Any], dtype: Any) -> jax.Array:
        return jax.device_put(np.asarray(values, dtype))

    contracts = [market.contract for market in markets]
    priors = [market.prior for market in markets if market.prior is not None]
    starts = [
        np.stack([market.starts + offset, np.full(len(market.starts), number)], axis=1)
        for number, (market, offset) in enumerate(zip(markets, first, strict=True))
    ]
    return MarketData(
        features=jax.device_put(np.concatenate([market.features for market in markets])),
        bars=jax.device_put(np.concatenate([market.bars for market in markets])),
        starts=jax.device_put(np.concatenate(starts).astype(np.int32)),
        first_bar=column(list(first), np.int32),
        last_bar=column(list(first + sizes - 1), np.int32),
        tick_value=column([c.tick_value_cents for c in contracts], np.int32),
        slippage=column([c.slippage_ticks for c in contracts], np.int32),
        commission=column([c.commission_cents for c in contracts], np.int32),
        tick_size=column([tick_fraction(c.tick_size) for c in contracts], np.float32),
        prior=jax.device_put(np.concatenate(priors)) if priors else None,
    )


def tick_fraction(tick_size: float) -> tuple[int, int]:
    """Return a tick in points as numerator and denominator, such as (1, 4), small where they can be.

    Args:
        tick_size: points, in the digits that a contract writes.
    """
    written = Fraction(repr(float(tick_size)))
    small = written.limit_denominator(EXACT_IN_FLOAT32)  # 1/3, of which a contract writes 16 digits
    found = small if abs(small - written) <= written / 10**12 else written
    return found.numerator, found.denominator


def load(
    path: str | Path,
    contract: Contract,
    config: EnvConfig,
    *,
    cache_dir: str | Path | None = None,
    **reader: Any,
) -> PreparedMarket:
    """Read a file of bars and prepare it, or take the prepared arrays from the cache.

    The cache's key is the file's content, what the reader reads of its name, the contract, the
    configuration, the reader's options and the code that prepares, so a stale entry can't be taken
    for a fresh one, nor a file that the reader refuses for one that it reads. What the reader tells of
    the bars is told of those from the cache too.

    Args:
        path: a file that :func:`markets.readers.read_bars` reads.
        contract: the contract it holds.
        config: as for :func:`prepare`.
        cache_dir: folder of the cache; by default ``$RLTRADER_CACHE``, or ``~/.cache/rltrader``.
        reader: options of the reader (format, timezone, snap, use_features).

    Raises:
        InputError: the file cannot be read or used.
    """
    from markets.readers import read_bars

    source = Path(path)
    if not source.is_file():
        raise InputError(f"{source}: no such file; give a file of one-minute bars")
    key = _key(source, contract, config, reader)
    entry = default_cache_dir(cache_dir) / f"{contract.symbol}-{key[:32]}.safetensors"
    cached = _read_cache(entry, contract, source.name)
    if cached is not None:
        return cached
    bars = read_bars(source, contract, **reader)
    prepared = prepare(bars, config)
    if bars.timestamps_ns[-1] < time.time_ns():  # what is told of bars in the future does not stay true
        _write_cache(entry, prepared, bars.warnings or ())
    return prepared


def default_cache_dir(cache_dir: str | Path | None = None) -> Path:
    """Return the cache folder: the argument, ``$RLTRADER_CACHE``, or ``~/.cache/rltrader``."""
    return Path(cache_dir or os.environ.get("RLTRADER_CACHE") or Path.home() / ".cache" / "rltrader")


def _key(path: Path, contract: Contract, config: EnvConfig, reader: dict[str, Any]) -> str:
    with path.open("rb") as file:
        h = hashlib.file_digest(file, "sha256")
    named = said_by_name(path.name)  # the reader refuses a name of another contract, say
    h.update(repr((_LAYOUT, contract, config.to_json(), sorted(reader.items()), named)).encode())
    h.update(_code_digest().encode())
    return h.hexdigest()


@cache
def _code_digest(root: Path = PACKAGES_ROOT) -> str:
    """Return a digest of every file of ours that takes part in preparing bars."""
    return json_digest(digests(root, (__name__,)))


def _read_cache(entry: Path, contract: Contract, source: str) -> PreparedMarket | None:
    if not entry.exists():
        return None
    try:
        with safe_open(entry, framework="numpy") as file:
            about = dict(file.metadata())
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        if about.pop("checksum") != _checksum(arrays, about):
            return None
        accepted = tuple(about["accepted"].split())
        warnings = msgspec.json.decode(about["warnings"], type=list[str])
        market = PreparedMarket(
            **arrays,
            contract=contract,
            source=source_of(source, accepted),
            digest=about["digest"],
            accepted=accepted,
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None  # a damaged entry is made anew
    if warnings:
        from markets.quality.door import tell

        tell(market.source, warnings)
    return market


def _write_cache(entry: Path, market: PreparedMarket, warnings: Sequence[str]) -> None:
    arrays = {name: getattr(market, name) for name in _ARRAYS}
    about = {
        "digest": market.digest,
        "accepted": " ".join(market.accepted),
        "warnings": json.dumps(list(warnings)),
    }
    checksum = _checksum(arrays, about)
    try:
        write_bytes(entry, save(arrays, metadata=about | {"checksum": checksum}))
    except WriteError:
        return  # a cache that can't be written costs time, nothing else


def _checksum(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, str]) -> str:
    """Return a digest over all that an entry holds; safetensors itself notices no flipped bit."""
    return json_digest([_LAYOUT, dict(about), array_digest(arrays)])


def main() -> None:
    """Load markets and print their arrays, memory and device; bad input exits with code 2."""
    from jax_port.data.demonstration import show_markets

    run_command(show_markets)


if __name__ == "__main__":
    main()
