"""``golden.json``: how many of each kind there are, and that they are of all episodes."""

from __future__ import annotations

import numpy as np

from jax_port.export.golden import FAR, make_golden
from markets import get_contract
from tests.jax_port.export.made_bundle import made_policy


def test_observations_beyond_the_clip_are_of_all_episodes() -> None:
    """Each is that of a case with one number in eight moved, and has that case's mask."""
    golden = make_golden(made_policy(1), get_contract("ES"), cases=50)
    cases, far = golden["cases"], golden["far"]
    assert len(far) == FAR
    rows = [int(n * (len(cases) - 1) / (FAR - 1)) for n in range(FAR)]
    assert (rows[0], rows[-1]) == (0, len(cases) - 1)
    for made, case in zip(far, (cases[row] for row in rows), strict=True):
        same = np.equal(made["observation"], case["observation"])
        assert 0.75 < same.mean() < 1
        assert made["mask"] == case["mask"]
    assert {cases[row]["episode"] for row in rows} == {case["episode"] for case in cases}
    assert len(golden["episodes"]) > 1


def test_there_are_as_many_cases_and_features_as_are_asked_for() -> None:
    golden = make_golden(made_policy(1), get_contract("ES"), cases=7)
    assert [len(golden[name]) for name in ("cases", "features", "far")] == [7, 7, 7]
    places = [(case["episode"], case["step"]) for case in golden["cases"]]
    assert places == sorted(set(places))
    times = [row["time"] for row in golden["features"]]
    assert times == sorted(set(times))
    other = make_golden(made_policy(1), get_contract("ES"), cases=7, seed=2)
    assert other["bars"]["close"] != golden["bars"]["close"]
