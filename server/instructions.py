"""What an instruction in plain words says about the emotion: `Speak cheerfully`, `用悲伤的语气`.

Input   an instruction; the emotions of a voice
Output  one of these emotions, or ""
State   none
Anything else that an instruction may ask for is beyond these voices and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = {
    "happy": "happy happily cheerful cheerfully joyful excited upbeat 开心 高兴 快乐 愉快 欢快 喜悦 兴奋",
    "sad": "sad sadly sorrowful mournful melancholy gloomy 悲伤 伤心 难过 忧伤 哀伤 沮丧",
    "angry": "angry angrily furious mad 生气 愤怒 恼火 气愤",
    "fear": "fear fearful fearfully afraid scared frightened 害怕 恐惧 惊恐",
    "disgust": "disgust disgusted disgusting 厌恶 嫌弃",
    "surprise": "surprise surprised surprising astonished 惊讶 吃惊 惊喜",
    "neutral": "neutral neutrally calm calmly plain 中性 平静 冷静",
}  # fmt: skip


def emotion_in(instruction: str, emotions: Iterable[str]) -> str:
    """Return the emotion that is named first in `instruction`, as the voice calls it; "" if none is.

    A voice's own names count before the words above.
    """
    best: tuple[int, str] | None = None
    for emotion in emotions:
        for word in (emotion, *_WORDS.get(emotion, "").split()):
            place = _place(word, instruction)
            if place is not None and (best is None or place < best[0]):
                best = (place, emotion)
    return "" if best is None else best[1]


def _place(word: str, text: str) -> int | None:
    pattern = rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word)
    found = re.search(pattern, text, re.IGNORECASE)
    return None if found is None else found.start()
