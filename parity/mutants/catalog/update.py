"""Faults of what a learner makes of a rollout: ``docs/learner.md``, sections 4 to 10."""

from __future__ import annotations

from parity.mutants.mutant import Mutant

ADVANTAGES = "jax_port/ppo/gae.py"
PPO = "jax_port/ppo/update.py"
ADAM = "jax_port/ppo/optimizer/adam.py"
CHUNKS = "jax_port/ppo/fast/microbatch.py"
TRAIN = "jax_port/ppo/train_ppo_jax.py"
MINIBATCH = "jax_port/ppo/minibatches.py"
LOSSES = "jax_port/ppo/losses.py"
GRADIENTS = "jax_port/ppo/fast/cpu_gradients.py"
CPU_MLP = "jax_port/ppo/fast/cpu_mlp.py"

_NEXT = "learner 4. n is 0 if an episode begins at the next step"
_LAST = "learner 4. n is 0 after the last step if that step ended an episode"
_LAMBDA = "learner 4. A = delta + gamma lambda n A'"
_STANDARD = "learner 5. (A - mean) / (s + 1e-8) with the sample deviation s (ddof 1)"
_ORDER = "learner 5. Every epoch takes them in a new random order"
_NUMBERED = "learner 5. Transitions are numbered environment by environment"
_POLICY = "learner 6. -mean(min(A rho, A clip(rho, 1 - c, 1 + c)))"
_EVERY = "learner 6. over all transitions of the minibatch, those with one allowed action too"
_VALUE = "learner 6. V is the old value plus the clipped change, alone: no maximum is taken"
_GRADIENT = "learner 6. Gradients are those of the loss"
_NORM = "learner 7. multiplied by min(1, limit / (norm + 1e-6))"
_BETAS = "learner 8. Betas 0.9 and 0.999"
_CORRECTED = "learner 8. both moments bias-corrected, counted over all updates"
_EPSILON = "learner 8. 1e-5 is added outside the root and after the correction"
_STOP = "learner 9. above 1.5 target_kl ends the whole update, before that minibatch's step"
_PROGRESS = "learner 10. The remaining progress is taken after the rollout and before training"

GOES_ON = (
    "    goes_on = 1.0 - jnp.concatenate([episode_starts[1:], last_dones[None]]).astype(jnp.float32)\n"
)

ESTIMATE = (
    Mutant(
        "cut-at-own-start",
        ADVANTAGES,
        GOES_ON,
        "    goes_on = 1.0 - episode_starts.astype(jnp.float32) + 0.0 * last_dones\n",
        _NEXT,
    ),
    Mutant(
        "last-end-ignored",
        ADVANTAGES,
        "jnp.concatenate([episode_starts[1:], last_dones[None]])",
        "jnp.concatenate([episode_starts[1:], jnp.zeros_like(last_dones)[None]])",
        _LAST,
    ),
    Mutant(
        "last-end-of-last-start",
        TRAIN,
        "        actor.episode_start,\n        hyper.gamma,\n",
        "        rollout.episode_starts[-1],\n        hyper.gamma,\n",
        _LAST,
    ),
    Mutant(
        "advantage-over-the-cut",
        ADVANTAGES,
        "gamma * gae_lambda * on * advantage",
        "gamma * gae_lambda * advantage",
        _LAMBDA,
    ),
    Mutant(
        "value-over-the-cut",
        ADVANTAGES,
        "        delta = reward + gamma * after * on - value\n",
        "        delta = reward + gamma * after - value\n",
        "learner 4. delta = r + gamma V' n - V",
    ),
    Mutant(
        "lambda-on-the-value",
        ADVANTAGES,
        "        delta = reward + gamma * after * on - value\n",
        "        delta = reward + gamma * gae_lambda * after * on - value\n",
        "learner 4. delta = r + gamma V' n - V",
    ),
    Mutant(
        "lambda-left-out",
        ADVANTAGES,
        "gamma * gae_lambda * on * advantage",
        "gamma * on * advantage",
        _LAMBDA,
    ),
    Mutant(
        "returns-of-next-value",
        ADVANTAGES,
        "    return advantages, advantages + values\n",
        "    return advantages, advantages + following\n",
        "learner 4. R = A + V",
    ),
    Mutant(
        "advantage-ddof-0",
        ADVANTAGES,
        "(size - 1)",
        "size",
        _STANDARD,
    ),
    Mutant("advantage-epsilon", ADVANTAGES, "ADVANTAGE_EPS = 1e-8", "ADVANTAGE_EPS = 1e-6", _STANDARD),
    Mutant(
        "advantage-not-centred",
        ADVANTAGES,
        "    return centred / (spread + ADVANTAGE_EPS)\n",
        "    return advantages / (spread + ADVANTAGE_EPS)\n",
        _STANDARD,
    ),
)

