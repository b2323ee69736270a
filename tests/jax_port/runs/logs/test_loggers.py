"""Loggers beside a run's own: what they were told is read back out of their own files."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from jax_port.ppo.settings import TrainSettings
from jax_port.runs.logs import loggers
from jax_port.runs.logs.loggers import Guarded, make_loggers
from jax_port.runs.logs.training_log import Record
from jax_port.runs.plan import Plan
from jax_port.runs.policies import FINISHED
from jax_port.runs.run_file import RUN
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from tests.sentences import refuses

PLAN = Plan(
    TrainSettings(),
    TrainingData((Source("ES", kind="synthetic", days=3),)),
    EnvConfig.phase1(),
    agents=({}, {"learning_rate": 0.25}),
)
RECORDS: list[Record] = [
    {"update": 1, "agent": 0, "steps": 128, "loss": 0.5, "episode_pnl_dollars": -3.25, "trades": 4},
    {"update": 1, "agent": 1, "steps": 128, "loss": 1.5, "episode_pnl_dollars": None},
    {"update": 2, "agent": 0, "steps": 256, "loss": 0.25, "episode_pnl_dollars": 7.0},
    {"update": 2, "agent": 1, "steps": 256, "loss": 1.25, "episode_pnl_dollars": 8.0},
]


def logged(name: str, folder: Path) -> None:
    folder.mkdir()
    (logger,) = make_loggers([name, name], folder, PLAN)
    logger.write(RECORDS[:2])
    logger.write(RECORDS[2:])
    (folder / FINISHED).touch()
    logger.close()


@pytest.mark.costly
@pytest.mark.filterwarnings("ignore")  # of MLflow's own calls
def test_mlflow_holds_what_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="without MLflow; nox -s loggers has it")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    logged("mlflow", tmp_path / "run")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/run/mlflow.db")
    experiment = client.get_experiment_by_name("rltrader")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["run-agent-0", "run-agent-1"]
    assert runs["run-agent-1"].data.params["learning_rate"] == "0.25"
    assert [runs[f"run-agent-{n}"].data.params["seed"] for n in (0, 1)] == ["0", "1"]
    assert runs["run-agent-1"].data.params["network.pi"] == "(256, 256)"
    assert runs["run-agent-0"].info.status == "FINISHED"
    history = client.get_metric_history(runs["run-agent-0"].info.run_id, "train/loss")
    assert [(one.step, one.value) for one in history] == [(128, 0.5), (256, 0.25)]
    pnl = client.get_metric_history(runs["run-agent-1"].info.run_id, "rollout/episode_pnl_dollars")
    assert [(one.step, one.value) for one in pnl] == [(256, 8.0)]


@pytest.mark.costly
@pytest.mark.filterwarnings("ignore")
def test_mlflow_goes_on_with_a_run_that_was_cut_off_and_begins_another_for_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="without MLflow; nox -s loggers has it")
    place = f"sqlite:///{tmp_path}/server.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    client, folder = mlflow.MlflowClient(tracking_uri=place), tmp_path / "run"

    def followed(*records: Record) -> list[tuple[str, list[tuple[int, float]]]]:
        """Return how each run of the first agent has ended, and its losses, the oldest first."""
        (logger,) = make_loggers(["mlflow"], folder, PLAN)
        folder.mkdir(exist_ok=True)
        (folder / RUN).touch()
        logger.write(records)
        logger.close()
        experiment = client.get_experiment_by_name("mine").experiment_id
        runs = client.search_runs([experiment], order_by=["attributes.start_time ASC"])
        told = []
        for run in runs:
            if run.info.run_name == "run-agent-0":
                losses = client.get_metric_history(run.info.run_id, "train/loss")
                told.append((run.info.status, [(one.step, one.value) for one in losses]))
        return told

    first, _, second, _ = RECORDS
    third = {**first, "update": 3, "steps": 384}
    assert followed(first, second) == [("KILLED", [(128, 0.5), (256, 0.25)])]
    # From its checkpoint after the first update.
    assert followed(second) == [("KILLED", [(128, 0.5), (256, 0.25)])]
    (folder / FINISHED).touch()
    ended = ("FINISHED", [(128, 0.5), (256, 0.25), (384, 0.5)])
    assert followed(second, third) == [ended]
    for file in folder.iterdir():
        file.unlink()
    assert followed(first) == [ended, ("KILLED", [(128, 0.5)])]


@pytest.mark.filterwarnings("ignore")
def test_wandb_holds_what_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="without W&B; nox -s loggers has it")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    logged("wandb", tmp_path / "run")
    files = sorted((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 2
    until = time.monotonic() + 30
    # The service of W&B writes the last of a run after it was told that it is finished.
    told = [read_wandb(file) for file in files]
    while any(len(rows) < 2 for _, rows in told):
        assert time.monotonic() < until, told
        time.sleep(0.1)
        told = [read_wandb(file) for file in files]
    by_name = dict(told)
    assert by_name["run-agent-0"] == [
        {"train/loss": 0.5, "rollout/episode_pnl_dollars": -3.25, "_step": 128},
        {"train/loss": 0.25, "rollout/episode_pnl_dollars": 7.0, "_step": 256},
    ]
    assert by_name["run-agent-1"][0] == {"train/loss": 1.5, "_step": 128}


def read_wandb(path: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return a run's name and its rows, out of the file that ``wandb sync`` sends.

    It is LevelDB's log: a header of 7 bytes, then blocks of 32 KiB of records, each with a checksum, a
    length and a type before it; what spans blocks is put together.
    """
    from wandb.proto.wandb_internal_pb2 import Record as Wandb

    data, at, part, name = path.read_bytes(), 7, b"", ""
    rows: list[dict[str, Any]] = []
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        part += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind not in (1, 4):  # the first or a middle part
            continue
        record, part = Wandb.FromString(part), b""
        if record.WhichOneof("record_type") == "run":
            name = record.run.display_name
        if record.WhichOneof("record_type") == "history":
            items = {
                item.key or item.nested_key[0]: json.loads(item.value_json)
                for item in record.history.item
            }
            rows.append({k: v for k, v in items.items() if k not in ("_runtime", "_timestamp")})
    return name, rows


