"""The closure of imports: nothing that is imported is left out, and what is missing is an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from foundation.files import file_digest
from foundation.import_closure import closure, digests
from tests.sentences import refuses


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    files = {
        "shop/__init__.py": "limit = 3\n",
        "shop/till.py": "from shop.prices import price\nimport json\n",
        "shop/prices.py": "def price():\n    from shop import tax, limit\n    return tax, limit\n",
        "shop/tax.py": "from . import rates\nfrom .deep.rules import rule\n",
        "shop/rates.py": "from __future__ import annotations\nx = 1\n",
        "shop/deep/__init__.py": "",
        "shop/deep/rules.py": "from ..bonus import *\nfrom .. import limit\nrule = 1\n",
        "shop/bonus.py": "y = 2\n",
        "shop/unused.py": "z = 3\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_imports_are_followed_to_the_end_relative_ones_too(packages: Path) -> None:
    assert list(closure(packages, ["shop.till"])) == [
        "shop/__init__.py",
        "shop/bonus.py",
        "shop/deep/__init__.py",
        "shop/deep/rules.py",
        "shop/prices.py",
        "shop/rates.py",
        "shop/tax.py",
        "shop/till.py",
    ]


def test_imports_for_type_checkers_do_not_count(packages: Path) -> None:
    (packages / "shop/till.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from shop.unused import z\nelse:\n    from shop.rates import x\n"
    )
    assert list(closure(packages, ["shop.till"])) == [
        "shop/__init__.py",
        "shop/rates.py",
        "shop/till.py",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import typing\nif typing.TYPE_CHECKING:\n    import shop.unused\nimport shop.rates\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.unused import z\n"
        "else:\n    try:\n        from . import rates\n    except ImportError:\n        pass\n",
        "async def later():\n    if True:\n        import shop.rates as other\n",
        "class Till:\n    from .rates import x\n",
        "import json, os.path as path, shop.rates\n",
        "from shop import limit, rates\n",
    ],
    ids=["by its module", "within the other branch", "later", "in a class", "last", "beside a name"],
)
def test_what_is_run_counts_wherever_it_stands(packages: Path, text: str) -> None:
    (packages / "shop/till.py").write_text(text)
    wanted = ["shop/__init__.py", "shop/rates.py", "shop/till.py"]
    assert list(closure(packages, ["shop.till"])) == wanted


def test_a_packages_own_file_imports_what_lies_in_it(packages: Path) -> None:
    """Relative imports of a package's file begin in the package, of a module's file above it."""
    (packages / "shop/deep/__init__.py").write_text("from .rules import rule\nfrom ..tax import x\n")
    (packages / "shop/deep/rules.py").write_text("from ..bonus import y\n")
    (packages / "shop/tax.py").write_text("")
    wanted = ["__init__", "bonus", "deep/__init__", "deep/rules", "tax"]
    assert list(closure(packages, ["shop.deep"])) == [f"shop/{name}.py" for name in wanted]


@pytest.mark.parametrize(
    "text",
    [
        "async def price():\n    pass\n",
        "class price:\n    pass\n",
        "import json as price\n",
        "from json import *\n",
        "def __getattr__(name):\n    return 1\n",
        "for price in (1, 2):\n    pass\n",
    ],
)
def test_a_name_that_a_package_may_define_is_no_missing_module(packages: Path, text: str) -> None:
    (packages / "shop/deep/__init__.py").write_text(text)
    (packages / "shop/till.py").write_text("from shop.deep import price\n")
    wanted = ["shop/__init__.py", "shop/deep/__init__.py", "shop/till.py"]
    assert list(closure(packages, ["shop.till"])) == wanted
    (packages / "shop/deep/__init__.py").write_text("from . import price\nprint(price)\n")
    with refuses():  # a package that imports it of itself does not define it
        closure(packages, ["shop.till"])


def test_a_package_goes_before_a_module_of_its_name_as_python_imports_them(packages: Path) -> None:
    (packages / "shop/rates").mkdir()
    (packages / "shop/rates/__init__.py").write_text("x = 2\n")
    (packages / "shop/till.py").write_text("from shop.rates import x\nprint(x)\n")
    ran = subprocess.run(
        [sys.executable, "-m", "shop.till"], cwd=packages, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "2\n"
    wanted = ["shop/__init__.py", "shop/rates/__init__.py", "shop/till.py"]
    assert list(closure(packages, ["shop.till"])) == wanted


@pytest.mark.parametrize("name", ["prices", "tax", "rates", "bonus", "deep/rules", "deep/__init__"])
def test_a_module_that_is_missing_is_an_error_that_names_it_and_who_imports_it(
    packages: Path, name: str
) -> None:
    (packages / f"shop/{name}.py").rename(packages / "shop/renamed.py")
    with refuses():
        closure(packages, ["shop.till"])


def test_a_module_asked_for_that_is_missing_is_an_error(packages: Path) -> None:
    with refuses():
        closure(packages, ["elsewhere"])


def test_digests_are_of_the_files(packages: Path) -> None:
    found = digests(packages, ["shop.bonus"])
    assert found == {
        name: file_digest(packages / name) for name in ("shop/__init__.py", "shop/bonus.py")
    }
    (packages / "shop/bonus.py").write_text("y = 3\n")
    assert digests(packages, ["shop.bonus"])["shop/bonus.py"] != found["shop/bonus.py"]


def test_all_names_of_a_package_are_none_of_its_modules(packages: Path) -> None:
    (packages / "shop/till.py").write_text("from shop.deep import *\n")
    wanted = ["shop/__init__.py", "shop/deep/__init__.py", "shop/till.py"]
    assert list(closure(packages, ["shop.till"])) == wanted