MINIBATCHES = (
    Mutant(
        "order-of-first-epoch-again",
        MINIBATCH,
        "    words = jax.random.bits(key, shape)\n",
        "    words = jnp.broadcast_to(jax.random.bits(key, shape[1:]), shape)\n",
        _ORDER,
    ),
    Mutant(
        "order-of-first-update-again",
        TRAIN,
        "jax.random.fold_in(jax.random.wrap_key_data(agent.key), agent.updates)",
        "jax.random.wrap_key_data(agent.key)",
        _ORDER,
    ),
    Mutant(
        "order-as-collected",
        MINIBATCH,
        "(jax.lax.sort(packed, dimension=2) & low)",
        "(packed & low)",
        _ORDER,
    ),
    Mutant(
        "groups-one-after-another",
        MINIBATCH,
        "jnp.swapaxes(apart, 1, 2).reshape(epochs, -1)",
        "apart.reshape(epochs, -1)",
        "learner 5. every minibatch has as many of each",
    ),
    Mutant(
        "numbered-step-by-step",
        MINIBATCH,
        "layout.whole(jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[2:]))",
        "layout.whole(x.reshape(-1, *x.shape[2:]))",
        _NUMBERED,
    ),
    Mutant(
        "scale-of-another-step",
        MINIBATCH,
        "x[numbers % steps]",
        "x[numbers // steps]",
        "learner 13. normalised observations",
    ),
    Mutant(
        "partial-minibatch-dropped",
        PPO,
        "        if rest:\n",
        "        if rest and not full:\n",
        "learner 5. The partial last minibatch is kept",
    ),
)

