"""What ElevenLabs' clients say: bodies, queries, messages.

Input   decoded JSON, queries
Output  validated values
State   none
Settings that have no meaning here (stability, similarity_boost, seed of a language, ...) are not looked at.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from server.bodies import Body
from server.elevenlabs.formats import DEFAULT_FORMAT
from server.speaking import possible_speed

MAX_NAME_CHARS = 256
DEFAULT_CONTEXT = "default"  # of messages on a multi-context socket that name none
DEFAULT_INACTIVITY_S = 20.0
MAX_INACTIVITY_S = 180.0

Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class VoiceSettings(Body):
    """How a voice is to sound; null inside it is what some clients send."""

    speed: float | None = None

    @property
    def possible_speed(self) -> float:
        """The speed, as far as a voice can go."""
        return 1.0 if self.speed is None else possible_speed(self.speed)


class SpeechRequest(Body):
    """The body of an HTTP request."""

    text: str
    model_id: Name = ""
    voice_settings: VoiceSettings = VoiceSettings()
    seed: Seed = 0


class SocketQuery(BaseModel):
    """The query of a WebSocket. It holds strings only, so that numbers may be strings here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model_id: Name = ""
    output_format: Name = DEFAULT_FORMAT
    enable_ssml_parsing: bool = False
    auto_mode: bool = False
    seed: Seed = 0
    inactivity_timeout: Annotated[float, Field(gt=0)] = DEFAULT_INACTIVITY_S


class ClientMessage(Body):
    """A message of a WebSocket, of one context or of many."""

    text: str | None = None
    flush: bool = False
    close_context: bool = False
    close_socket: bool = False
    context_id: Annotated[Name, Field(validation_alias=AliasChoices("context_id", "contextId"))] = ""
    voice_settings: VoiceSettings = VoiceSettings()
    xi_api_key: Annotated[str, Field(validation_alias=AliasChoices("xi_api_key", "xi-api-key"))] = ""
    authorization: str = ""

    @property
    def context(self) -> str:
        """The context that it is for."""
        return self.context_id or DEFAULT_CONTEXT
