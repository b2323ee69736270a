"""Faults of the port's data pipeline: section 3 of ``docs/environment.md``, and the starts of 4."""

from __future__ import annotations

from parity.mutants.mutant import Mutant

FEATURES = "jax_port/data/features.py"
LOADER = "jax_port/data/data_loader.py"


def _fault(id: str, violates: str, old: str, new: str, file: str = FEATURES) -> Mutant:
    return Mutant(id, file, old, new, violates)


_FRESH = """\
        total = np.zeros(full)
        for age in range(length):
            total += x[age : age + full]
        out[length - 1 :] = total / length
"""
_SLIDING = """\
        moved = np.nan_to_num(x[length:]) - np.nan_to_num(x[:-length])
        total = np.nansum(x[:length]) + np.concatenate([[0.0], np.cumsum(moved)])
        out[length - 1 :] = np.where(np.isnan(x[:full]), np.nan, total / length)
"""
_EMA = """\
    first = x[:1]
    rest, _ = lfilter([alpha], [1.0, -decay], x[1:], zi=decay * first)
    return np.concatenate([first, rest])
"""
_GAINS = """\
    gain = window_mean(np.maximum(change, 0.0), 14)
    loss = window_mean(np.maximum(-change, 0.0), 14)
"""
_WILDER = """\
    def smooth(x: F64) -> F64:
        out = window_mean(x, 14)
        for i in range(14, len(x)):
            out[i] = (13.0 * out[i - 1] + x[i]) / 14.0
        return out

    gain, loss = smooth(np.maximum(change, 0.0)), smooth(np.maximum(-change, 0.0))
"""
_TICKS_CLOCK = "minute=new_york_minutes(bars.timestamps_ns),"
_FEATURE_CLOCK = "minute = new_york_minutes(bars.timestamps_ns).astype(np.float64)"
_UTC = "(bars.timestamps_ns // 60_000_000_000 % 1440)"
_STANDARD_TIME = "((bars.timestamps_ns // 60_000_000_000 - 300) % 1440)"
_SESSION = "session_bars = bars.session(config.session)\n"
_NARROW = "narrow = wide.astype(np.float32)\n"
_CLOCK = "3. every rule about the clock uses America/New_York wall time with its daylight saving"
_WINDOWS = "3. sums over a window are taken afresh, never by a sliding accumulator"
_MACD = "3. macd: alpha = 2/(span+1), seeded with the first close, no bias adjustment"
_STARTS = "4. An episode may start at i when features are defined for bars i-window_size .. i"
_ROUND = "3. half_up(x) = floor(x+0.5)"
_ATR = "3. TR = max(high-low, abs(high-prev close), abs(low-prev close))"

