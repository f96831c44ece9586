from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tests.training.tiny import SHIPPED
from training.nets.source import LOOKAHEAD_FRAMES
from training.settings import TrainingSettings, load_settings


def write(path: Path, document: object) -> Path:
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def test_the_shipped_configuration_loads() -> None:
    settings = load_settings(SHIPPED)
    assert settings.name == SHIPPED.stem
    assert sum(style.share for style in settings.corpus.emotions.values()) == pytest.approx(1.0)
    assert settings.vocoder.lookahead_frames == LOOKAHEAD_FRAMES


@pytest.mark.parametrize(
    ("path", "location"),
    [
        (("sed",), "sed"),
        (("vocoder", "source", "chanels"), "vocoder.source.chanels"),
        (("corpus", "emotions", "happy", "speed"), "corpus.emotions.happy.speed"),
    ],
)
def test_an_unknown_key_is_refused_with_its_path(
    tmp_path: Path, path: tuple[str, ...], location: str
) -> None:
    document = yaml.safe_load(SHIPPED.read_text("utf-8"))
    section = document
    for name in path[:-1]:
        section = section[name]
    section[path[-1]] = 1
    with pytest.raises(ValidationError, match="Extra inputs are not permitted") as caught:
        load_settings(write(tmp_path / "voice.yaml", document))
    assert [".".join(map(str, error["loc"])) for error in caught.value.errors()] == [location]


def test_a_missing_number_is_refused_with_its_path(tmp_path: Path) -> None:
    document = yaml.safe_load(SHIPPED.read_text("utf-8"))
    del document["audio"]["hop_length"]
    with pytest.raises(ValidationError, match=r"audio\.hop_length"):
        load_settings(write(tmp_path / "voice.yaml", document))


def test_settings_do_not_change() -> None:
    settings: TrainingSettings = load_settings(SHIPPED)
    with pytest.raises(ValidationError, match="frozen"):
        settings.seed = 1  # type: ignore[misc]
