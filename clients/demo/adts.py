"""Cut a stream of AAC in ADTS where a player can be handed the next part.

Input   bytes as they come
Output  segments: whole frames, and how long they last
State   the frame that is not there to its end, the frames of the segment that is being gathered
The first segment is one frame, so that playing can begin; later ones are long enough for a browser, which
fetches each by a request of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAME_SAMPLES = 1024
HEADER_BYTES = 7
SEGMENT_S = 0.5


@dataclass(frozen=True, slots=True)
class Segment:
    """Whole ADTS frames."""

    data: bytes
    duration_s: float


class AdtsError(Exception):
    """The bytes are not ADTS."""


def frame_ends(data: bytes) -> list[int]:
    """Return where in `data` each whole frame ends; `data` begins with one.

    Raises:
        AdtsError: It does not.
    """
    ends, start = [], 0
    while start + HEADER_BYTES <= len(data):
        if data[start] != 0xFF or data[start + 1] & 0xF0 != 0xF0:
            raise AdtsError(f"no frame begins at byte {start}: {data[start : start + 2].hex()}")
        size = (data[start + 3] & 0x03) << 11 | data[start + 4] << 3 | data[start + 5] >> 5
        if size < HEADER_BYTES:
            raise AdtsError(f"a frame of {size} bytes at byte {start}")
        if start + size > len(data):
            break
        start += size
        ends.append(start)
    return ends


class SegmentCutter:
    """Gathers frames into segments; any cut of the input gives the same ones."""

    def __init__(self, rate: int, segment_s: float = SEGMENT_S) -> None:
        self._frame_s = FRAME_SAMPLES / rate
        self._n_frames = max(1, round(segment_s / self._frame_s))
        self._is_first = True
        self._data = b""

    def push(self, data: bytes) -> list[Segment]:
        """Take bytes; return the segments that are complete.

        Raises:
            AdtsError: The bytes are not ADTS.
        """
        self._data += data
        ends = frame_ends(self._data)
        segments, start, taken = [], 0, 0
        while taken + (n_frames := 1 if self._is_first else self._n_frames) <= len(ends):
            taken += n_frames
            end = ends[taken - 1]
            segments.append(Segment(self._data[start:end], n_frames * self._frame_s))
            start, self._is_first = end, False
        self._data = self._data[start:]
        return segments

    def flush(self) -> list[Segment]:
        """Return what is left, at the end of the stream.

        Raises:
            AdtsError: It ends inside a frame.
        """
        data, self._data = self._data, b""
        if not data:
            return []
        ends = frame_ends(data)
        if not ends or ends[-1] != len(data):
            raise AdtsError("the stream ends inside a frame")
        return [Segment(data, len(ends) * self._frame_s)]
