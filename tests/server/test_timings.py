"""Phonemes and mouth shapes with their times, over real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streaming.engines.choice import Choice, EnginePlan
from streaming.loaded_voice import load_voice
from streaming.text.visemes import VISEMES
from tests.server.harness import Message, audio_of, one_voice, running


def of_kind(messages: list[Message], kind: str) -> list[Any]:
    return [item for message in messages if message["type"] == kind for item in message["items"]]


async def test_phonemes_and_visemes_come_if_asked_for_and_fill_the_words() -> None:
    library = one_voice(load_voice(Path(), EnginePlan(Choice("fake"))))
    async with running(library=library) as server, server.client() as client:
        asked = {"words": True, "phonemes": True, "visemes": True}
        await client.send("open", ctx=1, text="你好，世界。再见！", end=True, rate=16000, **asked)
        messages = await client.until("done", 1)
        await client.send("open", ctx=2, text="你好。", end=True)
        plain = await client.until("done", 2)
    kinds = [message["type"] for message in messages]
    assert kinds.index("sentence") < kinds.index("words") < kinds.index("phonemes") < kinds.index("visemes")
    words, phonemes, visemes = (of_kind(messages, kind) for kind in ("words", "phonemes", "visemes"))
    total = sum(len(message["pcm"]) for message in audio_of(messages)) // 2
    for items in (phonemes, visemes):
        starts, ends = [item[1] for item in items], [item[2] for item in items]
        assert all(start <= end for start, end in zip(starts, ends, strict=True))
        assert starts == sorted(starts)
        assert starts[0] >= 0
        assert ends[-1] <= total
        assert {item[1] for item in words} <= set(starts)
    assert {item[0] for item in visemes} <= set(VISEMES)
    assert not {"words", "phonemes", "visemes"} & {message["type"] for message in plain}


async def test_a_voice_without_phones_has_none() -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text="你好。", end=True, phonemes=True)
        messages = await client.until("done", 1)
    assert of_kind(messages, "phonemes") == []
