"""Mutants of the sample that change nothing which can be reached, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

EQUIVALENT: Mapping[tuple[str, str, str], str] = {
    (
        "jax_port/evaluation/advice/advised.py",
        "none = zero - 1",
        "none = zero - (2)",
    ): "No bar is asked about where the number is negative; which negative one is never looked at.",
    (
        "jax_port/envs/demonstration.py",
        "obs, state = jax.jit(reset)(jax.random.key(0), params)",
        "obs, state = jax.jit(reset)(jax.random.key((1)), params)",
    ): "From any start the demonstration prints the same of its first step.",
    (
        "jax_port/evaluation/advice/advised.py",
        "(current >= 0) & (age <= most), fusion.freshness[jnp.clip(age, 0, most)], jnp.float32(0)",
        "(current >= (1)) & (age <= most), fusion.freshness[jnp.clip(age, 0, most)], jnp.float32(0)",
    ): "The first bar of all is never asked about: it has no history.",
    (
        "jax_port/evaluation/advice_comparison/report.py",
        'for row, p in zip(judged, holm([row["p"] for row in judged], tried), strict=True):',
        "for row, p in (zip(judged, holm([row['p'] for row in judged], tried))):",
    ): "One was made from the other; the word says to the reader that they are as long.",
    (
        "jax_port/evaluation/comparison.py",
        "for stem, path in zip(stems, paths, strict=True)",
        "for stem, path in zip(stems, paths, strict=(False))",
    ): "The first was made from the second; the word says to the reader that they are as long.",
    (
        "jax_port/evaluation/prop_firm/plots.py",
        'axes.axhline(target, color=COLOURS["good"], linewidth=1.2, dashes=(4, 3))',
        'axes.axhline(target, color=COLOURS["good"], linewidth=1.2, dashes=((5), 3))',
    ): "How long the dashes of a line are: nothing is read off them.",
    (
        "jax_port/evaluation/sheet/baselines.py",
        'asked = [("never", 0.0, 0.0, 0), ("always long", 1.0, 0.0, 0), ("always short", 0.0, 1.0, 0)]',
        'asked = [("never", 0.0, 0.0, 0), ("always long", 1.0, 0.0, 0), '
        '("always short", 0.0, (2.0), 0)]',
    ): "A probability of one is as much as can be asked for.",
    (
        "jax_port/export/record.py",
        "any_allowed = jax.random.categorical(for_what, jnp.where(masks, 0.0, -1e9)).astype(jnp.int32)",
        "any_allowed = jax.random.categorical(for_what, "
        "jnp.where(masks, 0.0, -(2000000000.0))).astype(jnp.int32)",
    ): "Noise of a few tens makes up for neither number.",
    (
        "jax_port/ppo/fast/bootstrap.py",
        'return done + chunk, found.at[here].set(values, mode="drop")',
        "return done + chunk, (found.at[here].set(values))",
    ): "JAX's scatter drops what lies outside by default; the word says so to the reader.",
    (
        "jax_port/ppo/fast/demonstration.py",
        "train = jax.jit(make_train(settings, 1, 1), donate_argnums=0).lower(agents, hyper, params)"
        ".compile()",
        "train = jax.jit(make_train(settings, 1, (2)), donate_argnums=0).lower(agents, hyper, params)"
        ".compile()",
    ): "One agent as a batch of one: the same numbers, a little later.",
    (
        "jax_port/ppo/fast/gpu_network.py",
        "line = spec.vf[-1] if settings.own is None else LINE",
        "line = spec.vf[-(0)] if settings.own is None else LINE",
    ): "How many numbers a line of weights has is a matter of speed: they are turned back by the same.",
    (
        "jax_port/ppo/fast/gpu_network.py",
        "line=spec.pi[-1],",
        "line=spec.pi[-(0)],",
    ): "As the length of the line above.",
    (
        "jax_port/ppo/fast/stacked_mlp.py",
        "rows = first[0].shape[0]",
        "rows = first[(1)].shape[0]",
    ): "The policy's and the value's first layers stand side by side because they have the same rows.",
    (
        "jax_port/runs/divergence.py",
        "good = np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)",
        "good = np.isfinite(leaf).reshape(len(leaf), -(2)).all(axis=1)",
    ): "NumPy takes any negative length for the one that is left open.",
    (
        "jax_port/runs/training_data.py",
        "pairs = zip(chosen, files, strict=True)",
        "pairs = (zip(chosen, files))",
    ): "Both were made from one list; the word says to the reader that they are as long.",
    (
        "jax_port/runs/logs/ranking.py",
        'last = max((record["update"] for record in records), default=0)',
        'last = max((record["update"] for record in records), default=(1))',
    ): "The default is taken where there are no records, and then none are returned.",
    (
        "markets/quality/contents/volume.py",
        "elif (volume < MOST_PRICES).mean() >= MOSTLY and (few := _too_few(runs)) >= MOSTLY:",
        "elif ((volume < MOST_PRICES).sum()) >= MOSTLY and (few := _too_few(runs)) >= MOSTLY:",
    ): "The first half spares the second: where it does not hold, the second does not either.",
    (
        "markets/quality/pieces.py",
        "for start in range(0, rows - 1, ROWS):",
        "for start in range(0, (rows + 1), ROWS):",
    ): "A further piece has no rows.",
    (
        "markets/advice/table.py",
        "bad = ~((given >= 0) & (given <= 1)).all(axis=1) | "
        "(np.abs(given[:, :3].sum(axis=1) - 1) > 1e-3)",
        "bad = ~((given >= 0) & (given <= 1)).all(axis=1) | "
        "((np.abs(given[:, :3].sum(axis=1) - 1) >= 0.001))",
    ): "A sum near one is off by a multiple of 2^-53, and 1e-3 as a float64 is none.",
    (
        "rltrader/options/config_file.py",
        "is_eager=True,",
        "is_eager=(False),",
    ): "click reads what the command line gives, and so the file, before what it does not give.",
    (
        "rltrader/python/network.py",
        "obs = jnp.zeros((1, size), jnp.float32)",
        "obs = (jnp.ones((1, size), jnp.float32))",
    ): "Flax's initialisers of an MLP look at the shape of an observation, not at its numbers.",
}
"""(file, lines before, lines after) -> why nobody can see a difference."""
