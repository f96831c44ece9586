"""The Dockerfile without Docker: linted, and the steps of its CPU target taken on this machine.

What a step writes below /opt, /src, /voices and /var/cache goes to a folder of the test's. Package managers
and users of the system are left alone; everything else is run as it stands, the server as the image's user
where the test may become that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
REBASED = re.compile(r"(?<![\w.])/(opt|src|voices|var/cache)\b")
SYSTEM = re.compile(r"\b(apt-get|useradd|chown|rm -rf /var/lib)\b")
START_S = 60.0


@dataclass(slots=True)
class Stage:
    """What a stage of the file says."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """The value that counts of an instruction."""
        return [value for kind, value in self.steps if kind == instruction][-1]


def stages() -> dict[str, Stage]:
    """Read the file."""
    found: dict[str, Stage] = {}
    for entry in DockerfileParser(str(DOCKERFILE)).structure:
        kind, value = entry["instruction"], entry["value"]
        if kind == "FROM":
            base, _, name = value.partition(" AS ")
            found[name] = Stage(base, name)
        elif kind != "COMMENT":
            list(found.values())[-1].steps.append((kind, value))
    return found


def context(target: Path) -> None:
    """Copy what .dockerignore lets through of the files that git knows."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if name.split("/")[0] in allowed and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


@dataclass(slots=True)
class Image:
    """A folder that stands for the image's file system."""

    root: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def rebased(self, text: str) -> str:
        """Put the paths of a command below the folder."""
        return REBASED.sub(lambda match: f"{self.root}{match.group()}", text)

    def take(self, kind: str, value: str) -> None:
        """Take one step."""
        if kind == "WORKDIR":
            self.workdir = value
            Path(self.rebased(value)).mkdir(parents=True, exist_ok=True)
        elif kind == "COPY" and value == ". .":
            context(Path(self.rebased(self.workdir)))
        elif (
            kind == "COPY"
        ):  # from another stage: all stages share the folder, as virtual environments want it
            source, target = value.split()[1:]
            assert source == target
            assert Path(self.rebased(source)).exists()
        elif kind == "ARG":
            name, _, default = value.partition("=")
            self.environment[name] = default
        elif kind == "ENV":
            for name, text in re.findall(r"(\w+)=(\S+)", value):
                old = self.environment.get(name, "")
                self.environment[name] = self.rebased(text).replace(f"${name}", old)
        elif kind == "RUN":
            self.run(value)

    def run(self, command: str) -> None:
        """Run a command's parts but those that change the system; what stays must be good shell anyway."""
        subprocess.run(["bash", "-n", "-c", command], check=True)
        parts = [part for part in command.split("&&") if not SYSTEM.search(part)]
        parts = [re.sub(r"^\s*python3? ", f" {sys.executable} ", part) for part in parts]
        if parts:
            script = self.rebased("&&".join(parts))
            where = self.root if self.workdir == "/" else self.rebased(self.workdir)
            shell = ["bash", "-euo", "pipefail", "-c", script]
            subprocess.run(shell, cwd=where, env=self.environment, check=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The CPU target, built."""
    image = Image(tmp_path_factory.mktemp("image"))
    for parent in (image.root, *image.root.parents):  # the image's user must reach it
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    for name in ("build-cpu", "cpu"):
        image.workdir = "/"
        for step in stages()[name].steps:
            image.take(*step)
    return image


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(slots=True)
class Container:
    """A server that was started as the image starts it."""

    process: subprocess.Popen[str]
    port: int

    def is_healthy(self, image: Image) -> bool:
        """Run the image's own check, on the port that the test took."""
        command = json.loads(
            re.sub(r".*?CMD (?=\[)", "", stages()["cpu"].last("HEALTHCHECK"), flags=re.DOTALL)
        )
        words = [word.replace("8080", str(self.port)) for word in command]
        return subprocess.run(words, env=image.environment, capture_output=True, check=False).returncode == 0


def image_user(image: Image, uid: int) -> int | None:
    """Return the image's user if this process may become it and that user may run this Python."""
    try:
        python = image.rebased("/opt/zhiyin/bin/python")
        subprocess.run([python, "-c", ""], user=uid, cwd=image.root, check=True, stderr=subprocess.PIPE)
    except (PermissionError, subprocess.CalledProcessError):
        return None
    return uid


@pytest.fixture
def container(image: Image) -> Iterator[Container]:
    """Start the server as the image would: its command, its environment, its user."""
    cpu, port = stages()["cpu"], free_port()
    words = [*json.loads(cpu.last("ENTRYPOINT")), *json.loads(cpu.last("CMD"))]
    words = [word.replace("8080", str(port)) for word in words]
    user = image_user(image, int(cpu.last("USER")))
    environment = image.environment | {"HOME": f"{image.root}/nonexistent"}  # as root it could be made
    words[0] = shutil.which(words[0], path=environment["PATH"]) or ""
    process = subprocess.Popen(
        words, env=environment, cwd=image.root, user=user, stderr=subprocess.PIPE, text=True
    )
    with process:  # closes what it wrote to
        yield Container(process, port)
        process.kill()


def test_it_passes_the_linter() -> None:
    subprocess.run([str(Path(sys.executable).with_name("hadolint")), str(DOCKERFILE)], check=True)


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_both_images_serve_without_root_with_check_and_volumes(name: str) -> None:
    stage = stages()[name]
    assert int(stage.last("USER")) > 0
    assert "healthz" in stage.last("HEALTHCHECK")
    assert json.loads(stage.last("VOLUME")) == ["/voices", "/var/cache/zhiyin"]
    assert json.loads(stage.last("CMD"))[0] == "serve"
    assert list(stages())[-1] == "cpu"  # what is built when nothing is asked for


def test_every_base_has_a_version() -> None:
    for stage in stages().values():
        assert re.search(r":\d", stage.base), stage.base
    assert stages()["gpu"].base.replace("runtime", "devel") == stages()["build-gpu"].base


def test_the_gpu_image_installs_extras_that_exist() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    (extras,) = re.findall(r"\.\[([\w,]+)\]", stages()["build-gpu"].last("RUN"))
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", text, re.MULTILINE)


def test_the_server_becomes_healthy_speaks_and_stops(image: Image, container: Container) -> None:
    until_s = time.monotonic() + START_S
    while not container.is_healthy(image):
        assert container.process.poll() is None, container.process.communicate()[1]
        assert time.monotonic() < until_s, "not healthy in time"
        time.sleep(0.2)  # as Docker does: a health check is asked again and again
    wav = image.root / "hello.wav"
    say = ["zhiyin", "say", "你好。", "--url", f"ws://127.0.0.1:{container.port}/v1/stream", "-o", str(wav)]
    say[0] = shutil.which(say[0], path=image.environment["PATH"]) or ""
    subprocess.run(say, env=image.environment, check=True)
    assert wav.stat().st_size > 20_000
    container.process.send_signal(getattr(signal, stages()["cpu"].last("STOPSIGNAL")))
    assert container.process.wait(timeout=30) == 0
