from __future__ import annotations

import time

import pytest

from clients.bench.adapters.adapter import Adapter
from clients.bench.targets import (
    SCHEMES,
    Target,
    TargetError,
    Voice,
    adapter_of,
    http_fields,
    parse_target,
    parse_targets,
)


def test_a_target_has_a_name_a_kind_and_a_url() -> None:
    assert parse_target("mine:openai=https://h:1/v1/audio/speech") == Target(
        "mine", "openai", "https://h:1/v1/audio/speech"
    )
    assert parse_target("native=ws://h:1/v1/stream?voice=a=b").name == "native"
    assert parse_target("ws://h/v1/stream") == Target("native", "native", "ws://h/v1/stream")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "steam=ws://h/",
            "unknown kind 'steam'.*known: native, http, openai, dashscope, elevenlabs, wyoming",
        ),
        ("native=http://h/", "no URL of a native target: ws://... or wss://"),
        ("openai=ws://h/", "no URL of a openai target"),
        ("wyoming=http://h:10200", "no URL of a wyoming target: tcp://"),
        ("native=ws://h:99999/", "no URL"),
        ("native=ws://", "no URL"),
        ("native=here", "no URL"),
        ("<b>:native=ws://h/", "letters, digits"),
        (":native=ws://h/", "letters, digits"),
    ],
)
def test_what_names_no_server_is_refused(text: str, words: str) -> None:
    with pytest.raises(TargetError, match=words):
        parse_target(text)


def test_two_targets_have_two_names() -> None:
    with pytest.raises(TargetError, match="two targets are called 'native'"):
        parse_targets(["ws://a/", "ws://b/"])
    assert [t.name for t in parse_targets(["a:native=ws://a/", "b:native=ws://a/"])] == ["a", "b"]


def test_without_any_it_is_the_default() -> None:
    assert parse_targets([], "ws://elsewhere/v1/stream")[0].url == "ws://elsewhere/v1/stream"


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("native", "wss://h:1/v1/stream"),
        ("http", "https://h:1/v1/tts"),
        ("openai", "https://h:1/v1/audio/speech"),
        ("dashscope", "wss://h:1/api-ws/v1/inference"),
        ("elevenlabs", "wss://h:1/v1/text-to-speech/alloy/stream-input"),
        ("wyoming", "tcp://h:10200"),
    ],
)
def test_every_protocol_has_its_place_on_a_server_of_ours(kind: str, url: str) -> None:
    (target,) = parse_targets([], "wss://h:1/v1/stream?token=t", [kind])
    assert target == Target(kind, kind, url) == parse_target(f"{kind}={url}")


def test_protocols_stand_beside_targets() -> None:
    targets = parse_targets(["a:native=ws://a/"], "ws://b:1/v1/stream", ["http", "openai"])
    assert [target.url for target in targets] == [
        "ws://a/",
        "http://b:1/v1/tts",
        "http://b:1/v1/audio/speech",
    ]


def test_secrets_in_a_url_are_not_shown() -> None:
    assert parse_target("ws://me:pass@h:1/v1/stream?token=s#x").public_url == "ws://h:1/v1/stream"


@pytest.mark.parametrize("kind", SCHEMES)
def test_every_kind_has_an_adapter(kind: str) -> None:
    target = parse_target(f"{kind}={SCHEMES[kind][0]}://h:1/path")
    adapter: Adapter = adapter_of(target, Voice(rate=16000, openai_rate=22050), 1.0, 1, time.perf_counter)
    assert adapter.sample_rate == (22050 if kind == "openai" else 16000)


def test_http_asks_for_what_was_chosen_and_leaves_the_rest_to_the_server() -> None:
    assert http_fields("http", Voice(rate=16000)) == ("text", {"format": "pcm", "rate": 16000})
    assert http_fields("http", Voice(voice="a", speaker="b"))[1] == {
        "voice": "a", "speaker": "b", "format": "pcm", "rate": 24000,
    }  # fmt: skip
    assert http_fields("openai", Voice(voice="a", model="m"))[1]["model"] == "m"
