from __future__ import annotations

from typing import Any

import pytest

from server.bodies import validate
from server.dashscope.parameters import COSYVOICE, SAMBERT, Parameters, is_ssml, wish_of
from streaming.audio.formats import Codec, Encoding
from streaming.errors import BadRequestError, UnsupportedFormatError
from streaming.types import Style


def parameters(**fields: Any) -> Parameters:
    return validate(fields, Parameters)


@pytest.mark.parametrize(
    ("fields", "sambert", "cosyvoice"),
    [
        ({}, Encoding(Codec.WAV, 16000), Encoding(Codec.MP3, 22050)),
        ({"format": "Default", "sample_rate": 0}, Encoding(Codec.WAV, 16000), Encoding(Codec.MP3, 22050)),
        ({"format": "pcm"}, Encoding(Codec.PCM_S16LE, 16000), Encoding(Codec.PCM_S16LE, 22050)),
        (
            {"format": "opus", "bit_rate": 16},
            Encoding(Codec.OPUS, 16000, 16),
            Encoding(Codec.OPUS, 24000, 16),
        ),
        (
            {"format": "opus", "bit_rate": 510},
            Encoding(Codec.OPUS, 16000, 256),
            Encoding(Codec.OPUS, 24000, 256),
        ),
        ({"format": "wav", "sample_rate": 48000, "bit_rate": 32}, *2 * (Encoding(Codec.WAV, 48000),)),
    ],
)
def test_formats_and_what_stands_for_none(
    fields: dict[str, Any], sambert: Encoding, cosyvoice: Encoding
) -> None:
    assert wish_of(parameters(**fields), "m", "", SAMBERT).encoding == sambert
    assert wish_of(parameters(**fields), "m", "", COSYVOICE).encoding == cosyvoice


@pytest.mark.parametrize(
    "fields", [{"format": "midi"}, {"sample_rate": 12345}, {"format": "opus", "bit_rate": 999}]
)
def test_formats_that_there_are_not(fields: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedFormatError):
        wish_of(parameters(**fields), "m", "", COSYVOICE)


def test_factors_arrive() -> None:
    asked = parameters(volume=10, rate=2, pitch=0.5, seed=7, voice="v", instruction="sadly", unknown=1)
    wish = wish_of(asked, "m", "key", COSYVOICE)
    assert wish.style == Style(speed=2.0, pitch=0.5, volume=10.0, seed=7)
    assert (wish.voice, wish.model, wish.instruction, wish.key) == ("v", "m", "sadly", "key")


def test_the_model_of_sambert_is_the_voice() -> None:
    assert wish_of(Parameters(), "sambert-zhichu-v1", "", SAMBERT).voice == "sambert-zhichu-v1"
    assert wish_of(Parameters(), "cosyvoice-v2", "", COSYVOICE).voice == ""
    with pytest.raises(BadRequestError, match="model"):
        wish_of(Parameters(), "", "", COSYVOICE)


@pytest.mark.parametrize(
    ("fields", "text", "expected"),
    [
        ({"enable_ssml": True}, " <speak>x</speak>", True),
        ({"enable_ssml": True}, "1 < 2", False),
        ({"text_type": "ssml"}, "<speak rate='2'>x</speak>", True),
        ({"text_type": "SSML"}, "x", False),
        ({"enable_ssml": True}, "<speaker>", False),
        ({}, "<speak>x</speak>", False),
    ],
)
def test_the_text_decides_whether_it_is_ssml(fields: dict[str, Any], text: str, expected: bool) -> None:
    assert is_ssml(parameters(**fields), text) is expected


def test_hot_fixes_that_can_be_read_are_a_lexicon() -> None:
    fix = {
        "pronunciation": [{"天气": "tian1 qi4", "x": "??"}, {"行长": "hang2 zhang3"}],
        "replace": [{"今天": "金天"}],
    }
    asked = parameters(hot_fix=fix)
    assert wish_of(asked, "m", "", COSYVOICE).lexicon == {"天气": "tian1 qi4", "行长": "hang2 zhang3"}
    assert asked.replaced_words == {"今天": "金天"}


@pytest.mark.parametrize("kind", ["pronunciation", "replace"])
@pytest.mark.parametrize(
    ("words", "found", "allowed"),
    [
        ([{str(number): "x" for number in range(257)}], "257 words", "256"),
        (
            [{str(number): "x" for number in range(200)}, {"x" * number: "x" for number in range(57)}],
            "257",
            "256",
        ),
        ([{"w" * 65: "x"}], ".* of 65 characters", "64"),
        ([{"w": "x" * 257}], ".* of 257 characters", "256"),
    ],
    ids=["in one map", "in all", "word", "instead"],
)
def test_hot_fixes_are_few_and_short(
    kind: str, words: list[dict[str, str]], found: str, allowed: str
) -> None:
    with pytest.raises(BadRequestError, match=f"hot_fix.{kind}: found {found}.*; allowed: at most {allowed}"):
        parameters(hot_fix={kind: words})


def test_as_many_hot_fixes_as_there_may_be() -> None:
    words = [{f"{number:064}": "x" * 256 for number in range(256)}]
    assert len(parameters(hot_fix={"replace": words}).replaced_words) == 256


def test_readings_that_cannot_be_read_get_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    asked = parameters(hot_fix={"pronunciation": [{str(number): "??" for number in range(200)}]})
    assert wish_of(asked, "m", "", COSYVOICE).lexicon == {}
    assert [record.getMessage()[-3:] for record in caplog.records] == ["200"]


def test_null_is_absent_at_every_depth() -> None:
    asked = parameters(volume=None, hot_fix={"replace": None, "pronunciation": [{"x": None, "好": "hao4"}]})
    assert asked == parameters(hot_fix={"pronunciation": [{"好": "hao4"}]})
