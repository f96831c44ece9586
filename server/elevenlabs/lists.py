"""ElevenLabs' lists: voices, models, and the little that clients ask of an account.

Input   HTTP requests
Output  JSON in ElevenLabs' shape
State   none
A voice's id is its name. One with several speakers is listed once more for each: `voice:speaker`.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from server.auth import check_credentials
from server.backend import Backend
from server.bodies import BadFieldError
from server.elevenlabs.access import credentials_of
from server.elevenlabs.errors import refused
from server.messages import shown
from server.voice_names import SEPARATOR
from streaming.errors import StreamError
from streaming.manifest import VoiceManifest

CATEGORY = "premade"
DEFAULT_PAGE, MAX_PAGE = 10, 100  # voices

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Page:
    """Which part of a list is wanted, of what contains `search`."""

    search: str
    start: int
    size: int


class ElevenLabsLists:
    """Answers requests for lists. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def voices(self, request: web.Request) -> web.Response:
        """List all voices."""
        try:
            self._check(request)
        except StreamError as error:
            return refused(error, {})
        return web.json_response({"voices": self._voices()})

    async def search(self, request: web.Request) -> web.Response:
        """List voices by pages."""
        try:
            self._check(request)
            page = _page(request)
        except StreamError as error:
            return refused(error, {})
        found = [voice for voice in self._voices() if page.search in _words(voice)]
        end = page.start + page.size
        has_more = end < len(found)
        return web.json_response(
            {
                "voices": found[page.start : end],
                "has_more": has_more,
                "total_count": len(found),
                "next_page_token": str(end) if has_more else None,
            }
        )

    async def voice(self, request: web.Request) -> web.Response:
        """Tell about a voice, by any name that may be spoken with."""
        name = request.match_info["voice_id"]
        backend = self._backend
        try:
            self._check(request)
            named = backend.names.voice(name, backend.library.names)
            manifest = backend.voice(named.voice).manifest
            manifest.speaker_id(named.speaker)
            manifest.emotion_id(named.emotion)
        except StreamError as error:
            return refused(error, {})
        return web.json_response(_described(name, manifest))

    async def models(self, request: web.Request) -> web.Response:
        """List the models; all are the same, and speak what the voice does."""
        try:
            self._check(request)
        except StreamError as error:
            return refused(error, {})
        languages = sorted(
            {tag for voice in self._backend.library.manifests.values() for tag in voice.languages}
        )
        fields: Fields = {
            "can_do_text_to_speech": True,
            "can_do_voice_conversion": False,
            "can_be_finetuned": False,
            "maximum_text_length_per_request": self._backend.config.limits.chars_per_context,
            "languages": [{"language_id": tag, "name": tag} for tag in languages],
        }
        models = [{"model_id": name, "name": name, **fields} for name in self._backend.names.models]
        return web.json_response(models)

    async def subscription(self, request: web.Request) -> web.Response:
        """Tell that nothing is counted."""
        try:
            self._check(request)
        except StreamError as error:
            return refused(error, {})
        return web.json_response(
            {
                "tier": "zhiyin",
                "status": "active",
                "character_count": 0,
                "character_limit": 1_000_000_000,
                "voice_slots_used": 0,
                "professional_voice_slots_used": 0,
                "voice_limit": 0,
                "voice_add_edit_counter": 0,
                "professional_voice_limit": 0,
                "can_extend_character_limit": False,
                "allowed_to_extend_character_limit": False,
                "can_extend_voice_limit": False,
                "can_use_instant_voice_cloning": False,
                "can_use_professional_voice_cloning": False,
                "open_invoices": [],
            }
        )

    def _check(self, request: web.Request) -> None:
        check_credentials(credentials_of(request), self._backend.config.auth)

    def _voices(self) -> list[Fields]:
        voices: list[Fields] = []
        for name, manifest in self._backend.library.manifests.items():
            voices.append(_described(name, manifest))
            if len(manifest.speakers) > 1:
                names = (f"{name}{SEPARATOR}{speaker}" for speaker in manifest.speakers)
                voices += [_described(name, manifest) for name in names]
        return voices


def _described(name: str, manifest: VoiceManifest) -> Fields:
    return {
        "voice_id": name,
        "name": name,
        "category": CATEGORY,
        "description": manifest.description,
        "labels": {"language": ", ".join(manifest.languages), "emotions": ", ".join(manifest.emotions)},
        "preview_url": None,
        "settings": None,
        "samples": None,
        "available_for_tiers": [],
        "high_quality_base_model_ids": [],
    }


def _page(request: web.Request) -> _Page:
    """Read the query of a search.

    Raises:
        BadFieldError: A number is none.
    """
    size = _number(request, "page_size", DEFAULT_PAGE)
    start = _number(request, "next_page_token", 0)
    return _Page(request.query.get("search", "").casefold(), start, min(max(size, 1), MAX_PAGE))


def _number(request: web.Request, name: str, default: int) -> int:
    found = request.query.get(name) or str(default)
    if not (found.isascii() and found.isdigit() and len(found) < 10):
        raise BadFieldError(name, f"{name}: found {shown(found)}; allowed: a number from 0")
    return int(found)


def _words(voice: Fields) -> str:
    return " ".join(str(value) for value in (voice["name"], voice["description"], voice["labels"])).casefold()
