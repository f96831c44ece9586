from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from server.config import ServerConfig, load_config, setting_paths, unknown_environment
from streaming.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "configs" / "server.yaml"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ZHIYIN_")]:
        monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    path = folder / "server.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_file_holds_exactly_the_defaults() -> None:
    assert load_config(SHIPPED) == ServerConfig()


def test_shipped_file_names_every_setting() -> None:
    tree = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    sections = [(name, part) for name, part in tree.items() if isinstance(part, dict)]
    found = [*tree, *(f"{name}.{key}" for name, part in sections for key in part)]
    assert sorted(found) == sorted(setting_paths())


def test_every_key_of_the_shipped_file_has_a_comment_above_it() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if line.strip() and not line.strip().startswith("#"):
            assert above.strip().startswith("#"), f"no comment above: {line}"


def test_flags_win_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "port: 1\nhost: file\nlimits: {idle_s: 1, open_s: 1}\n")
    monkeypatch.setenv("ZHIYIN_HOST", "environment")
    monkeypatch.setenv("ZHIYIN_LIMITS__IDLE_S", "2")
    config = load_config(path, {"port": 3})
    assert (config.port, config.host) == (3, "environment")
    assert (config.limits.idle_s, config.limits.open_s) == (2.0, 1.0)


def test_voices_variable_adds_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "voice: {folders: [/a]}\n")
    monkeypatch.setenv("ZHIYIN_VOICES", os.pathsep.join(["/b", "/c"]))
    assert load_config(path).voice.folders == (Path("/a"), Path("/b"), Path("/c"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prot: 1", "prot: unknown key"),
        ("limits: {idle: 3}", "limits.idle: unknown key"),
        ("port: 70000", "port: found 70000; input should be less than or equal to 65535"),
        ("limits: {connections: many}", "limits.connections: found 'many'"),
        ("- 1", "configuration"),
        ("a: [", "configuration"),
    ],
)
def test_a_bad_file_is_refused_with_the_path_of_the_key(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match="configuration") as caught:
        load_config(write(tmp_path, text))
    assert expected in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no configuration file .*absent\.yaml"):
        load_config(tmp_path / "absent.yaml")


def test_a_bad_environment_value_is_refused_with_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIYIN_AUDIO__FRAME_MS", "5")
    with pytest.raises(ConfigError, match=r"audio\.frame_ms: found '5'"):
        load_config()


def test_unknown_variables_are_listed_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIYIN_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("ZHIYIN_LIMITS__IDLE_S", "5")
    assert load_config().limits.idle_s == 5.0
    assert unknown_environment() == ["ZHIYIN_SERVICE_HOST"]


def test_the_tree_is_frozen() -> None:
    config = ServerConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.port = 1  # type: ignore[misc]


def test_tokens_do_not_show_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIYIN_AUTH__TOKENS", '["s3cret"]')
    config = load_config()
    assert config.auth.tokens[0].get_secret_value() == "s3cret"
    assert "s3cret" not in repr(config)


def test_zero_worker_threads_means_one_per_usable_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 2, 5}, raising=False)
    assert ServerConfig().workers.n_threads == 3


def test_without_an_affinity_mask_the_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)  # macOS and Windows have none
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    assert ServerConfig().workers.n_threads == 7


@pytest.mark.parametrize("text", ["[1, 2]", "foo", "3"])
def test_a_file_that_holds_no_settings_is_named(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=f"configuration {path}: found no mapping"):
        load_config(path)


def test_a_section_in_the_environment_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIYIN_LIMITS", "{")
    with pytest.raises(ConfigError, match=r"^environment: .*limits"):
        load_config()
