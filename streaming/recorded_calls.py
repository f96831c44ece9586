"""What the networks of a voice are really called with: inputs to calibrate, to compare and to time on.

Input   a bundle, texts
Output  the calls of each network while the texts are spoken in fp32
State   none
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streaming.engines.bundle import BundleEngine
from streaming.errors import UnspeakableTextError
from streaming.frontends import PhonemeSource, make_frontend
from streaming.manifest import VoiceManifest
from streaming.synthesis.engine import Array, Engine, NetworkName
from streaming.synthesis.family import new_synthesis
from streaming.synthesis.steps import run_steps
from streaming.types import AudioChunk, Style

TEXTS = (
    "你好，欢迎使用语音合成服务。",
    "北京今天天气怎么样？",
    "请稍等，我帮你查一下明天从上海到杭州的高铁，还有没有靠窗的座位。",
    "他说：“下午三点二十五分，一共是一百二十八块六。”",
    "啊，真的吗？那太好了！",
    "春眠不觉晓，处处闻啼鸟。",
    "如果网络不稳定，请先检查路由器的指示灯是不是绿色。",
    "Hello, how are you today?",
    "这个 model 的 latency 只有二十毫秒。",
    "四是四，十是十，十四是十四，四十是四十。",
    "对不起，您拨打的电话正在通话中，请稍后再拨。",
    "女儿去吕梁旅游，买了一条绿裙子。",
)
MAX_CALLS = 400  # of one network: more add nothing to the ranges


@dataclass(slots=True)
class RecordingEngine:
    """Runs another engine and remembers its inputs."""

    engine: Engine
    calls: dict[NetworkName, list[dict[str, Array]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """That of the engine behind."""
        return self.engine.name

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run and remember."""
        calls = self.calls.setdefault(network, [])
        if len(calls) < MAX_CALLS:
            calls.append({name: value.copy() for name, value in inputs.items()})
        return self.engine.run(network, inputs)


def record_calls(
    folder: Path, manifest: VoiceManifest, texts: Sequence[str] = TEXTS
) -> dict[NetworkName, list[dict[str, Array]]]:
    """Speak the texts, with every emotion of the voice in turn; return what each network was called with.

    Raises:
        UnspeakableTextError: The voice can pronounce none of them.
    """
    engine = RecordingEngine(BundleEngine(folder, manifest))
    frontend = make_frontend(manifest)
    emotions = list(manifest.emotions) or [""]
    spoken = [
        speak_text(engine, manifest, frontend, text, Style(emotion=emotions[number % len(emotions)]))
        for number, text in enumerate(texts)
    ]
    if not any(spoken):
        raise UnspeakableTextError(f"voice {manifest.name!r} can pronounce none of the {len(texts)} texts")
    return engine.calls


def speak_text(
    engine: Engine, manifest: VoiceManifest, frontend: PhonemeSource, text: str, style: Style | None = None
) -> bool:
    """Speak a text to nobody, as the server would; return whether there was anything to say."""
    try:
        phonemes = frontend.phonemes(text)
    except UnspeakableTextError:
        return False
    if phonemes is None or not phonemes.tokens:
        return False
    synthesis = new_synthesis(engine, manifest, phonemes, style or Style())
    chunk: AudioChunk | None = AudioChunk(np.zeros(0, np.float32), 0, last=False)
    while chunk is not None:
        chunk = run_steps(engine, synthesis.steps())
    return True
