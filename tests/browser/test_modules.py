"""The modules by themselves: unit tests in Node, types, and what the package promises."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT, node

CLIENT = ROOT / "clients" / "browser"
PACKAGE = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
MODULES = sorted(CLIENT.glob("*.js"))


def test_the_unit_tests_pass_in_node() -> None:
    done = node("--test", *map(str, sorted((ROOT / "tests" / "browser" / "node").glob("*.test.js"))))
    assert done.returncode == 0, done.stdout[-4000:]


def test_the_types_are_right(node_modules: Path) -> None:
    done = node(str(node_modules / "typescript" / "bin" / "tsc"), "-p", "tests/browser/tsconfig.json")
    assert done.returncode == 0, done.stdout


def test_the_shipped_types_are_those_of_the_modules(node_modules: Path, tmp_path: Path) -> None:
    """If this fails: `make browser-types`."""
    done = node(str(node_modules / "typescript" / "bin" / "tsc"), *declarations(tmp_path))
    assert done.returncode == 0, done.stdout
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.d.ts")}
    shipped = {path.name: path.read_text(encoding="utf-8") for path in (CLIENT / "types").glob("*.d.ts")}
    assert shipped == made


def declarations(folder: Path) -> list[str]:
    """The arguments with which `make browser-types` calls the compiler."""
    [line] = re.findall(
        r"^DECLARATIONS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    return [*line.split(), "--outDir", str(folder), "clients/browser/index.js"]


def test_the_package_is_that_of_the_project_and_needs_nothing() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert PACKAGE["version"] == project["version"]
    assert PACKAGE["license"] == project["license"]
    assert not {"dependencies", "peerDependencies", "scripts"} & set(PACKAGE)
    for target in (PACKAGE["types"], PACKAGE["main"], *PACKAGE["exports"]["."].values()):
        assert (CLIENT / target).is_file()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_are_small_say_what_they_are_and_import_only_each_other(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.startswith("/**"), "what comes in, what goes out, what is kept"
    assert len(source.splitlines()) <= 450
    imported = re.findall(r"""from ["'](.+?)["']""", source)
    assert all((CLIENT / name).is_file() for name in imported)


def test_the_worklet_imports_nothing() -> None:
    """Not every browser allows it there."""
    assert "import " not in re.sub(
        r"/\*.*?\*/", "", (CLIENT / "ring.js").read_text(encoding="utf-8"), flags=re.S
    )


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for path in (CLIENT / "page").iterdir():
        source = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\bstyle=|\son\w+=|<script>|javascript:", source), path.name
