from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from streaming.voice import MANIFEST_NAME, dump_manifest, load_manifest
from tests.streaming.piper_doubles import IDS, piper_manifest


def test_a_manifest_survives_its_file(tmp_path: Path):
    manifest = piper_manifest(phoneme_map={"g": ("ɡ",)}, vowel_clusters=(("a", "ʊ"),))
    (tmp_path / "piped").mkdir()
    (tmp_path / "piped" / MANIFEST_NAME).write_text(dump_manifest(manifest), encoding="utf-8")
    assert load_manifest(tmp_path / "piped") == manifest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phoneme_ids": {"a": (1,), "^": (2,)}}, r"phoneme_ids lacks _ \$"),
        ({"phoneme_ids": IDS | {"^": ()}}, r"phoneme_ids lacks \^"),
        ({"phoneme_ids": IDS | {"a": (-1,)}}, "phoneme_ids"),
        ({"espeak_voice": ""}, "phoneme_type 'espeak' needs espeak_voice"),
        ({"espeak_voice": "../../etc/passwd"}, "espeak_voice"),
        ({"phoneme_type": "pinyin"}, "phoneme_type"),
        ({"noise_scale": -0.1}, "noise_scale"),
        ({"block_frames": ()}, "block_frames"),
    ],
)
def test_a_manifest_that_cannot_speak_is_refused(changes, message: str):
    with pytest.raises(ValidationError, match=message):
        piper_manifest(**changes)


def test_a_text_voice_needs_no_espeak_voice():
    assert piper_manifest(phoneme_type="text", espeak_voice="").phoneme_type == "text"