LOSS = (
    Mutant(
        "ratio-clip-in-logs",
        GRADIENTS,
        "jnp.clip(ratio, 1.0 - hyper.clip_range, 1.0 + hyper.clip_range)",
        "jnp.clip(ratio, 1.0 / (1.0 + hyper.clip_range), 1.0 + hyper.clip_range)",
        _POLICY,
    ),
    Mutant(
        "ratio-clip-below-alone",
        GRADIENTS,
        "jnp.clip(ratio, 1.0 - hyper.clip_range, 1.0 + hyper.clip_range)",
        "jnp.maximum(ratio, 1.0 - hyper.clip_range)",
        _POLICY,
    ),
    Mutant(
        "ratio-clipped-alone",
        GRADIENTS,
        "jnp.minimum(advantages * ratio, advantages * clipped)",
        "advantages * clipped",
        _POLICY,
    ),
    Mutant(
        "ratio-greater-counts",
        GRADIENTS,
        "jnp.minimum(advantages * ratio, advantages * clipped)",
        "jnp.maximum(advantages * ratio, advantages * clipped)",
        _POLICY,
    ),
    Mutant(
        "mean-over-choices",
        GRADIENTS,
        "    return jax.tree.map(lambda x: x / size, (grads, sums))\n",
        "    return jax.tree.map(lambda x: x / jnp.maximum(count, 1), (grads, sums))\n",
        _EVERY,
    ),
    Mutant(
        "forced-moves-left-out",
        GRADIENTS,
        "sums._replace(policy_loss=sums.policy_loss - of_forced)",
        "sums._replace(policy_loss=sums.policy_loss - 0.0 * of_forced)",
        _EVERY,
    ),
    Mutant(
        "forced-moves-twice",
        GRADIENTS,
        "        return jnp.sum(jnp.where(counted, x, 0.0))\n",
        "        return jnp.sum(x)\n",
        _EVERY,
    ),
    Mutant(
        "rest-of-choices-left-out",
        CHUNKS,
        "shapes)\n    return jax.lax.fori_loop(0, (count + chunk - 1) // chunk, body, start)",
        "shapes)\n    return jax.lax.fori_loop(0, jnp.maximum(count // chunk, 1), body, start)",
        _EVERY,
    ),
    Mutant(
        "entropy-punished",
        GRADIENTS,
        "    loss = sums.policy_loss + hyper.ent_coef * sums.entropy_loss\n",
        "    loss = sums.policy_loss - hyper.ent_coef * sums.entropy_loss\n",
        "learner 6. Minus ent_coef times the mean entropy",
    ),
    Mutant(
        "entropy-unmasked",
        GRADIENTS,
        "    log_probs = masked_log_probs(logits, batch.masks)\n",
        "    log_probs = masked_log_probs(logits, batch.masks)\n"
        "    plain = jax.nn.log_softmax(logits)\n"
        "    entropy = lambda *_: -jnp.sum(jnp.exp(plain) * plain, axis=-1)\n",
        "learner 2. The entropy sums over allowed actions, with the masked probabilities",
    ),
    Mutant(
        "value-loss-halved",
        GRADIENTS,
        "    squares = jnp.square(batch.returns - predicted)\n",
        "    squares = 0.5 * jnp.square(batch.returns - predicted)\n",
        "learner 6. without a factor of one half",
    ),
    Mutant(
        "value-clip-with-maximum",
        GRADIENTS,
        "    squares = jnp.square(batch.returns - predicted)\n",
        "    squares = jnp.square(batch.returns - predicted)\n"
        "    squares = jnp.maximum(squares, jnp.square(batch.returns - values))\n",
        _VALUE,
    ),
    Mutant(
        "value-not-clipped",
        LOSSES,
        "    return jnp.where(jnp.isfinite(clip_range), before + near, values)\n",
        "    return values + 0.0 * near\n",
        _VALUE,
    ),
    Mutant(
        "value-weight-left-out",
        GRADIENTS,
        "lambda p, v: p + hyper.vf_coef * v",
        "lambda p, v: p + v",
        "learner 6. Plus vf_coef times the mean",
    ),
    Mutant(
        "slope-left-out",
        CPU_MLP,
        "            g = g * _slope(hidden[number], activation)\n",
        "            g = g * 1.0\n",
        _GRADIENT,
    ),
    Mutant(
        "slope-of-tanh-not-squared",
        CPU_MLP,
        "    return 1.0 - jnp.square(given)\n",
        "    return 1.0 - jnp.abs(given)\n",
        _GRADIENT,
    ),
    Mutant(
        "bias-gradient-mean",
        CPU_MLP,
        "jnp.sum(g, axis=1)",
        "jnp.mean(g, axis=1)",
        _GRADIENT,
    ),
    Mutant(
        "gradient-of-layer-above",
        CPU_MLP,
        "            of_kernel = _barrier(_product(hidden[number - 1], g, (1, 1)))\n",
        "            of_kernel = _barrier(_product(jnp.abs(hidden[number - 1]) ** 0.5, g, (1, 1)))\n",
        _GRADIENT,
    ),
    Mutant(
        "norm-of-each-tensor",
        PPO,
        "    return jax.tree.map(lambda g: g * factor, grads)\n",
        "    def limit(g):\n"
        "        return jnp.minimum(1.0, max_norm / (jnp.linalg.norm(g.reshape(-1)) + CLIP_EPS))\n\n"
        "    return jax.tree.map(lambda g: g * limit(g) + 0.0 * factor, grads)\n",
        "learner 7. One norm over all weights of both MLPs",
    ),
    Mutant(
        "norm-of-each-mlp",
        PPO,
        "    norm = optax.tree.norm(grads)\n",
        "    leaves = jax.tree_util.tree_leaves_with_path(grads)\n"
        "    norm = optax.tree.norm([leaf for path, leaf in leaves if 'value' not in str(path)])\n",
        "learner 7. One norm over all weights of both MLPs",
    ),
    Mutant(
        "norm-largest-number",
        PPO,
        "    norm = optax.tree.norm(grads)\n",
        "    norm = jnp.max(jnp.array([jnp.max(jnp.abs(g)) for g in jax.tree.leaves(grads)]))\n",
        _NORM,
    ),
    Mutant("norm-epsilon", PPO, "CLIP_EPS = 1e-6", "CLIP_EPS = 0.0", _NORM),
    Mutant(
        "norm-scaled-up",
        PPO,
        "    factor = jnp.minimum(1.0, max_norm / (norm + CLIP_EPS))\n",
        "    factor = max_norm / (norm + CLIP_EPS)\n",
        _NORM,
    ),
)

