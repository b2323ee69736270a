"""What a bundle says itself is not to be said otherwise: it would be passed over in silence."""

from __future__ import annotations

import pytest

from jax_port.export.bundle import STATE
from jax_port.export.importing import read_policy
from jax_port.export.sb3 import NORMALIZER
from markets import EnvConfig
from tests.jax_port.export.made_bundle import bundle, raw_bundle
from tests.sentences import refuses


@pytest.mark.parametrize("name", ["", STATE])
def test_rules_and_a_normaliser_beside_those_of_a_bundle_are_refused(name: str) -> None:
    source = bundle(1) / name
    assert read_policy(source, config=EnvConfig.phase1()).config == EnvConfig.phase1()
    with refuses():
        read_policy(source, config=EnvConfig.phase2())
    with refuses():
        read_policy(source, config=EnvConfig.phase1(sl_atr_mult=1.25))
    with refuses():
        read_policy(source, normalizer=bundle(1) / NORMALIZER)
    with refuses():
        read_policy(source, raw=True)


def test_raw_observations_may_be_said_of_a_bundle_without_a_normaliser() -> None:
    assert read_policy(raw_bundle(), raw=True).statistics is None
