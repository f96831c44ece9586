"""What is installed is what the project says it is: version, commands, modules, data files."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
SERVING = ("server", "streaming", "clients", "benchmarks")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in SERVING
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__main__.py"
)
SHIPPED = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("voices", "configs")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normal(name): version for name, version in pairs}


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


# Modules that import what no environment of `make` has, and why.
OPTIONAL = {
    "streaming.engines.cuda_pycuda": ("pycuda", "pycuda is compiled with CUDA's headers"),
    "clients.demo.page": ("gradio", "gradio has an environment of its own: make interop"),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    [path] = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(path)


def test_the_installed_version_is_that_of_the_project() -> None:
    assert metadata.version("zhiyin") == PROJECT["version"]


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_command_exists_and_tells_its_version() -> None:
    command = Path(sys.executable).with_name("zhiyin")
    answer = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert PROJECT["version"] in answer.stdout
    assert answer.stderr == ""


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported_by_name(module: str) -> None:
    if module in OPTIONAL:
        library, reason = OPTIONAL[module]
        pytest.importorskip(library, reason=reason)
    importlib.import_module(module)


def test_the_server_starts_no_heavy_import_of_training() -> None:
    program = (
        "import sys, server.cli; print(*sorted({'torch', 'onnx', 'scipy', 'librosa'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert (answer.stdout.strip(), answer.stderr) == ("", "")


def test_the_wheel_carries_voices_configurations_and_licence(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    assert set(SHIPPED) <= inside
    assert "configs/server.yaml" in inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_the_wheel_carries_the_browser_client_and_the_page(wheel: zipfile.ZipFile) -> None:
    files = (path for path in (ROOT / "clients" / "browser").rglob("*") if path.is_file())
    assert {path.relative_to(ROOT).as_posix() for path in files} <= set(wheel.namelist())
    assert "clients/browser/page/index.html" in wheel.namelist()


def test_the_wheel_carries_no_tests_and_no_leftovers(wheel: zipfile.ZipFile) -> None:
    roots = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" not in name}
    assert roots <= {"server", "streaming", "clients", "training", "voices", "configs"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


@pytest.mark.parametrize("extra", ["", "cpu", "dev", "browser", "training", "play", "bench"])
def test_every_requirement_is_pinned_to_a_version_it_allows(extra: str) -> None:
    for line in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins()[normal(requirement.name)]), line


def test_no_pin_carries_a_local_version() -> None:
    assert [version for version in pins().values() if "+" in version] == []


def test_serving_needs_no_torch() -> None:
    serving = {
        normal(Requirement(line).name) for line in PROJECT["dependencies"] + EXTRAS["cpu"] + EXTRAS["dev"]
    }
    assert serving.isdisjoint({"torch", "onnx", "librosa", "pyworld"})
