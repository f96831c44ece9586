"""The configuration: one frozen, typed tree, read once at start.

Input   a YAML file, ZHIYIN_... environment variables, command-line flags (later ones win)
Output  ServerConfig, or ConfigError naming the key, what was found and what is allowed
State   none
It does not know what the values are used for. `configs/server.yaml` lists every key with its
default; a test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from platformdirs import user_cache_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from streaming.engines.choice import OnFailure, Precision, Runtime
from streaming.errors import BadRequestError, ConfigError
from streaming.manifest import NetworkName
from streaming.text.lexicon import Lexicon

ENV_PREFIX = "ZHIYIN_"
ENV_NESTING = "__"
ENV_VOICES = "ZHIYIN_VOICES"  # adds folders of voices, separated like PATH
ENV_OF_CLIENTS = ("ZHIYIN_URL", "ZHIYIN_TOKEN")

DEVICE = r"^(cpu|cuda(:[0-9]{1,2})?)$"

PositiveInt = Annotated[int, Field(ge=1)]
PositiveSeconds = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkConfig(_Section):
    """How one network is run; what is not said is as for the others."""

    engine: Runtime | Literal[""] = ""
    precision: Precision | Literal[""] = ""
    device: Annotated[str, Field(pattern=f"{DEVICE}|^$")] = ""


class VoiceConfig(_Section):
    """Where voices come from and what runs them."""

    embedded: bool = True
    folders: tuple[Path, ...] = ()
    default: str = ""
    engine: Runtime = "onnx"
    precision: Precision = "fp32"
    device: Annotated[str, Field(pattern=DEVICE)] = "cpu"
    networks: dict[NetworkName, NetworkConfig] = {}
    on_failure: OnFailure = "refuse"
    min_snr_db: dict[Precision, float] = {}
    engine_folder: Path | None = None
    preload: tuple[str, ...] = ()
    memory_limit_mb: Annotated[int, Field(ge=0)] = 4096
    load_s: PositiveSeconds = 30.0

    @property
    def engines(self) -> Path:
        """Where engines and what was found by tuning are kept: `engine_folder`, or this user's own."""
        return self.engine_folder or user_cache_path("zhiyin", appauthor=False) / "engines"


