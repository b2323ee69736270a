"""The programs that are looked at: the environment in each form, and a whole update of the trainer.

This is the one module here that knows the port's own modules. A rollout's step and a minibatch are
loops inside the update, found by how often they turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.gpu_program.kernels import Block
from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs import form as program_form
from jax_port.envs.fast_rng import below, spread_bits
from jax_port.envs.observation import observe_window
from jax_port.envs.registry import PHASES
from jax_port.envs.state import EnvParams
from jax_port.ppo.minibatches import ONE_DEVICE
from jax_port.ppo.settings import RATES, TrainSettings, hyper_params
from jax_port.ppo.sharding import agent_shardings, make_layout
from jax_port.ppo.train_ppo_jax import init_agents, make_train
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

fresh_agents = jax.jit(init_agents, static_argnums=2)
Form = Literal["observations", "window and position apart", "no observations"]
FORMS: tuple[Form, ...] = ("observations", "window and position apart", "no observations")
TrainingForm = program_form.Form
TRAINING_FORM: TrainingForm = "gpu"
"""Of the trainer's program, unless told."""
TRAINING_FORMS = program_form.FORMS
ENVIRONMENT_STEPS = 32
"""Steps in one scan of the environment, unless told."""


@dataclass(frozen=True)
class Subject:
    """A program to compile, or to run.

    Attributes:
        name: as in tables.
        function: arguments -> results.
        arguments: makes them; under ``jax.eval_shape`` their shapes.
        donate: arguments whose memory results may take.
        envs: environments stepped together.
        steps: single environments' steps that one call makes.
        parts: names of loops inside, and the turns they are found by.
        places: a tree of shardings like the arguments; None for one device.
    """

    name: str
    function: Callable[..., Any]
    arguments: Callable[[], tuple[Any, ...]]
    donate: tuple[int, ...]
    envs: int
    steps: int
    parts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    places: Any = None

    def shapes(self) -> tuple[Any, ...]:
        """Return its arguments' shapes, without making them."""
        shapes: tuple[Any, ...] = jax.eval_shape(self.arguments)
        return shapes


@lru_cache
def market_params(phase: int, days: int) -> EnvParams:
    """Return the environment of one synthetic market, in the form for a GPU."""
    config = EnvConfig.phase2() if phase == 2 else EnvConfig.phase1()
    bars = synthetic_bars("ES", days=days, seed=0)
    params = PHASES[phase].make_params(stack([prepare(bars, config)]), config)
    return replace(params, form="gpu")


def environment(
    form: Form, phase: int, envs: int, days: int, steps: int = ENVIRONMENT_STEPS
) -> Subject:
    """Return the environment's loop: random valid actions, restarts, observations in a form.

    Args:
        form: what each step must write.
        phase: 1 or 2.
        envs: environments stepped together.
        days: of the market.
        steps: in one scan.
    """
    params = market_params(phase, days)
    rules = PHASES[phase]

    def see(state: Any, obs: jax.Array, params: EnvParams) -> Any:
        if form == "observations":
            return obs
        if form == "window and position apart":
            window = jax.vmap(observe_window, in_axes=(0, None))(state, params)
            return window, jax.vmap(rules.observe_position, in_axes=(0, None))(state, params)
        return ()

    def actions(key: jax.Array, state: Any, params: EnvParams) -> jax.Array:
        drawn = below(spread_bits(key, envs), rules.num_actions)
        masks = env.batch_action_masks(state, params, rules)
        number = jnp.arange(rules.num_actions, dtype=jnp.int32)
        allowed = jnp.any(masks & (drawn[:, None] == number[None, :]), axis=1)
        return jnp.where(allowed, drawn, env.HOLD)

    def run(keys: jax.Array, carry: tuple[Any, Any], params: EnvParams) -> Any:
        def body(carry: tuple[Any, Any, jax.Array], key: jax.Array) -> Any:
            state, _, total = carry
            moved = env.batch_step(key[1], state, actions(key[0], state, params), params, rules)
            obs = see(moved.state, moved.obs, params)
            return (moved.state, obs, total + moved.outcome.reward), None

        total = jnp.zeros(envs, jnp.float32)
        (state, obs, total), _ = jax.lax.scan(body, (*carry, total), keys)
        return (state, obs), total.sum()

    @jax.jit
    def start(key: jax.Array, params: EnvParams) -> tuple[Any, Any]:
        obs, state = env.batch_reset(key, params, envs, rules)
        return state, see(state, obs, params)

    def arguments() -> tuple[Any, ...]:
        key, reset = jax.random.split(jax.random.key(0))
        keys = jax.random.key_data(jax.random.split(key, (steps, 2)))
        return keys, start(reset, params), params

    def of_words(words: jax.Array, carry: tuple[Any, Any], params: EnvParams) -> Any:
        return run(jax.random.wrap_key_data(words), carry, params)

    name = f"environment, phase {phase}, {form}"
    return Subject(name, of_words, arguments, (1,), envs, envs * steps, {"step": (steps,)})