WINDOWS = (
    _fault("sliding-sums", _WINDOWS, _FRESH, _SLIDING),
    _fault(
        "newest-first-sums",
        "3. sums over a window are taken afresh, oldest first",
        "for age in range(length):",
        "for age in reversed(range(length)):",
    ),
    _fault(
        "sums-in-float32",
        "3. Features are computed over the kept bars in float64 and cast once",
        "        total = np.zeros(full)\n",
        "        total = np.zeros(full, np.float32)\n",
    ),
    _fault(
        "prices-in-float32",
        "3. Features are computed over the kept bars in float64 and cast once",
        'bars.frame[name].to_numpy(np.float64) for name in ("high", "low", "close", "volume")',
        "bars.frame[name].to_numpy(np.float32).astype(np.float64)\n"
        '        for name in ("high", "low", "close", "volume")',
    ),
    _fault(
        "sma-5-of-4",
        "3. sma_5: mean of the last 5 closes",
        "window_mean(close, 5)",
        "window_mean(close, 4)",
    ),
    _fault("rsi-wilder", "3. G, L: plain means of the last 14 gains and losses", _GAINS, _WILDER),
    _fault(
        "rsi-of-15",
        "3. gains and losses start with the second bar, so rsi is first defined at bar 14",
        "    change = np.diff(close)\n",
        "    change = np.diff(close, prepend=close[:1])[:-1]\n",
    ),
    _fault(
        "rsi-flat-is-50",
        "3. A flat window gives rsi 0 by the formula",
        "100.0 - 100.0 / (1.0 + gain / (loss + 1e-8))",
        "100.0 - 100.0 / (1.0 + (gain + 1e-8) / (loss + 1e-8))",
    ),
    _fault(
        "macd-bias-adjusted",
        _MACD,
        _EMA,
        _EMA.replace(
            "lfilter([alpha], [1.0, -decay], x[1:], zi=decay * first)",
            "lfilter([alpha], [1.0, -decay], x[1:], zi=decay * alpha * first)",
        ).replace("[first, rest])", "[first, rest / (1.0 - decay ** np.arange(2, len(x) + 1))])"),
    ),
    _fault("macd-seeded-with-zero", _MACD, "zi=decay * first)", "zi=0.0 * first)"),
    _fault("macd-alpha", _MACD, "alpha = 2.0 / (span + 1.0)", "alpha = 1.0 / span"),
    _fault(
        "momentum-difference",
        "3. momentum: close / close 10 bars earlier",
        "momentum[10:] = close[10:] / close[:-10]",
        "momentum[10:] = close[10:] - close[:-10]",
    ),
    _fault(
        "momentum-of-9",
        "3. momentum: close / close 10 bars earlier",
        "momentum[10:] = close[10:] / close[:-10]",
        "momentum[10:] = close[10:] / close[1:-9]",
    ),
    _fault(
        "range-without-gap",
        _ATR,
        "np.maximum(out[1:], np.maximum(np.abs(high[1:] - before), np.abs(low[1:] - before)))",
        "np.maximum(out[1:], 0.0 * before)",
    ),
    _fault(
        "range-gap-up-only",
        _ATR,
        "np.maximum(np.abs(high[1:] - before), np.abs(low[1:] - before))",
        "np.abs(high[1:] - before)",
    ),
    _fault(
        "first-range-missing",
        "3. The first true range is high - low",
        "    before = close[:-1]\n",
        "    before = close[:-1]\n    out[0] = np.nan\n",
    ),
)

CLOCK = (
    _fault("hour-in-utc", _CLOCK, _FEATURE_CLOCK, f"minute = {_UTC}.astype(np.float64)"),
    _fault(
        "hour-in-standard-time", _CLOCK, _FEATURE_CLOCK, f"minute = {_STANDARD_TIME}.astype(np.float64)"
    ),
    _fault(
        "minute-in-standard-time", _CLOCK, _TICKS_CLOCK, f"minute={_STANDARD_TIME}.astype(np.int32),"
    ),
    _fault(
        "close-at-1020",
        "3. min_to_close: (1019 - m(t))/449",
        "(MINUTE_OF_CLOSE - minute) / span",
        "(MINUTE_OF_CLOSE + 1 - minute) / span",
    ),
    _fault(
        "session-end-exclusive",
        '3. session="rth" keeps bars with 570 <= m(t) <= 1019',
        _SESSION,
        _SESSION + '    if config.session == "rth":\n'
        "        from markets.clock import new_york_minutes\n\n"
        "        minutes = new_york_minutes(session_bars.timestamps_ns)\n"
        "        session_bars = session_bars.select(minutes < 1019)\n",
        LOADER,
    ),
    _fault(
        "session-ignored",
        '3. session="rth" keeps bars with 570 <= m(t) <= 1019',
        _SESSION,
        'session_bars = bars.session("all")\n',
        LOADER,
    ),
    _fault(
        "session-after-features",
        "3. Features are computed over the kept bars",
        "    wide = compute_features(session_bars)\n",
        "    inside = np.isin(bars.timestamps_ns, session_bars.timestamps_ns)\n"
        "    wide = compute_features(bars)[inside]\n",
        LOADER,
    ),
)

