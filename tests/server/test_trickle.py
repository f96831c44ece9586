"""Text as a language model writes it, token by token: heard from the first clause on, the same as at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streaming.engines.choice import Choice, EnginePlan
from streaming.loaded_voice import load_voice
from tests.server.harness import SUBPROTOCOLS, audio_of, one_voice, running

REPLY = (
    "好的，我来帮你查一下明天的天气。北京明天的最高气温是3.5℃，降水概率为20%，比今天低2度。\n"
    "- 第1条建议：出门请带伞，see https://weather.example.com/bj?d=1 for details。\n"
    "- 第2条：**不要**忘记带GPU去修，价格是¥1,299.50，电话13812345678。版本v2.0.1已经发布！"
)
FIRST_CLAUSE = "好的，我来帮你查一下明天的天气。北"


def tokens(text: str) -> list[str]:
    """Cut a text like a tokenizer: a few Hanzi, a few digits, parts of words, marks alone."""
    return re.findall(r"[一-鿿]{1,2}|\d{1,2}|[A-Za-z]{1,4}|.|\n", text)


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_it_speaks_with_the_first_clause_and_sounds_the_same_as_at_once(subprotocol: str) -> None:
    library = one_voice(load_voice(Path(), EnginePlan(Choice("fake"))))
    async with running(library=library) as server, server.client(subprotocol) as client:
        await client.send("open", ctx=1, text=REPLY, end=True)
        at_once = await client.until("done", 1)
        await client.send("open", ctx=2, seed=0)
        written = ""
        pieces = tokens(REPLY)
        while len(written) < len(FIRST_CLAUSE):
            written += (piece := pieces.pop(0))
            await client.send("append", ctx=2, text=piece)
        trickled = await client.until("audio", 2)  # nothing more was written: it must come now
        for piece in pieces:
            await client.send("append", ctx=2, text=piece)
        await client.send("end", ctx=2)
        trickled += await client.until("done", 2)
    sentences = [
        [message["text"] for message in messages if message["type"] == "sentence"]
        for messages in (at_once, trickled)
    ]
    assert sentences[0] == sentences[1]
    assert len(sentences[0]) >= 4
    audio = [b"".join(message["pcm"] for message in audio_of(messages)) for messages in (at_once, trickled)]
    assert audio[0] == audio[1] != b""
