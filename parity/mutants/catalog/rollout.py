"""Faults of what a learner sees and collects: ``docs/learner.md``, sections 1 to 3, 11 and 12."""

from __future__ import annotations

from parity.mutants.mutant import Mutant

NETWORKS = "jax_port/ppo/networks.py"
POLICY = "jax_port/ppo/policy.py"
ROLLOUT = "jax_port/ppo/rollout.py"
BOOTSTRAP = "jax_port/ppo/fast/bootstrap.py"
CHUNKS = "jax_port/ppo/fast/microbatch.py"
CPU_MLP = "jax_port/ppo/fast/cpu_mlp.py"
NORMALIZE = "jax_port/ppo/running_statistics.py"

_ONCE = "learner 2. the result is normalised again"
_MODE = "learner 2. A deterministic action is the first of the most probable allowed ones"
_CUT = "learner 3. Where an episode is truncated, V(terminal observation) is added to the reward"
_START = "learner 3. An episode start is flagged at the first step of an episode, across rollouts too"
_LOG_PROB = "learner 3. The log probability of a step is that of the weights that collected it"
_COUNT = "learner 11. the count begins at 1e-4"
_MERGE = "learner 11. merged in with its population variance and the term for the distance of the means"
_SCALED = "learner 11. (x - mean) / sqrt(var + 1e-8), clipped to +-10"
_SEEN = "learner 11. Observations of resets count; terminal observations never do"
_SUM = "learner 12. a discounted sum G = gamma G + r"
_REWARD = "learner 12. r / sqrt(var + 1e-8), with the variance after the update, not centred, clipped"
_ZERO = "learner 12. G becomes zero where an episode ended, in either way, after its last reward"

NETWORK = (
    Mutant(
        "mlp-first-layer-linear",
        CPU_MLP,
        "    for kernel, bias in layers[:-1]:\n        x = act(x @ kernel + bias[None])\n",
        "    for number, (kernel, bias) in enumerate(layers[:-1]):\n"
        "        x = x @ kernel + bias[None]\n"
        "        x = act(x) if number else x\n",
        "learner 1. Every hidden layer is followed by the activation",
    ),
    Mutant(
        "mask-minus-infinity",
        NETWORKS,
        "FORBIDDEN_LOGIT = -1e8",
        'FORBIDDEN_LOGIT = -float("inf")',
        "learner 2. -1e8 is put where an action is forbidden; with minus infinity gradients are NaN",
    ),
    Mutant(
        "mask-normalised-once",
        NETWORKS,
        "    return jax.nn.log_softmax(jnp.where(masks, normal, FORBIDDEN_LOGIT))\n",
        "    return jnp.where(masks, normal, FORBIDDEN_LOGIT)\n",
        _ONCE,
    ),
    Mutant(
        "mask-ignored",
        NETWORKS,
        "    return jax.nn.log_softmax(jnp.where(masks, normal, FORBIDDEN_LOGIT))\n",
        "    return normal\n",
        "learner 2. Actions are drawn from the masked probabilities",
    ),
    Mutant(
        "mask-small-penalty",
        NETWORKS,
        "FORBIDDEN_LOGIT = -1e8",
        "FORBIDDEN_LOGIT = -10.0",
        "learner 2. -1e8 is put where an action is forbidden",
    ),
    Mutant(
        "mode-of-logits",
        POLICY,
        "    return mode(masked_log_probs(logits, masks))\n",
        "    return jnp.argmax(jnp.where(masks, logits, -1e8), axis=-1).astype(jnp.int32)\n",
        "learner 2. Probabilities are compared, not logits",
    ),
    Mutant(
        "mode-of-forbidden",
        POLICY,
        "    return mode(masked_log_probs(logits, masks))\n",
        "    return mode(masked_log_probs(logits, jnp.ones_like(masks)))\n",
        _MODE,
    ),
    Mutant(
        "mode-last",
        NETWORKS,
        "    return jnp.argmax(jnp.exp(log_probs), axis=-1).astype(jnp.int32)\n",
        "    last = log_probs.shape[-1] - 1\n"
        "    return (last - jnp.argmax(jnp.exp(log_probs)[..., ::-1], axis=-1)).astype(jnp.int32)\n",
        _MODE,
    ),
    Mutant(
        "sample-likeliest",
        NETWORKS,
        "    return jax.random.categorical(key, log_probs).astype(jnp.int32)\n",
        "    return mode(log_probs + 0.0 * jax.random.uniform(key))\n",
        "learner 2. Actions are drawn from the masked probabilities",
    ),
    Mutant(
        "sample-flattened",
        NETWORKS,
        "    return jax.random.categorical(key, log_probs).astype(jnp.int32)\n",
        "    return jax.random.categorical(key, 0.5 * log_probs).astype(jnp.int32)\n",
        "learner 2. Actions are drawn from the masked probabilities",
    ),
)