@pytest.mark.parametrize("online", [False, True])
def test_each_agent_has_a_run_of_wandb_of_its_own_and_goes_on_with_it(
    online: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its package is asked, which need not be there; only a server knows runs of before."""
    asked: list[dict[str, Any]] = []
    logged: list[tuple[str, dict[str, float], int]] = []
    finished: list[str] = []

    def init(**given: Any) -> Any:
        asked.append(given)
        return SimpleNamespace(
            log=lambda values, step: logged.append((given["name"], values, step)),
            finish=lambda: finished.append(given["name"]),
        )

    package: Any = ModuleType("wandb")
    package.init, package.Settings = init, lambda **_: None
    monkeypatch.setitem(sys.modules, "wandb", package)
    for name, value in (("WANDB_MODE", "online"), ("WANDB_PROJECT", "mine")):
        monkeypatch.setenv(name, value) if online else monkeypatch.delenv(name, raising=False)
    for folder, plan in (
        ("run", PLAN),
        ("run", PLAN),
        ("other", PLAN),
        ("run", replace(PLAN, updates_per_call=3)),
        ("elsewhere/run", PLAN),
    ):
        (logger,) = make_loggers(["wandb", "wandb"], tmp_path / folder, plan)
        logger.write(RECORDS[:2])
        logger.close()
    assert {(one["project"], one["mode"], one["resume"]) for one in asked} == {
        ("mine", "online", "allow") if online else ("rltrader", "offline", None)
    }
    ids = [one["id"] for one in asked]
    assert ids[:2] == ids[2:4]  # the same run once more
    assert len(set(ids)) == 8
    assert finished == [one["name"] for one in asked]
    assert [one["name"] for one in asked[4:6]] == ["other-agent-0", "other-agent-1"]
    assert [(one["config"]["learning_rate"], one["config"]["seed"]) for one in asked[:2]] == [
        (PLAN.settings.learning_rate, 0),
        (0.25, 1),
    ]
    assert logged[:2] == [
        ("run-agent-0", {"train/loss": 0.5, "rollout/episode_pnl_dollars": -3.25}, 128),
        ("run-agent-1", {"train/loss": 1.5}, 128),
    ]


class Failing:
    """A logger whose server is gone."""

    def __init__(self) -> None:
        self.calls = 0

    def write(self, records: Sequence[Record]) -> None:
        self.calls += 1
        raise ConnectionError("nothing answers\nthere")

    def close(self) -> None:
        self.calls += 1


def test_a_logger_that_fails_is_left_out() -> None:
    failing = Failing()
    guarded = Guarded("mlflow", failing)
    with pytest.warns(
        RuntimeWarning, match=r"mlflow failed .*ConnectionError: nothing answers\)"
    ) as told:
        guarded.write(RECORDS)
    assert told[0].filename == __file__  # who wrote is named
    guarded.write(RECORDS)
    guarded.close()
    assert failing.calls == 1


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with refuses():
        make_loggers(["wandbb"], tmp_path, PLAN)
    assert sorted(loggers.LOGGERS) == ["mlflow", "wandb"]
    assert (loggers.RUN, loggers.FINISHED) == (RUN, FINISHED)


class Begun(Failing):
    """One that works, and tells how often it was asked."""

    made: ClassVar[list[Begun]] = []

    def __init__(self, folder: Path, plan: Plan) -> None:
        super().__init__()
        self.made.append(self)


def test_one_that_cannot_be_begun_ends_the_others_and_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(folder: Path, plan: Plan) -> None:
        raise ConnectionError("no server there\nat all")

    monkeypatch.setattr(loggers, "LOGGERS", {"wandb": Begun, "mlflow": unreachable})
    with refuses():
        make_loggers(["wandb", "mlflow"], tmp_path, PLAN)
    assert [one.calls for one in Begun.made] == [1]


class Server:
    """What a client of MLflow is asked for, in memory."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self.experiments: dict[str, Any] = {}
        self.runs: list[Any] = []

    def client(self, tracking_uri: str) -> Server:
        self.places.append(tracking_uri)
        return self

    def get_experiment_by_name(self, name: str) -> Any:
        return self.experiments.get(name)

    def create_experiment(self, name: str) -> str:
        self.experiments[name] = SimpleNamespace(experiment_id=f"of {name}")
        return f"of {name}"

    def create_run(self, experiment: str, run_name: str) -> Any:
        info = {"run_id": str(len(self.runs)), "experiment": experiment, "name": run_name}
        data = SimpleNamespace(tags={}, params={}, metrics=[])
        self.runs.append(SimpleNamespace(info=SimpleNamespace(**info, status="RUNNING"), data=data))
        return self.runs[-1]

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        data = self.runs[int(run_id)].data
        data.metrics += metrics
        data.params |= params
        data.tags |= tags

    def update_run(self, run_id: str, status: str) -> None:
        self.runs[int(run_id)].info.status = status

    set_terminated = update_run

    def search_runs(
        self, experiments: list[str], filter_string: str, max_results: int, order_by: list[str]
    ) -> list[Any]:
        match = re.fullmatch(r"tags\.`(.+)` = '(.+)'", filter_string)
        assert match
        step = {"attributes.start_time ASC": 1, "attributes.start_time DESC": -1}[order_by[0]]
        found = [
            run
            for run in self.runs[::step]
            if run.info.experiment in experiments and run.data.tags.get(match[1]) == match[2]
        ]
        return found[:max_results]


def test_each_agent_has_a_run_of_mlflow_of_its_own_and_is_told_no_step_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its package is asked, which need not be there."""
    server, folder = Server(), tmp_path / "run"
    package: Any = ModuleType("mlflow")
    entities: Any = ModuleType("mlflow.entities")
    package.MlflowClient = server.client
    entities.Param = entities.RunTag = lambda *pair: pair
    entities.Metric = lambda key, value, _, step: (key, value, step)
    for name, module in (("mlflow", package), ("mlflow.entities", entities), ("sqlalchemy", package)):
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)

    def followed(*records: Record, folder: Path = folder) -> list[tuple[str, list[Any]]]:
        """Return the status of each run while it was followed and after it, and all of its losses."""
        (logger,) = make_loggers(["mlflow", "mlflow"], folder, PLAN)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN).touch()
        meanwhile = [run.info.status for run in server.runs]
        logger.write(records)
        logger.close()
        return [
            (
                f"{before} {run.info.status}",
                [(*told[1:],) for told in run.data.metrics if told[0] == "train/loss"],
            )
            for before, run in zip(meanwhile, server.runs, strict=True)
        ]

    assert followed(*RECORDS[:2]) == [
        ("RUNNING KILLED", [(0.5, 128)]),
        ("RUNNING KILLED", [(1.5, 128)]),
    ]
    assert server.places == [f"sqlite:///{folder}/mlflow.db"]
    assert server.experiments.keys() == {"rltrader"}
    assert [run.info.name for run in server.runs] == ["run-agent-0", "run-agent-1"]
    params = [run.data.params for run in server.runs]
    assert [one["learning_rate"] for one in params] == [str(PLAN.settings.learning_rate), "0.25"]
    assert [(one["seed"], one["network.pi"], one["markets"]) for one in params] == [
        ("0", "(256, 256)", "ES"),
        ("1", "(256, 256)", "ES"),
    ]
    # Gone on with from a checkpoint before the second agent's first record.
    first, second = [(0.5, 128), (0.25, 256)], [(1.5, 128), (1.25, 256)]
    assert followed(*RECORDS[1:]) == [("RUNNING KILLED", first), ("RUNNING KILLED", second)]
    assert server.runs[1].data.metrics[-1] == ("rollout/episode_pnl_dollars", 8.0, 256)
    (folder / FINISHED).touch()
    ended = [("RUNNING FINISHED", first), ("RUNNING FINISHED", second)]
    assert followed(*RECORDS) == ended
    # Another run in the same folder, gone on with; then one of the same name in another.
    for file in folder.iterdir():
        file.unlink()
    ended = [(told.replace("RUNNING", "FINISHED"), losses) for told, losses in ended]
    for last in (1, 4):
        anew = [("RUNNING KILLED", first[:last]), ("RUNNING KILLED", second[: last - 1])]
        assert followed(*RECORDS[:last]) == [*ended, *anew]
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    other = tmp_path / "elsewhere" / "run"
    other.mkdir(parents=True)
    (other / RUN).touch()
    assert followed(RECORDS[1], folder=other)[4:] == [
        ("RUNNING KILLED", []),
        ("RUNNING KILLED", [(1.5, 128)]),
    ]
    assert (server.places[-1], server.experiments.keys()) == ("http://there", {"rltrader", "mine"})
    assert [run.info.experiment for run in server.runs] == ["of rltrader"] * 4 + ["of mine"] * 2
