"""``MaskablePPO``: train, use and judge a trading policy from Python, in the calls that SB3 taught.

It runs the same program as ``rltrader train``, behind the same gate, and its files are the same.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foundation.errors import InputError
from foundation.files import file_digest
from parity.admission import CERTIFICATE, Demand, Training, admit

if TYPE_CHECKING:
    from gymnasium import Env

    from jax_port.envs.gymnax_api import FiveValueStep, TradingPhase1
    from jax_port.evaluation.evaluate import Evaluation
    from jax_port.ppo.policy import Policy
    from jax_port.ppo.settings import TrainSettings
    from jax_port.runs.plan import Plan
    from markets import Bars, EnvConfig
    from rltrader.python.callbacks import Callback
    from rltrader.python.schedules import Schedule

    Environment = Env[Any, Any] | TradingPhase1 | FiveValueStep

POLICY = "policy-0.safetensors"
"""A run's first policy."""


class MaskablePPO:
    """An agent of the trading environment.

    Args:
        bars: one market or several to train on, or an environment of this project that holds them, of
            Gymnasium or gymnax; not needed for an agent that is loaded.
        phase: 1 or 2, where neither ``config`` nor an environment is given.
        config: the environment's rules; an environment brings its own.
        certificate: of the parity gate, from ``rltrader parity run``.
        ungated: train without proof of parity; whatever the agent writes says so.
        network: a Flax module of your own, of linen or nnx, or a function of ``rngs`` that returns one
            of nnx: from normalised observations (B, D) to logits (B, A) and values (B,). One that
            computes what MaskablePPO's MLPs compute is covered by certificates; any other needs
            ``ungated``.
        schedules: functions of the progress left, from 1 to 0, by the name of the number, such as
            ``learning_rate``; SB3's schedules.
        **settings: fields of :class:`jax_port.ppo.settings.TrainSettings`, such as ``n_envs``,
            ``learning_rate``, ``pi``, ``vf`` or ``seed``.

    Raises:
        InputError: a setting is unknown or not valid, or ``bars`` is neither bars nor an environment of
            this project.
    """

    def __init__(
        self,
        bars: Bars | Sequence[Bars] | Environment = (),
        *,
        phase: int = 1,
        config: EnvConfig | None = None,
        certificate: str | Path = CERTIFICATE,
        ungated: bool = False,
        network: Any = None,
        schedules: Mapping[str, Schedule] | None = None,
        **settings: Any,
    ) -> None:
        from jax_port.ppo.own.module import own_network
        from jax_port.ppo.settings import TrainSettings
        from markets import EnvConfig
        from rltrader.python.environment import bars_and_rules
        from rltrader.python.network import refuse_shapes
        from rltrader.python.schedules import table_of

        if phase not in (1, 2):
            raise InputError(f"phase is {phase!r}; choose 1 or 2")
        self.markets, rules = bars_and_rules(bars)
        plain = EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()
        self.config = config or rules or plain
        if rules is not None and (self.config != rules or rules.phase < phase):
            raise InputError(
                "the environment has other rules than the phase, config or policy beside it; leave out "
                "phase and config, or make the environment with the same rules"
            )
        self.own = None if network is None else own_network(network)
        if self.own is not None:
            refuse_shapes(settings)
        self.settings = TrainSettings().override(**settings)
        self.schedules = dict(schedules or {})
        table_of(self.schedules, self.settings)
        self.certificate, self.ungated = Path(certificate), ungated
        self.policy: Policy | None = None
        self.folder: Path | None = None
        self._file: Path | None = None

    def learn(
        self,
        steps: int | None = None,
        *,
        callback: Callback | Sequence[Callback] | None = None,
        folder: str | Path | None = None,
        loggers: Sequence[str] = (),
    ) -> MaskablePPO:
        """Train and return the agent; an agent that has a policy goes on from its weights.

        Args:
            steps: transitions, rounded up to whole rollouts; by default the settings' own.
            callback: one or several functions of a :class:`rltrader.python.callbacks.Call`, called
                after every call of the compiled program; one that returns True ends the training.
            folder: the run's folder, as ``rltrader train --out`` writes it; a temporary one by default,
                which lives as long as the agent.
            loggers: "wandb", "mlflow", which follow the run too.

        Raises:
            InputError: there are no bars, they have problems that nobody accepted or can't be kept as
                they are, the certificate does not carry the training, the folder holds a run, or a loss
                is no number any more.
        """
        from jax_port.ppo.policy import load_policy
        from jax_port.runs import run as runs
        from jax_port.runs.gate import pass_gate
        from rltrader.options.run_toml import texts_of
        from rltrader.python.callbacks import Call, together

        if not self.markets:
            raise InputError("there are no bars to train on; give them as MaskablePPO(bars)")
        out = self._new_folder(folder)
        runs.refuse_occupied(out)
        settings = self.settings if steps is None else self.settings.override(total_timesteps=steps)
        plan = self._plan(settings, out)
        training = Training(plan.data, plan.config, plan.settings)
        proof = pass_gate(lambda path: admit(path, training, Demand()), self.certificate, self.ungated)
        leave, ask = [False], together(callback)
        size, total = settings.rollout_size, plan.settings.num_updates

        def watch(moment: runs.Moment) -> None:
            leave[0] = bool(ask(Call(moment, size, total)))

        plan = replace(plan, certificate=proof)
        runs.run(
            plan,
            out,
            enough=lambda: leave[0],
            watch=watch,
            begin=True,
            texts=texts_of(plan),
            certificate=proof,
            loggers=loggers,
        )
        self.folder, self._file = out, out / POLICY
        self.policy = load_policy(self._file, plan.settings.own)
        return self

    def predict(self, obs: ArrayLike, masks: ArrayLike) -> NDArray[np.int32]:
        """Return the likeliest allowed action of each observation, int32 (N,).

        Args:
            obs: (N, D) or (D,), raw, as the environment gives them.
            masks: bool (N, A) or (A,), the allowed actions.

        Raises:
            InputError: there is no policy, or the shapes are not its own.
        """
        import jax.numpy as jnp

        from jax_port.ppo.policy import decide

        policy = self._trained()
        rows, allowed = (
            np.atleast_2d(np.asarray(obs, np.float32)),
            np.atleast_2d(np.asarray(masks, bool)),
        )
        sizes = policy.observation_size, policy.network.num_actions
        if rows.shape != (len(allowed), sizes[0]) or allowed.shape[1] != sizes[1]:
            raise InputError(
                f"obs {rows.shape} and masks {allowed.shape}; give (N, {sizes[0]}) and (N, {sizes[1]})"
            )
        chosen = decide(
            policy.network, policy.params, policy.scale, jnp.asarray(rows), jnp.asarray(allowed)
        )
        return np.asarray(chosen if np.ndim(obs) > 1 else chosen[0])

    def evaluate(self, bars: Bars) -> Evaluation:
        """Let the policy trade every start of some bars; return its episodes, trades and equity.

        ``jax_port.evaluation.metrics.summarize`` makes numbers of it. Dates that training has seen are
        not refused here, as ``rltrader evaluate`` refuses them.

        Raises:
            InputError: there is no policy, no episode may start in the bars, or their contract has
                other numbers than the one of that symbol that was trained on.
        """
        from jax_port.data.data_loader import prepare
        from jax_port.data.trained_contract import require_same_contract
        from jax_port.evaluation.evaluate import evaluate

        policy = self._trained()
        require_same_contract(policy.about, bars.contract)
        return evaluate(policy, prepare(bars, policy.config))

    def save(self, path: str | Path) -> Path:
        """Write the policy as one file, which ``rltrader export`` and :meth:`load` read; return it.

        Raises:
            InputError: there is no policy.
        """
        from jax_port.ppo.policy import save_policy

        save_policy(Path(path), self._trained())
        return Path(path)

    @classmethod
    def load(
        cls,
        path: str | Path,
        bars: Bars | Sequence[Bars] | Environment = (),
        *,
        network: Any = None,
        **settings: Any,
    ) -> MaskablePPO:
        """Return an agent with a policy from a file, in the rules that it was trained in.

        Args:
            path: a policy, or the folder of a run or a bundle that holds one.
            bars: to train it further on, or an environment of the same rules.
            network: the module, where it is your own; the file holds its weights, and no code.
            **settings: as of the class, but for what the policy says itself.

        Raises:
            InputError: the file is no policy.
        """
        from jax_port.ppo.own.module import own_network
        from jax_port.ppo.policy import load_policy
        from jax_port.runs.find_policy import find_policy

        file = find_policy(Path(path))
        own = None if network is None else own_network(network)
        policy = load_policy(file, own)
        spec = policy.spec
        shape = {"pi": spec.pi, "vf": spec.vf, "activation": spec.activation}
        known = shape if own is None else {"network": own}
        agent = cls(bars, config=policy.config, **known, **settings)
        agent.policy, agent._file = policy, file
        return agent

    def _trained(self) -> Policy:
        if self.policy is None:
            raise InputError(
                "this agent has no policy yet; call learn() first, or MaskablePPO.load(FILE)"
            )
        return self.policy

    def _new_folder(self, folder: str | Path | None) -> Path:
        if folder is not None:
            return Path(folder)
        made = tempfile.mkdtemp(prefix="rltrader-")
        weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        return Path(made) / "run"

    def _plan(self, settings: TrainSettings, out: Path) -> Plan:
        """Return the plan of a training; bars are written beside the run, to go on with it."""
        from jax_port.runs.plan import Plan
        from jax_port.runs.training_data import TrainingData
        from rltrader.python.given_bars import write_given
        from rltrader.python.network import placed
        from rltrader.python.schedules import table_of

        sources = write_given(self.markets, out.parent / f"{out.name}-bars")
        first = self._file
        if self.own is not None:
            drawn = out.parent / f"{out.name}-drawn.safetensors"
            settings, new = placed(self.own, self.config, settings, drawn)
            first = first or new
        initial = {}
        if first is not None:
            initial = {"path": str(first.absolute()), "sha256": file_digest(first)}
        data, schedules = TrainingData(sources), table_of(self.schedules, settings)
        return Plan(settings, data, self.config, initial=initial, schedules=schedules)