COLLECT = (
    Mutant(
        "cut-not-valued",
        ROLLOUT,
        "        rewards=rollout.rewards + jnp.where(cut.truncated, lost, 0.0),\n",
        "        rewards=rollout.rewards,\n",
        _CUT,
    ),
    Mutant(
        "cut-undiscounted",
        ROLLOUT,
        "    lost = gamma * value_of_cut(",
        "    lost = value_of_cut(",
        "learner 3. gamma V(terminal observation) is added",
    ),
    Mutant(
        "cut-valued-on-termination",
        ROLLOUT,
        "cut = Cut(moved.outcome.truncated, moved.final_state.step_idx, after,",
        "cut = Cut(actor.episode_start, moved.final_state.step_idx, after,",
        "learner 3. and not where it is terminated",
    ),
    Mutant(
        "cut-valued-at-next-episode",
        ROLLOUT,
        "        after = look(moved.final_state)\n"
        "        cut = Cut(moved.outcome.truncated, moved.final_state.step_idx,",
        "        after = look(moved.state)\n"
        "        cut = Cut(moved.outcome.truncated, moved.state.step_idx,",
        "learner 3. The terminal observation is the old episode's last",
    ),
    Mutant(
        "cut-scaled-as-before",
        ROLLOUT,
        "moved.final_state.step_idx, after, scale_of(actor.moments))",
        "moved.final_state.step_idx, after, scale)",
        "learner 3. normalised with the statistics after the step",
    ),
    Mutant(
        "cut-added-before-normalising",
        ROLLOUT,
        "        rewards=rollout.rewards + jnp.where(cut.truncated, lost, 0.0),\n",
        "        rewards=rollout.rewards\n"
        "        + jnp.where(cut.truncated, lost, 0.0)\n"
        "        / jnp.sqrt(actor.rewards.moments.var.astype(jnp.float32) + 1e-8),\n",
        "learner 3. after the reward was normalised and clipped",
    ),
    Mutant(
        "cut-clipped-with-reward",
        ROLLOUT,
        "        rewards=rollout.rewards + jnp.where(cut.truncated, lost, 0.0),\n",
        "        rewards=jnp.clip(rollout.rewards + jnp.where(cut.truncated, lost, 0.0), -1.0, 1.0),\n",
        "learner 3. after the reward was normalised and clipped",
    ),
    Mutant(
        "cut-first-chunk-alone",
        BOOTSTRAP,
        "        return carry[0] < count\n",
        "        return carry[0] < jnp.minimum(count, 1)\n",
        _CUT,
    ),
    Mutant(
        "start-a-step-early",
        ROLLOUT,
        "    first = jnp.concatenate([starts[None], rollout.episode_starts[:-1]])\n",
        "    first = rollout.episode_starts\n",
        _START,
    ),
    Mutant(
        "start-with-every-rollout",
        ROLLOUT,
        "    first = jnp.concatenate([starts[None], rollout.episode_starts[:-1]])\n",
        "    first = jnp.concatenate([jnp.ones_like(starts)[None], rollout.episode_starts[:-1]])\n",
        _START,
    ),
    Mutant(
        "start-not-after-truncation",
        ROLLOUT,
        "        episode_start=done,\n",
        "        episode_start=outcome.terminated,\n",
        "learner 4. A truncation cuts like a termination",
    ),
    Mutant(
        "log-prob-unmasked",
        ROLLOUT,
        "            log_probs=log_prob(log_probs, action),\n",
        "            log_probs=log_prob(jax.nn.log_softmax(logits), action),\n",
        _LOG_PROB,
    ),
    Mutant(
        "rest-of-rows-not-asked",
        CHUNKS,
        "float32)\n        return jax.lax.fori_loop(0, (count + chunk - 1) // chunk, body, start)\n",
        "float32)\n        return jax.lax.fori_loop(0, count // chunk, body, start)\n",
        _LOG_PROB,
    ),
    Mutant(
        "last-value-scaled-as-before",
        ROLLOUT,
        "    obs = reconstruct_obs(actor.env_state.step_idx, position, scale_of(actor.moments), "
        "params)\n",
        "    scale = jax.tree.map(lambda x: x[-1], rollout.scales)\n"
        "    obs = reconstruct_obs(actor.env_state.step_idx, position, scale, params)\n",
        "learner 4. the observation that follows it, normalised with the statistics of that moment",
    ),
    Mutant(
        "reward-normalised-always",
        ROLLOUT,
        "    if norm_reward:\n",
        "    if norm_reward is not None:\n",
        "learner 13. quiet: rewards as they are",
    ),
)

