"""Frequent phrases, spoken into the cache before anybody asks for them.

Input   `cache.warm_up`; that voices came or changed
Output  none: the cache has them
State   none
It takes nothing from anybody: its work is done when no other waits.
"""

from __future__ import annotations

import logging

from server.backend import Backend
from server.config import PhraseConfig
from streaming.errors import StreamError
from streaming.types import Style

logger = logging.getLogger(__name__)

N_SHOWN_CHARS = 20


async def keep_warm(backend: Backend) -> None:
    """Speak the phrases now, and again whenever voices have come or changed. Runs until cancelled."""
    while True:
        backend.voices_changed.clear()
        for phrase in backend.config.cache.phrases:
            await _speak(backend, phrase)
        await backend.voices_changed.wait()


async def _speak(backend: Backend, phrase: PhraseConfig) -> None:
    """Speak one phrase to nobody; one that cannot be spoken is logged."""
    style = Style(**phrase.model_dump(exclude={"text", "voice"}))
    try:
        utterance = backend.idle_utterance(backend.voice(phrase.voice), style, max(len(phrase.text), 1))
        utterance.append(phrase.text)
        utterance.end()
        async for _ in utterance.events():
            pass
    except StreamError as error:
        logger.warning("cache.warm_up: %r cannot be spoken: %s", phrase.text[:N_SHOWN_CHARS], error)
