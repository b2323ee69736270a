"""Checkpoints: whatever lineage is written is read again, and a larger one is refused before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from jax_port.runs import checkpoints
from jax_port.runs.checkpoints import Checkpoints
from markets import InputError
from tests.sentences import refuses

TREE = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3)}
PROOF = {"verdict": "same", "sha256": "1" * 64}
STRETCH: dict[str, Any] = {"updates": [0, 5], "certificate": PROOF, "code": "", "made": {}}


def lineage_of(bytes_of_it: int) -> list[dict[str, Any]]:
    """Return stretches of so many bytes as JSON."""
    count = bytes_of_it // len(json.dumps([STRETCH, STRETCH]))
    stretches = [dict(STRETCH) for _ in range(count)]
    stretches[-1]["code"] += "a" * (bytes_of_it - len(json.dumps(stretches)))
    return stretches


def test_the_longest_lineage_that_is_written_is_read_and_a_longer_one_leaves_what_there_is(
    tmp_path: Path,
) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    longest = lineage_of(checkpoints.MOST_LINEAGE)
    kept.save(2**31 - 1, TREE, longest)
    found = kept.latest(TREE)
    assert found is not None
    assert found[0] == 2**31 - 1
    assert found[2] == longest
    np.testing.assert_array_equal(found[1]["weights"], TREE["weights"])
    with refuses(r"(?<=through )[\d,]+"):
        kept.save(2**31 - 1, TREE, lineage_of(checkpoints.MOST_LINEAGE + 1))
    again = kept.latest(TREE)
    assert again is not None
    assert again[2] == longest


def test_a_run_gone_on_with_hundreds_of_times_is_gone_on_with_again(tmp_path: Path) -> None:
    """Each of the size that a certificate in brief has."""
    kept = Checkpoints(tmp_path, "a" * 64)
    stretches = [
        {**STRETCH, "code": str(number), "made": {"device": "x" * 500}} for number in range(300)
    ]
    kept.save(300, TREE, stretches)
    found = kept.latest(TREE)
    assert found is not None
    assert found[2] == stretches


@pytest.mark.parametrize("name", [3, 7], ids=["fewer", "more"])
def test_a_checkpoint_under_the_name_of_another_is_refused(tmp_path: Path, name: int) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    kept.save(5, TREE, [STRETCH])
    (kept.folder / "5.safetensors").rename(kept.folder / f"{name}.safetensors")
    with refuses():
        kept.latest(TREE)


def test_one_of_another_identity_or_of_other_shapes_is_refused(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    kept.save(5, TREE, [STRETCH])
    for template in (
        {"weights": TREE["weights"].T},
        {"weights": TREE["weights"].astype(np.float64)},
        {"weights": TREE["weights"], "more": TREE["weights"]},
    ):
        with refuses():
            kept.latest(template)
    with refuses():
        Checkpoints(tmp_path, "b" * 64).latest(TREE)
    assert kept.latest(TREE) is not None


def test_the_newest_two_are_kept_by_their_updates_and_not_by_their_names(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    for updates in (8, 9, 10, 100):
        kept.save(updates, {"weights": np.full((2, 3), updates, np.float32)}, [STRETCH])
        found = kept.latest(TREE)
        assert found is not None
        assert (found[0], found[1]["weights"].max()) == (updates, updates)
    assert sorted(file.name for file in kept.folder.iterdir()) == ["10.safetensors", "100.safetensors"]


def test_only_checkpoints_are_looked_at_and_a_folder_of_an_earlier_version_is_named(
    tmp_path: Path,
) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    assert kept.latest(TREE) is None
    kept.save(5, TREE, [STRETCH])
    for name in ("9.safetensors.part", "newest.safetensors", "99", "7.json"):
        (kept.folder / name).write_text("not a checkpoint")
    (kept.folder / "last").mkdir()
    found = kept.latest(TREE)
    assert found is not None
    assert found[0] == 5
    (kept.folder / "99").unlink()
    (kept.folder / "12").mkdir()
    with pytest.raises(InputError, match="an earlier version of this program wrote") as refused:
        kept.latest(TREE)
    assert str(refused.value).startswith(f"{kept.folder / '12'}: ")


def test_a_folder_that_cannot_be_looked_into_is_none_without_checkpoints(tmp_path: Path) -> None:
    """Or a run would begin anew over its own."""
    kept = Checkpoints(tmp_path, "a" * 64)
    kept.folder.write_text("a file in its place")
    with pytest.raises(NotADirectoryError):
        kept.latest(TREE)


def test_every_array_is_read_as_it_was_under_its_own_name(tmp_path: Path) -> None:
    """Also what does not lie in order in memory, and numbers of 64 bits."""
    rng = np.random.default_rng(0)
    tree = {
        "b": {"x": rng.normal(size=(2, 3)).T, "y": np.float64(1e-4)},
        "a": (rng.normal(size=(3, 2)), np.arange(6, dtype=np.int32).reshape(3, 2)),
        "c": np.array([True, False]),
    }
    kept = Checkpoints(tmp_path, "a" * 64)
    kept.save(0, tree, [])
    found = kept.latest(jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x), x.dtype), tree))
    assert found is not None
    assert (found[0], found[2]) == (0, [])
    assert jax.tree.structure(found[1]) == jax.tree.structure(tree)
    for ours, theirs in zip(jax.tree.leaves(found[1]), jax.tree.leaves(tree), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_another_process_than_the_first_saves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    Checkpoints(tmp_path, "a" * 64).save(5, TREE, [STRETCH])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("identity", "b" * 64),
        ("updates", 6),
        ("lineage", [{**STRETCH, "certificate": {**PROOF, "sha256": "2" * 64}}]),
        ("lineage", [STRETCH, STRETCH]),
        ("lineage", []),
        ("lineage", None),
        ("checksum", "0" * 64),
        ("weights", np.where(TREE["weights"] == 5.0, 6.0, TREE["weights"]).astype(np.float32)),
    ],
    ids=["identity", "updates", "a proof", "a stretch more", "no stretch", "none", "sum", "a weight"],
)
def test_nothing_that_a_checkpoint_holds_can_be_changed_unnoticed(
    tmp_path: Path, field: str, value: Any
) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    kept.save(5, TREE, [STRETCH])
    file = kept.folder / "5.safetensors"
    with safe_open(file, framework="numpy") as held:
        about = json.loads(held.metadata()["rltrader"])
    assert about.keys() == {"identity", "updates", "lineage", "checksum"}
    arrays = load_file(file)
    save_file(arrays, file, metadata={"rltrader": json.dumps(about)})
    assert kept.latest(TREE) is not None
    if field in about:
        about[field] = value
    else:
        (arrays,) = ({name: value} for name in arrays)
    save_file(arrays, file, metadata={"rltrader": json.dumps(about)})
    with refuses():
        kept.latest(TREE)