STATISTICS = (
    Mutant(
        "resets-not-counted",
        ROLLOUT,
        "        moments=update_moments(init_moments((obs.shape[1],)), obs),\n",
        "        moments=init_moments((obs.shape[1],)),\n",
        _SEEN,
    ),
    Mutant(
        "terminal-observations-counted",
        ROLLOUT,
        "    moments = update_moments(actor.moments, moved.obs)\n",
        "    moments = update_moments(actor.moments, moved.final_obs)\n",
        _SEEN,
    ),
    Mutant(
        "terminal-observations-counted-too",
        ROLLOUT,
        "    moments = update_moments(actor.moments, moved.obs)\n",
        "    moments = update_moments(update_moments(actor.moments, moved.final_obs), moved.obs)\n",
        _SEEN,
    ),
    Mutant("count-from-zero", NORMALIZE, "jnp.full((), 1e-4,", "jnp.full((), 0.0,", _COUNT),
    Mutant("count-from-one", NORMALIZE, "jnp.full((), 1e-4,", "jnp.full((), 1.0,", _COUNT),
    Mutant(
        "batch-ddof-1",
        NORMALIZE,
        "        var = jnp.mean(jnp.square(wide - mean[None]), axis=0)\n",
        "        var = jnp.var(wide, axis=0, ddof=1)\n",
        _MERGE,
    ),
    Mutant(
        "means-not-apart",
        NORMALIZE,
        "        spread = spread + jnp.square(delta) * (moments.count * size / total)\n",
        "",
        _MERGE,
    ),
    Mutant(
        "statistics-float32",
        NORMALIZE,
        "        return RunningMoments(moments.mean + delta * (size / total), spread / total, total)\n",
        "        mean = (moments.mean + delta * (size / total)).astype(jnp.float32)\n"
        "        return RunningMoments(mean.astype(jnp.float64), spread / total, total)\n",
        "learner 11. Mean and variance of every feature, in float64",
    ),
    Mutant(
        "mean-in-one-half",
        NORMALIZE,
        "((obs - high) - low) * inv",
        "(obs - high) * inv",
        "learner 11. Mean and variance of every feature, in float64",
    ),
    Mutant("clip-at-five", NORMALIZE, "CLIP = 10.0", "CLIP = 5.0", _SCALED),
    Mutant(
        "observations-not-clipped",
        NORMALIZE,
        "    return jnp.clip(((obs - high) - low) * inv, -CLIP, CLIP)\n",
        "    return ((obs - high) - low) * inv\n",
        _SCALED,
    ),
    Mutant("normal-epsilon", NORMALIZE, "EPSILON = 1e-8", "EPSILON = 1e-5", _SCALED),
    Mutant(
        "normal-epsilon-outside-root",
        NORMALIZE,
        "        inv = 1.0 / jnp.sqrt(moments.var + jnp.float64(EPSILON))\n",
        "        inv = 1.0 / (jnp.sqrt(moments.var) + jnp.float64(EPSILON))\n",
        _SCALED,
    ),
)

REWARDS = (
    Mutant(
        "sum-undiscounted",
        NORMALIZE,
        "        returns = state.returns * gamma.astype(jnp.float64) + reward.astype(jnp.float64)\n",
        "        returns = state.returns + reward.astype(jnp.float64)\n",
        _SUM,
    ),
    Mutant(
        "sum-zeroed-before-last-reward",
        NORMALIZE,
        "        moments = update_moments(state.moments, returns)\n",
        "        returns = jnp.where(done, jnp.float64(0.0), returns)\n"
        "        moments = update_moments(state.moments, returns)\n",
        _ZERO,
    ),
    Mutant(
        "sum-never-zeroed",
        NORMALIZE,
        "        kept = jnp.where(done, jnp.float64(0.0), returns)\n",
        "        kept = returns\n",
        _ZERO,
    ),
    Mutant(
        "sum-kept-over-truncation",
        ROLLOUT,
        "normalize_reward(rewards, reward, done, gamma)",
        "normalize_reward(rewards, reward, outcome.terminated, gamma)",
        _ZERO,
    ),
    Mutant(
        "reward-centred",
        NORMALIZE,
        "        scaled = reward.astype(jnp.float64) / jnp.sqrt(",
        "        scaled = (reward.astype(jnp.float64) - moments.mean) / jnp.sqrt(",
        _REWARD,
    ),
    Mutant(
        "reward-not-clipped",
        NORMALIZE,
        "        scaled = jnp.clip(scaled, -CLIP, CLIP).astype(jnp.float32)\n",
        "        scaled = scaled.astype(jnp.float32)\n",
        _REWARD,
    ),
    Mutant(
        "reward-by-variance-before",
        NORMALIZE,
        "jnp.sqrt(moments.var + jnp.float64(EPSILON))\n        scaled = jnp.clip",
        "jnp.sqrt(state.moments.var + jnp.float64(EPSILON))\n        scaled = jnp.clip",
        _REWARD,
    ),
    Mutant(
        "reward-by-variance-of-rewards",
        NORMALIZE,
        "        moments = update_moments(state.moments, returns)\n",
        "        moments = update_moments(state.moments, reward)\n",
        "learner 12. the variance of G over all environments and steps is updated",
    ),
)

ROLLOUTS = (*NETWORK, *COLLECT, *STATISTICS, *REWARDS)
