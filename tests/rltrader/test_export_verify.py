"""The commands of an exported bundle's proof can be asked for on every system."""

from __future__ import annotations

import subprocess
import sys


def test_the_commands_are_there_where_the_system_has_no_resource_limits() -> None:
    program = "import sys; sys.modules['resource'] = None; import rltrader.export_verify"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
