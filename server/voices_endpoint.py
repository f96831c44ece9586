"""The voices over HTTP: what there is, and looking at the folders again.

Input   HTTP requests
Output  JSON; docs/protocol.md has its shape
State   none
It does not know how voices are found or loaded.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from server.auth import refusal
from server.backend import Backend
from streaming.errors import BadRequestError
from streaming.manifest import (
    EMOTION_ALIASES,
    EMOTION_INTENSITY_RANGE,
    PITCH_RANGE,
    SPEED_RANGE,
    VOLUME_RANGE,
    VoiceManifest,
)
from streaming.sambert_manifest import SambertManifest
from streaming.types import Style

VOICES_PATH = "/v1/voices"
RELOAD_PATH = "/v1/voices/reload"

# Of each control its range and a style with an extreme of it, by which a voice is asked whether it can.
CONTROLS: Mapping[str, tuple[tuple[float, float], Style]] = {
    "speed": (SPEED_RANGE, Style(speed=SPEED_RANGE[1])),
    "pitch": (PITCH_RANGE, Style(pitch=PITCH_RANGE[1])),
    "volume": (VOLUME_RANGE, Style(volume=VOLUME_RANGE[1])),
    "emotion_intensity": (EMOTION_INTENSITY_RANGE, Style(emotion_intensity=EMOTION_INTENSITY_RANGE[1])),
}


class VoicesEndpoint:
    """Answers requests about voices. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def list_voices(self, request: web.Request) -> web.Response:
        """List the voices and what each can do; those that cannot be used, with the reason."""
        if (refused := refusal(request, self._backend.config.auth)) is not None:
            return refused
        library = self._backend.library
        default, loaded = library.default_name, library.loaded_names
        voices = [
            {"name": name, "default": name == default, "loaded": name in loaded, **describe(manifest)}
            for name, manifest in library.manifests.items()
        ]
        return web.json_response({"voices": voices, "broken": self._told(library.broken)})

    async def reload(self, request: web.Request) -> web.Response:
        """Look at the folders again and tell what came, went and changed."""
        if (refused := refusal(request, self._backend.config.auth)) is not None:
            return refused
        found = await self._backend.reload()
        return web.json_response(
            {
                "added": list(found.added),
                "removed": list(found.removed),
                "changed": list(found.changed),
                "broken": self._told(found.broken),
            }
        )

    def _told(self, broken: Mapping[str, str]) -> dict[str, str]:
        return {name: self._backend.library.told(name, reason) for name, reason in broken.items()}


def describe(manifest: VoiceManifest) -> dict[str, object]:
    """Return what a voice can do, for people who choose one."""
    emotions = list(manifest.emotions)
    return {
        "family": manifest.family,
        "description": manifest.description,
        "languages": list(manifest.languages),
        "speakers": list(manifest.speakers),
        "emotions": emotions,
        "emotion_aliases": _aliases(emotions),
        "controls": {
            name: list(limits) for name, (limits, style) in CONTROLS.items() if _can(manifest, style)
        },
        "sample_rate": manifest.sample_rate,
        "precisions": list(manifest.precisions),
        "lookahead_ms": _lookahead_ms(manifest),
        "licence": manifest.licence,
    }


def _can(manifest: VoiceManifest, style: Style) -> bool:
    try:
        manifest.check_style(style)
    except BadRequestError:
        return False
    return True


def _aliases(emotions: list[str]) -> dict[str, str]:
    """Return further names that requests may use, with the emotion that each means."""
    return {
        alias: name for alias, name in EMOTION_ALIASES.items() if name in emotions and alias not in emotions
    }


def _lookahead_ms(manifest: VoiceManifest) -> float | None:
    """Return how far the vocoder looks ahead; None for a family that needs the whole sentence."""
    if not isinstance(manifest, SambertManifest):
        return None
    samples = manifest.vocoder.lookahead_frames * manifest.hop_length
    return round(1000.0 * samples / manifest.sample_rate, 3)