class WorkerConfig(_Section):
    """What runs the networks, and in which order."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    max_queued: PositiveInt = 1024
    max_rows: Annotated[int, Field(ge=1, le=1024)] = 32
    max_ahead_s: Annotated[float, Field(ge=0.5)] = 4.0
    niceness: Annotated[int, Field(ge=0, le=19)] = 5

    @property
    def n_threads(self) -> int:
        """Network calls that run at a time: `threads`, or one per core that this process may use."""
        return self.threads or _usable_cores()


PauseMs = Annotated[int, Field(ge=0, le=10_000)]


class TextConfig(_Section):
    """When buffered text is spoken."""

    max_delay_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    first_min_chars: PositiveInt = 6
    first_rest_min_chars: PositiveInt = 4
    max_segment_chars: Annotated[int, Field(ge=20, le=1000)] = 80
    sentence_pause_ms: PauseMs = 200
    paragraph_pause_ms: PauseMs = 500
    lexicon: dict[str, str] = {}

    @field_validator("lexicon")
    @classmethod
    def _can_be_read(cls, lexicon: dict[str, str]) -> dict[str, str]:
        try:
            Lexicon(lexicon)
        except BadRequestError as error:
            raise ValueError(str(error)) from None
        return lexicon


class PhraseConfig(_Section):
    """A phrase with who speaks it, and how; as in an `open` of the protocol."""

    text: str
    voice: str = ""
    speaker: str = ""
    emotion: str = ""
    emotion_intensity: float = 1.0
    speed: float = 1.0
    pitch: float = 1.0
    volume: float = 50.0
    seed: int = 0


class CacheConfig(_Section):
    """What was spoken and is kept for the next who asks for it."""

    memory_mb: Annotated[int, Field(ge=0)] = 256
    disk_mb: Annotated[int, Field(ge=0)] = 0
    folder: Path | None = None
    on_cancel: Literal["drop", "finish"] = "drop"
    max_finishing: PositiveInt = 16
    warm_up: Annotated[tuple[str | PhraseConfig, ...], Field(max_length=10_000)] = ()

    @property
    def phrases(self) -> tuple[PhraseConfig, ...]:
        """What is spoken ahead of time, each with its voice and style."""
        return tuple(PhraseConfig(text=entry) if isinstance(entry, str) else entry for entry in self.warm_up)

    @model_validator(mode="after")
    def _refuse_a_disk_without_memory(self) -> Self:
        if self.disk_mb and not self.memory_mb:
            msg = "disk_mb needs a memory_mb above 0: segments are shared and written from memory"
            raise ValueError(msg)
        return self


class AdmissionConfig(_Section):
    """Who is let in when there is not enough for all."""

    policy: Literal["refuse", "queue", "off"] = "refuse"
    max_load: Annotated[float, Field(gt=0, le=4)] = 0.9
    ttfc_ms: PositiveInt = 200
    reserve: Annotated[float, Field(ge=0, lt=1)] = 0.1
    max_queued: PositiveInt = 64
    queue_s: PositiveSeconds = 2.0


class AudioConfig(_Section):
    """How audio is cut into frames."""

    first_frame_ms: Annotated[int, Field(ge=10, le=200)] = 40
    frame_ms: Annotated[int, Field(ge=20, le=300)] = 200
    window_ms: Annotated[int, Field(ge=0)] = 0


# Of OpenAI, of Qwen, of Sambert (where a model is a voice) and of CosyVoice.
VENDOR_VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer",
    "verse", "Cherry", "Serena", "Ethan", "Chelsie", "sambert-*", "long*",
)  # fmt: skip


class NamesConfig(_Section):
    """What names of other vendors' voices and models mean here."""

    voices: dict[str, str] = {}
    default_voice: tuple[str, ...] = VENDOR_VOICES
    models: tuple[str, ...] = (
        "zhiyin", "tts-1", "tts-1-hd", "gpt-4o-mini-tts*",
        "sambert-*", "cosyvoice-*", "qwen*-tts*", "eleven_*",
    )  # fmt: skip
    unknown: Literal["refuse", "default"] = "refuse"


class WyomingConfig(_Section):
    """The TCP port that Home Assistant speaks to."""

    port: Annotated[int, Field(ge=0, le=65535)] | None = None


class DashScopeConfig(_Section):
    """How long DashScope's clients are waited for, and how long their audio is kept."""

    text_s: PositiveSeconds = 23.0
    idle_s: PositiveSeconds = 60.0
    kept_mb: Annotated[int, Field(ge=0)] = 64
    kept_s: PositiveSeconds = 600.0


class LimitConfig(_Section):
    """Every buffer has a limit and every wait a timeout."""

    connections: PositiveInt = 256
    requests: PositiveInt = 256
    contexts_per_connection: Annotated[int, Field(ge=1, le=65535)] = 16
    chars_per_context: PositiveInt = 20_000
    chars_per_append: PositiveInt = 4000
    chars_in_all: PositiveInt = 400_000
    message_bytes: Annotated[int, Field(ge=1024)] = 65536
    bad_messages: PositiveInt = 16
    send_buffer_bytes: Annotated[int, Field(ge=1024)] = 32768
    slow_reader_s: PositiveSeconds = 20.0
    open_s: PositiveSeconds = 60.0
    idle_s: PositiveSeconds = 300.0
    context_idle_s: PositiveSeconds = 60.0
    heartbeat_s: PositiveSeconds = 20.0
    drain_s: Annotated[float, Field(ge=0)] = 10.0
    retry_after_ms: PositiveInt = 1000


class KeyConfig(_Section):
    """A token with what is granted to it."""

    token: SecretStr
    name: str = ""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0


class AuthConfig(_Section):
    """Who may connect, and whose share is how large."""

    tokens: tuple[SecretStr | KeyConfig, ...] = ()

    @property
    def keys(self) -> tuple[KeyConfig, ...]:
        """The tokens, each with its name (`key 1`, ... where none is given) and weight."""
        keys = (key if isinstance(key, KeyConfig) else KeyConfig(token=key) for key in self.tokens)
        return tuple(
            key if key.name else key.model_copy(update={"name": f"key {number}"})
            for number, key in enumerate(keys, 1)
        )