TICKS = (
    _fault("half-even", _ROUND, "return np.floor(x + 0.5)", "return np.rint(x)"),
    _fault(
        "atr-below-a-tick",
        "3. atr_ticks = max(S/14, 1)",
        "np.where(defined, atr, 0.0), 1.0)",
        "np.where(defined, atr, 0.0), 0.01)",
    ),
    _fault(
        "atr-summed-in-points",
        "3. S is their sum over the last 14 bars, a whole number",
        "    if bars.precomputed is not None:\n        own",
        "    if len(bars):\n        own",
    ),
    _fault(
        "atr-rounded",
        "5. atr_ticks here is the same number, unrounded",
        "atr=atr_ticks.astype(np.float32)",
        "atr=half_up(atr_ticks).astype(np.float32)",
    ),
    _fault(
        "target-from-atr",
        "3. target_ticks = half_up(tp_sl_ratio * stop_ticks)",
        "distance(config.tp_sl_ratio * stop)",
        "distance(config.tp_sl_ratio * config.sl_atr_mult * atr_ticks)",
    ),
    _fault(
        "trail-from-stop",
        "3. trail_ticks = half_up(trail_atr_mult * atr_ticks)",
        "distance(config.trail_atr_mult * atr_ticks)",
        "distance(config.trail_atr_mult * stop)",
    ),
    _fault(
        "prices-truncated-to-ticks",
        "1. prices are whole ticks of prices on the grid",
        "return contract.to_ticks(bars.frame[name].to_numpy()).astype(np.int32)",
        "return (bars.frame[name].to_numpy() / contract.tick_size).astype(np.int32)",
    ),
    _fault(
        "highs-are-lows",
        "6.2 high and low are the bar's own",
        '        high=ticks("high"),\n        low=ticks("low"),\n',
        '        high=ticks("low"),\n        low=ticks("high"),\n',
    ),
)

TABLE = (
    _fault(
        "volume-and-close-swapped",
        "3. Eleven features per bar, in this order: close, volume",
        '        "close": close,\n        "volume": volume,\n',
        '        "close": volume,\n        "volume": close,\n',
    ),
    _fault(
        "features-look-ahead",
        "7. the market part of the observation depends on no bar after t-1",
        _NARROW,
        "narrow = np.concatenate([wide[1:], wide[-1:]]).astype(np.float32)\n",
        LOADER,
    ),
    _fault(
        "features-filled-backwards",
        "3. Nothing is filled backwards",
        _NARROW,
        _NARROW
        + "    for column in narrow.T:\n"
        + "        first = int(np.argmax(np.isfinite(column)))\n"
        + "        column[:first] = column[first]\n",
        LOADER,
    ),
    _fault(
        "precomputed-ignored",
        "3. A processed CSV that already carries columns with these names may be used as it is",
        "    if bars.precomputed is not None:\n        return",
        "    if bars.precomputed is not None and not len(bars):\n        return",
    ),
)

STARTS = (
    _fault(
        "starts-one-early",
        _STARTS,
        "(start - window >= config.warmup_bars)",
        "(start - window + 1 >= config.warmup_bars)",
    ),
    _fault(
        "starts-one-late",
        _STARTS,
        "(start - window >= config.warmup_bars)",
        "(start - window > config.warmup_bars)",
    ),
    _fault(
        "starts-too-near-the-end",
        "4. i + max_episode_bars <= T - 1",
        "(start + config.max_episode_bars <= size - 1)",
        "(start + config.max_episode_bars <= size)",
    ),
    _fault(
        "starts-too-far-from-the-end",
        "4. i + max_episode_bars <= T - 1",
        "(start + config.max_episode_bars <= size - 1)",
        "(start + config.max_episode_bars < size - 1)",
    ),
    _fault(
        "starts-at-any-hour",
        "4. m(i) is in the entry window",
        "        & (minute >= config.entry_open_minute)\n"
        "        & (minute < config.entry_close_minute)\n",
        "",
    ),
    _fault(
        "warm-up-ignored",
        "3. the first warmup_bars bars of a file are never part of an observation window",
        "(start - window >= config.warmup_bars)",
        "(start - window >= 20)",
    ),
)

DATA = (*WINDOWS, *CLOCK, *TICKS, *TABLE, *STARTS)
"""Every fault of the data pipeline."""
