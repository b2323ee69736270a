"""Loggers beside a run's own log: Weights & Biases and MLflow, both offline unless told otherwise.

They get a record an update and agent after the program has returned; nothing that is traced knows of
them. One that fails on the way is left out with a warning: no training ends because of it.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from foundation.files import json_digest
from jax_port.runs.logs.training_log import Record, scalars
from markets import InputError

if TYPE_CHECKING:
    from jax_port.runs.plan import Plan

PROJECT = "rltrader"
"""Name of the project, or experiment, where the environment gives no other."""
RUN, FINISHED = "run.json", "finished.json"
"""Files of a run that was begun, and of one that is finished."""
NAMED, TOLD = "rltrader.run", "rltrader.steps"
"""Tags of MLflow: which run and agent it follows, and up to which step it was told."""


class Logger(Protocol):
    """What follows a run."""

    def write(self, records: Sequence[Record]) -> None:
        """Take the records of some updates."""

    def close(self) -> None:
        """Finish."""


class WandbLogger:
    """A run of Weights & Biases an agent, in ``wandb`` of the run's folder.

    ``WANDB_MODE=online`` sends it as it goes; otherwise ``wandb sync`` does later. ``WANDB_PROJECT``
    names another project.

    Args:
        folder: of the run.
        plan: its settings.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        import wandb

        mode: Any = os.environ.get("WANDB_MODE", "offline")
        quiet = wandb.Settings(silent=True, console="off", x_disable_stats=True, disable_git=True)
        self._runs = [
            wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                dir=str(folder.absolute()),
                name=f"{folder.name}-agent-{agent}",
                group=folder.name,
                id=f"{_digest(folder, plan)}-{agent}",
                resume="allow" if mode == "online" else None,
                config=config,
                mode=mode,
                reinit="create_new",
                settings=quiet,
            )
            for agent, config in enumerate(_configs(plan))
        ]

    def write(self, records: Sequence[Record]) -> None:
        """Log the numbers at the agent's steps."""
        for record in records:
            self._runs[record["agent"]].log(scalars(record), step=record["steps"])

    def close(self) -> None:
        """Finish the runs."""
        for run in self._runs:
            run.finish()


class MlflowLogger:
    """A run of MLflow an agent, in ``mlflow.db`` of the run's folder.

    A run that is gone on with is gone on with there too; steps that it was told before are not told
    again. One that is left before its end is marked as killed. ``MLFLOW_TRACKING_URI`` names a server
    instead, ``MLFLOW_EXPERIMENT_NAME`` another experiment.

    Args:
        folder: of the run.
        plan: its settings.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        import sqlalchemy  # noqa: F401  # of the store; named here where it is missing
        from mlflow import MlflowClient
        from mlflow.entities import Param, RunTag

        place = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{folder.absolute()}/mlflow.db")
        self._client, self._folder = MlflowClient(tracking_uri=place), folder
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self._client.get_experiment_by_name(name)
        number = (
            self._client.create_experiment(name) if experiment is None else experiment.experiment_id
        )
        self._runs: list[str] = []
        self._told: list[int] = []
        for agent, config in enumerate(_configs(plan)):
            named = f"{_digest(folder, plan)}-{agent}"
            run = self._earlier(number, named)
            if run is None:
                run = self._client.create_run(number, run_name=f"{folder.name}-agent-{agent}")
                params = [Param(key, str(value)) for key, value in sorted(config.items())]
                self._client.log_batch(run.info.run_id, params=params, tags=[RunTag(NAMED, named)])
            else:
                self._client.update_run(run.info.run_id, status="RUNNING")
            self._runs.append(run.info.run_id)
            self._told.append(int(run.data.tags.get(TOLD, "0")))

    def write(self, records: Sequence[Record]) -> None:
        """Log the numbers at the agent's steps."""
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000)
        for record in records:
            agent, steps = record["agent"], record["steps"]
            if steps <= self._told[agent]:
                continue
            metrics = [Metric(key, value, now, steps) for key, value in scalars(record).items()]
            tags = [RunTag(TOLD, str(steps))]
            self._client.log_batch(self._runs[agent], metrics=metrics, tags=tags)
            self._told[agent] = steps

    def close(self) -> None:
        """Say how the runs have ended."""
        status = "FINISHED" if (self._folder / FINISHED).exists() else "KILLED"
        for run in self._runs:
            self._client.set_terminated(run, status)

    def _earlier(self, experiment: str, named: str) -> Any:
        """Return the run of MLflow that followed a run before it was cut off; None where it is new."""
        if not (self._folder / RUN).exists():
            return None
        found = self._client.search_runs(
            [experiment],
            filter_string=f"tags.`{NAMED}` = '{named}'",
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
        return found[0] if found else None


LOGGERS: Mapping[str, Callable[[Path, Plan], Logger]] = {"mlflow": MlflowLogger, "wandb": WandbLogger}
"""Loggers by name."""


class Guarded:
    """A logger whose failure is a warning, after which it gets no more.

    Args:
        name: for the warning.
        logger: to guard.
    """

    def __init__(self, name: str, logger: Logger) -> None:
        self._name, self._logger = name, logger
        self._works = True

    def write(self, records: Sequence[Record]) -> None:
        """Hand records on."""
        self._try(lambda: self._logger.write(records))

    def close(self) -> None:
        """Finish."""
        self._try(self._logger.close)

    def _try(self, call: Callable[[], None]) -> None:
        if not self._works:
            return
        try:
            call()
        except Exception as error:
            self._works = False
            first = (str(error).splitlines() or [""])[0]
            warnings.warn(
                f"{self._name} failed and gets no more of this run ({type(error).__name__}: {first})",
                RuntimeWarning,
                stacklevel=3,
            )


def make_loggers(names: Sequence[str], folder: Path, plan: Plan) -> list[Logger]:
    """Return loggers by name, each guarded.

    Raises:
        InputError: a name is unknown, or one can't be begun; those before it are closed again.
        ModuleNotFoundError: its package is not installed.
    """
    check_loggers(names)
    made: list[Logger] = []
    for name in dict.fromkeys(names):
        try:
            made.append(Guarded(name, LOGGERS[name](folder, plan)))
        except Exception as error:
            for one in made:
                one.close()
            if isinstance(error, (InputError, ModuleNotFoundError)):
                raise
            first = (str(error).splitlines() or [""])[0]
            raise InputError(
                f"the logger {name} can't be begun ({type(error).__name__}: {first}); mend that, or "
                "train without it"
            ) from error
    return made


def check_loggers(names: Sequence[str]) -> None:
    """Refuse a name that is no logger's.

    Raises:
        InputError: naming those that there are.
    """
    for name in names:
        if name not in LOGGERS:
            raise InputError(f"unknown logger {name!r}; choose from {', '.join(LOGGERS)}")


def _digest(folder: Path, plan: Plan) -> str:
    """Return what names a run, again when it is gone on with."""
    return json_digest({"folder": str(folder.absolute()), "plan": plan.to_dict()})[:12]


def _configs(plan: Plan) -> list[dict[str, Any]]:
    """Return each agent's settings, flat."""
    settings = plan.settings.to_dict()
    network = settings.pop("network")
    shared = {
        **settings,
        **{f"network.{name}": value for name, value in network.items()},
        **{f"env.{name}": value for name, value in plan.config.to_dict().items()},
        "markets": ",".join(source.symbol for source in plan.data.sources),
    }
    return [
        {**shared, **agent, "seed": seed} for agent, seed in zip(plan.agents, plan.seeds, strict=True)
    ]
