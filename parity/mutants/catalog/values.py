"""Faults that show only at odd values, at large sizes, or in how draws hang together.

Sections 1, 2, 4 and 5 of ``docs/environment.md``. Each works at every default; the last two work
everywhere, on a CPU.
"""

from __future__ import annotations

from parity.mutants.mutant import Mutant

ENV = "jax_port/envs/env_phase1_jax.py"
STATE = "jax_port/envs/state.py"
LOADER = "jax_port/data/data_loader.py"
BITS = "jax_port/envs/fast_rng.py"


def _fault(id: str, violates: str, old: str, new: str, file: str) -> Mutant:
    return Mutant(id, file, old, new, violates)


_LOCK = 'floor_lock=cents("floor_lock_dollars")'
_BALANCE = 'initial_balance=cents("initial_balance_dollars")'
_DRAW = "4. A reset draws one uniformly"
_MARKET = "    return table[0] if table.shape[0] == 1 else table[market]\n"
_EXACT = "        exact = a.astype(jnp.float64) / b.astype(jnp.float64)\n"
_NUMBERS = "jnp.arange(count, dtype=jnp.uint32)"
_STEP = "    return step_or_restart(jax.random.bits(key), state, action, params, phase)\n"

VALUES = (
    _fault(
        "lock-of-zero-is-none",
        "4. the floor stops rising at initial balance + floor_lock",
        _LOCK,
        'floor_lock=jnp.where(cents("floor_lock_dollars") == 0, 2**30, cents("floor_lock_dollars"))',
        STATE,
    ),
    _fault(
        "balance-through-float32",
        "1. Money is int32 cents",
        _BALANCE,
        f"{_BALANCE}.astype(jnp.float32).astype(jnp.int32)",
        STATE,
    ),
    _fault(
        "no-slippage-is-one-tick",
        "2. slippage_ticks: ticks lost on every market order",
        "[c.slippage_ticks for c in contracts]",
        "[c.slippage_ticks or 1 for c in contracts]",
        LOADER,
    ),
    _fault(
        "seven-contracts-at-most",
        "4. contracts: whole contracts per trade",
        "contracts=jnp.int32(account.contracts)",
        "contracts=jnp.int32(min(account.contracts, 7))",
        STATE,
    ),
    _fault(
        "ninth-market-as-the-eighth",
        "2. Each market has its own tick value, slippage and commission",
        _MARKET,
        _MARKET.replace("table[market]", "table[jnp.minimum(market, 7)]"),
        STATE,
    ),
    _fault(
        "halves-share-their-starts",
        _DRAW,
        _NUMBERS,
        f"{_NUMBERS} % jnp.uint32(max(count // 2, 1))",
        BITS,
    ),
    _fault(
        "neighbours-start-alike",
        _DRAW,
        _NUMBERS,
        f"({_NUMBERS} | jnp.uint32(1))",
        BITS,
    ),
    _fault(
        "one-environment-starts-at-one-place",
        _DRAW,
        _STEP,
        _STEP.replace("jax.random.bits(key)", "jax.random.bits(jax.random.key(0))"),
        ENV,
    ),
    _fault(
        "sixteen-bits-of-environments",
        _DRAW,
        _NUMBERS,
        "(jnp.arange(count, dtype=jnp.uint32) & jnp.uint32(0xFFFF))",
        BITS,
    ),
    _fault(
        "quotient-of-float32",
        "5. Ratios are taken from exact numbers and rounded to float32 once",
        _EXACT,
        "        exact = (a.astype(jnp.float32) / b.astype(jnp.float32)).astype(jnp.float64)\n",
        STATE,
    ),
    Mutant(
        "mean-without-its-low-half-on-a-gpu",
        "jax_port/ppo/running_statistics.py",
        "        rounded = jax.lax.reduce_precision(moments.mean, exponent_bits=8, mantissa_bits=23)\n",
        "        rounded = moments.mean.astype(jnp.float32).astype(jnp.float64)\n",
        "learner 11. (x - mean) / sqrt(var + 1e-8), clipped to +-10",
    ),
)