def training_settings(values: dict[str, Any]) -> TrainSettings:
    """Return settings of training from names and values.

    Raises:
        InputError: a name is unknown or a value is not valid.
    """
    return TrainSettings().override(**values)


def update(
    settings: TrainSettings,
    phase: int,
    days: int,
    form: TrainingForm = TRAINING_FORM,
    mesh: Mesh | None = None,
) -> Subject:
    """Return one update of one agent: a rollout and all its minibatches.

    Args:
        settings: sizes, precision and network.
        phase: 1 or 2.
        days: of the market.
        form: of the program.
        mesh: devices that it is divided over; None for one.
    """
    params = market_params(phase, days)

    def run(agent: Any, hyper: Any, params: EnvParams) -> Any:
        return train(agent, hyper, params)

    def arguments() -> tuple[Any, ...]:
        one = hyper_params(**{name: getattr(settings, name) for name in RATES})
        hyper = jax.tree.map(lambda x: jnp.broadcast_to(x, (1,)), one)
        # Fresh agents depend on no more of the settings, so more than one program starts with them.
        plain = TrainSettings(n_envs=settings.n_envs, network=settings.network)
        return fresh_agents(jnp.zeros(1, jnp.int32), params, plain), hyper, params

    places: tuple[Any, ...] | None = None
    layout = ONE_DEVICE
    if mesh is not None:
        shapes = jax.eval_shape(arguments)
        everywhere = NamedSharding(mesh, PartitionSpec())
        rest = jax.tree.map(lambda _: everywhere, shapes[1:])
        places, layout = (agent_shardings(mesh, shapes[0]), *rest), make_layout(mesh)
    train = make_train(settings, 1, 1, layout, places[0] if places else None, form)
    minibatches = -(-settings.rollout_size // settings.batch_size)
    full = settings.rollout_size // settings.batch_size
    turns = (settings.n_epochs * minibatches, settings.n_epochs * full)
    return Subject(
        f"training, phase {phase}, {settings.precision}, {form}",
        run,
        arguments,
        (0,),
        settings.n_envs,
        settings.rollout_size,
        {"rollout step": (settings.n_steps,), "minibatch": turns},
        places,
    )


def find_part(program: Block, turns: tuple[int, ...]) -> Block | None:
    """Return the loop whose body runs so often in one call and has most kernels, None if there is none.

    Args:
        program: of a whole update.
        turns: the numbers that are looked for; loops around it count with theirs.
    """
    matching: list[Block] = []

    def visit(block: Block, times: int) -> None:
        for inner in block.inside:
            if inner.trips is None or inner.is_branch:
                continue
            if times * inner.trips in turns:
                matching.append(inner)
            visit(inner, times * inner.trips)

    visit(program, 1)
    return max(matching, key=lambda block: sum(1 for _ in block.all_kernels()), default=None)
