"""Where `say` puts audio: a file, a loudspeaker.

Input   16-bit PCM, in order; for files of other formats their bytes
Output  a file; sound
State   the open file or player
They know neither the server nor text. `write` may take as long as the audio lasts.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import wave
from pathlib import Path
from typing import Any, Protocol

SAMPLE_BYTES = 2
PLAY_HINT = "no player found: pip install sounddevice (or install aplay), or write a file with -o speech.wav"


class SinkError(Exception):
    """The audio cannot be played or written here; the text says why, and what to do."""


class Sink(Protocol):
    """Takes 16-bit mono PCM, or the bytes of a file."""

    async def write(self, data: bytes, /) -> None:
        """Take the next samples; returns when more may come."""
        ...

    async def close(self) -> None:
        """Finish: everything has been written or heard after this."""
        ...

    async def abort(self) -> None:
        """Stop now; what was not heard yet is dropped."""
        ...


class WavSink:
    """Writes a wav file; its header is right at any moment that `close` or `abort` was called."""

    def __init__(self, path: Path, rate: int) -> None:
        """Open the file.

        Raises:
            SinkError: It cannot be written.
        """
        try:
            self._stream = path.open("wb")
        except OSError as error:
            raise _cannot_write(path, error) from error
        self._path = path
        self._file = wave.open(self._stream, "wb")  # noqa: SIM115 -- closed by `close`
        self._file.setnchannels(1)
        self._file.setsampwidth(SAMPLE_BYTES)
        self._file.setframerate(rate)

    async def write(self, pcm: bytes) -> None:
        """Append samples.

        Raises:
            SinkError: The disk is full, or the reader of a pipe is gone.
        """
        try:
            self._file.writeframesraw(pcm)
        except OSError as error:
            raise _cannot_write(self._path, error) from error

    async def close(self) -> None:
        """Write the final length into the header.

        Raises:
            SinkError: The disk is full, or this is a pipe, where nothing can be written afterwards.
        """
        try:
            with self._stream:
                self._file.close()
        except OSError as error:
            raise _cannot_write(self._path, error) from error

    async def abort(self) -> None:
        """Keep what there is."""
        await self.close()


class FileSink:
    """Writes a stream that is a file as it comes: mp3, opus, ..."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            SinkError: It cannot be written.
        """
        self._path = path
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise _cannot_write(path, error) from error

    async def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            SinkError: The disk is full, or the reader of a pipe is gone.
        """
        try:
            self._file.write(data)
        except OSError as error:
            raise _cannot_write(self._path, error) from error

    async def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: The disk is full.
        """
        try:
            self._file.close()
        except OSError as error:
            raise _cannot_write(self._path, error) from error

    async def abort(self) -> None:
        """Keep what there is."""
        await self.close()


def _cannot_write(path: Path, error: OSError) -> SinkError:
    return SinkError(f"cannot write {path}: {error.strerror or error}")


class DeviceSink:
    """Plays through PortAudio (package `sounddevice`)."""

    def __init__(self, rate: int) -> None:
        """Open the default output.

        Raises:
            SinkError: PortAudio or an output device is missing.
        """
        try:
            import sounddevice

            self._stream: Any = sounddevice.RawOutputStream(samplerate=rate, channels=1, dtype="int16")
            self._stream.start()
        except (ImportError, OSError) as error:  # OSError: PortAudio library, or no device
            raise SinkError(f"cannot play: {error}; {PLAY_HINT}") from error
        except Exception as error:  # sounddevice.PortAudioError, which only exists once it is imported
            raise SinkError(f"cannot play: {error}") from error

    async def write(self, pcm: bytes) -> None:
        """Play samples; waits for room in the device's buffer."""
        await asyncio.to_thread(self._stream.write, pcm)

    async def close(self) -> None:
        """Play to the end."""
        await asyncio.to_thread(self._stream.stop)
        self._stream.close()

    async def abort(self) -> None:
        """Fall silent."""
        self._stream.abort()
        self._stream.close()


class ProcessSink:
    """Plays through a command that reads raw PCM from its standard input (aplay)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, program: str, rate: int) -> ProcessSink:
        """Start `program` with aplay's arguments."""
        arguments = ["-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(rate)]
        process = await asyncio.create_subprocess_exec(program, *arguments, stdin=asyncio.subprocess.PIPE)
        return cls(process)

    async def write(self, pcm: bytes) -> None:
        """Play samples; waits for room in the pipe.

        Raises:
            SinkError: The player has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(pcm)
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise SinkError("the player has ended; is there a sound device?") from error

    async def close(self) -> None:
        """Play to the end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def abort(self) -> None:
        """Fall silent."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()


async def open_player(rate: int) -> Sink:
    """Return the best player of this machine.

    Raises:
        SinkError: There is none.
    """
    if importlib.util.find_spec("sounddevice"):
        return DeviceSink(rate)
    program = shutil.which("aplay")
    if program:
        return await ProcessSink.start(program, rate)
    raise SinkError(PLAY_HINT)