STEPS = (
    Mutant("adam-epsilon", ADAM, "EPS = 1e-5", "EPS = 1e-8", _EPSILON),
    Mutant(
        "adam-epsilon-in-root",
        ADAM,
        "(jnp.sqrt(v) / root + EPS)",
        "jnp.sqrt(v / root**2 + EPS)",
        _EPSILON,
    ),
    Mutant(
        "adam-epsilon-before-correction",
        ADAM,
        "(jnp.sqrt(v) / root + EPS)",
        "((jnp.sqrt(v) + EPS) / root)",
        _EPSILON,
    ),
    Mutant(
        "adam-first-not-corrected",
        ADAM,
        "    step = learning_rate / _correction(BETA_1, count)\n",
        "    step = learning_rate\n",
        _CORRECTED,
    ),
    Mutant(
        "adam-second-not-corrected",
        ADAM,
        "    root = jnp.sqrt(_correction(BETA_2, count))\n",
        "    root = jnp.float32(1.0)\n",
        _CORRECTED,
    ),
    Mutant("adam-count-off", ADAM, "count = state.count + 1", "count = state.count + 2", _CORRECTED),
    Mutant("adam-beta-1", ADAM, "BETA_1, BETA_2 = 0.9, 0.999", "BETA_1, BETA_2 = 0.95, 0.999", _BETAS),
    Mutant("adam-beta-2", ADAM, "BETA_1, BETA_2 = 0.9, 0.999", "BETA_1, BETA_2 = 0.9, 0.99", _BETAS),
    Mutant("kl-factor-one", PPO, "1.5 * hyper.target_kl", "1.0 * hyper.target_kl", _STOP),
    Mutant(
        "kl-first-order",
        GRADIENTS,
        "        approx_kl=total(ratio - 1.0 - change),\n",
        "        approx_kl=total(-change),\n",
        "learner 9. mean(exp d - 1 - d)",
    ),
    Mutant(
        "kl-stops-after-the-step",
        PPO,
        "jnp.where(stopped, old, new), state, moved)",
        "jnp.where(stopped & (terms.approx_kl <= 1.5 * hyper.target_kl), old, new), state, moved)",
        _STOP,
    ),
    Mutant(
        "kl-ends-the-epoch-alone",
        PPO,
        "        records = []\n",
        "        records, carry = [], (carry[0], jnp.zeros((), bool))\n",
        _STOP,
    ),
    Mutant("rate-before-the-rollout", TRAIN, "    done = updates + 1", "    done = updates", _PROGRESS),
    Mutant(
        "clip-range-not-annealed",
        TRAIN,
        ", clip_range=hyper.clip_range * left)",
        ")",
        "learner 10. learning rate and clip range are multiplied by it",
    ),
)

UPDATES = (*ESTIMATE, *MINIBATCHES, *LOSS, *STEPS)
