"""Versions, machine and devices, as artifacts state them."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import jax

from foundation import provenance


def test_a_package_that_is_missing_is_stated_and_no_error() -> None:
    found = provenance.versions(("numpy", "no-such-package"))
    assert list(found) == ["python", "numpy", "no-such-package"]
    assert found["numpy"] == version("numpy")
    assert found["no-such-package"] == provenance.ABSENT


def test_devices_in_words_and_as_values() -> None:
    devices = jax.devices()
    words = provenance.device_name(devices)
    assert words == f"{len(devices)} x {devices[0].platform} ({devices[0].device_kind})"
    assert provenance.device_info(devices)["count"] == len(devices)


def test_machine_info_has_the_flags_of_jax() -> None:
    found = provenance.machine_info(("numpy",), jax.devices(), jax.config)
    assert found["versions"] == {"numpy": version("numpy")}
    assert found["flags"]["jax_enable_x64"] is False
    assert found["cores"] >= 1
    assert found["cpu"]


def test_importing_foundation_imports_nothing_heavy() -> None:
    code = (
        "import sys, foundation.files, foundation.provenance, foundation.import_closure, "
        "foundation.errors, foundation.json_reading\n"
        "print(sorted({'jax', 'torch', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
