from __future__ import annotations

import pytest

from streaming.engines.fake import fake_manifest
from streaming.errors import UnspeakableTextError
from streaming.frontends import MuteFrontend, make_frontend, symbol_tables
from streaming.manifest import VoiceManifest
from streaming.sambert_manifest import SymbolLists
from streaming.text.byte_frontend import ByteFrontend
from streaming.text.frontend import Frontend
from streaming.text.symbols import PINYIN_PHONES, PINYIN_TONES


def test_a_mandarin_voice_gets_the_frontend_with_its_own_symbols():
    lists = SymbolLists(phones=PINYIN_PHONES[::-1], tones=PINYIN_TONES, has_mask=False)
    manifest = fake_manifest().model_copy(update={"symbols": lists})
    frontend = make_frontend(manifest)
    assert isinstance(frontend, Frontend)
    spoken = frontend.phonemes("啊")
    assert spoken is not None
    assert spoken.ids[:, 0].tolist() == symbol_tables(manifest).encode(spoken.tokens)[:, 0].tolist()
    assert spoken.ids[0, 0] != make_frontend(fake_manifest()).phonemes("啊").ids[0, 0]


def test_a_byte_voice_gets_bytes_whatever_its_language():
    manifest = fake_manifest().model_copy(update={"symbols": "bytes", "languages": ("ru-RU",)})
    assert isinstance(make_frontend(manifest), ByteFrontend)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"languages": ("zh-CN-sichuan",)},
            "speaks zh-CN-sichuan, which cannot be pronounced yet",
        ),
        ({"languages": ("yue-HK",)}, "speaks yue-HK"),
        ({"symbols": "unknown"}, "without its symbol lists"),
    ],
)
def test_a_voice_that_no_frontend_pronounces_refuses_every_text_with_the_reason(changes, reason: str):
    frontend = make_frontend(fake_manifest().model_copy(update=changes))
    assert isinstance(frontend, MuteFrontend)
    with pytest.raises(UnspeakableTextError, match=reason):
        frontend.phonemes("你好")


def test_a_family_without_a_frontend_is_our_bug():
    stranger = VoiceManifest(
        family="stranger", name="x", languages=("zh-CN",), sample_rate=16000, speakers=("a",), licence="none"
    )
    with pytest.raises(TypeError, match="stranger"):
        make_frontend(stranger)