class ServerConfig(BaseSettings):
    """All settings of the server. Constructed directly, it reads neither files nor environment."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_NESTING,
        env_ignore_empty=True,
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    voice: VoiceConfig = VoiceConfig()
    workers: WorkerConfig = WorkerConfig()
    text: TextConfig = TextConfig()
    cache: CacheConfig = CacheConfig()
    admission: AdmissionConfig = AdmissionConfig()
    audio: AudioConfig = AudioConfig()
    names: NamesConfig = NamesConfig()
    wyoming: WyomingConfig = WyomingConfig()
    dashscope: DashScopeConfig = DashScopeConfig()
    limits: LimitConfig = LimitConfig()
    auth: AuthConfig = AuthConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments only; `load_config` adds the file and the environment."""
        return (init_settings,)


Flags = Mapping[str, Any]  # nested like the tree: {"port": 0, "voice": {"engine": "fake"}}


def load_config(path: Path | None = None, flags: Flags | None = None) -> ServerConfig:
    """Read the configuration: flags over environment over the file at `path` over defaults.

    `ZHIYIN_VOICES` is added to `voice.folders` whatever else sets them.

    Raises:
        ConfigError: The file cannot be read, or a key is unknown or its value not allowed.
    """
    if path is not None and not path.is_file():
        raise ConfigError(f"no configuration file {path}")
    try:
        config = _loader(path)(**(flags or {}))
    except ValidationError as error:
        raise ConfigError(_describe(error, path)) from None
    except SettingsError as error:  # a variable that holds a section, as bad JSON
        raise ConfigError(f"environment: {error}") from None
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path}: {error}") from None
    except (ValueError, TypeError):  # from dict() on what the file holds
        raise ConfigError(
            f"configuration {path}: found no mapping; allowed: settings as key: value"
        ) from None
    values = {name: getattr(config, name) for name in ServerConfig.model_fields}
    folders = (*config.voice.folders, *folders_of_environment(os.environ))
    return ServerConfig(**values | {"voice": config.voice.model_copy(update={"folders": folders})})


def folders_of_environment(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders of `ZHIYIN_VOICES`."""
    return tuple(Path(part) for part in environment.get(ENV_VOICES, "").split(os.pathsep) if part)


def unknown_environment() -> list[str]:
    """Return the ZHIYIN_... variables that name no setting.

    They are worth a warning, not a refusal: orchestrators inject variables of this shape
    (`ZHIYIN_SERVICE_HOST` in Kubernetes) and clients have their own.
    """
    known = {
        ENV_VOICES,
        *ENV_OF_CLIENTS,
        *(f"{ENV_PREFIX}{path}".upper() for path in setting_paths(ENV_NESTING)),
    }
    return sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and name not in known)


def setting_paths(separator: str = ".") -> list[str]:
    """Return the path of every setting, sections included: `limits`, `limits.idle_s`, ..."""
    paths: list[str] = []
    for name, field in ServerConfig.model_fields.items():
        paths.append(name)
        if isinstance(field.default, BaseModel):
            paths.extend(f"{name}{separator}{inner}" for inner in type(field.default).model_fields)
    return paths


def _usable_cores() -> int:
    """Return the cores of the affinity mask, where there is one (Linux), else of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _loader(path: Path | None) -> type[ServerConfig]:
    """Return ServerConfig with the file at `path` and the environment as further sources."""

    class LoadedConfig(ServerConfig):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = () if path is None else (YamlConfigSettingsSource(settings_cls, yaml_file=path),)
            return (init_settings, EnvSettingsSource(settings_cls), *file)

    return LoadedConfig


def _describe(error: ValidationError, path: Path | None) -> str:
    lines = []
    for detail in error.errors(include_url=False):
        key = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown key")
        else:
            lines.append(f"{key}: found {detail['input']!r}; {detail['msg'][0].lower()}{detail['msg'][1:]}")
    source = f"configuration {path}" if path else "configuration"
    return f"{source}: " + "; ".join(lines)
