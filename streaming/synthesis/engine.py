"""The seam between synthesis and the libraries that run networks.

An engine holds the networks of one voice and runs them by name. It keeps no stream state: state
tensors go in and come out of every call, so one engine serves any number of streams.

The networks of every voice, whatever the runtime (B = batch, all float32 unless said otherwise):

encoder   ling int64 [B,N,4] ([B,N,1] where the voice reads bytes), emotion int64 [B,N],
          speaker int64 [B,N], emotion_intensity [B], pitch_scale [B], pitch_shift [B]
          -> aug [B,N,p], spk [B,N,s], emo [B,N,e], log_durations [B,N], pitch [B,N], energy [B,N];
          a voice that fills pauses itself takes B = 1 and returns N' >= N rows of each, and
          token int64 [B,N']: the token of each row, -1 in a filled pause
memory    rows [B,M,D]  ->  mem_k [B,L,H,M,dh], mem_v [B,L,H,M,dh]
decoder   prev [B,F], row [B,D], mem_k [B,L,H,W,dh], mem_v [B,L,H,W,dh], mem_mask [B,W],
          self_k [B,L,H,W,dh], self_v [B,L,H,W,dh], self_mask [B,W]
          -> frames [B,r,F], self_k, self_v (shifted by one slot; the newest is the last)
postnet   frames [B,T,F], start int64 [B], length int64 [B], state [B,Sp]
          -> frames [B,T,F] (delayed by 12), state [B,Sp]
vocoder   mel [B,T,n_mels], excitation [B,E,T*hop] (not of kind `plain`), f0 [B,T,2] (log F0 and U/V;
          takes_f0), edges int64 [2] (takes_edges), state [B,Sv]  ->  audio [B,T*hop], state [B,Sv]

The controls of the encoder change nothing at intensity 1, scale 1, shift 0. The emotion row becomes
neutral + intensity * (row - neutral); `pitch` is scale * predicted + shift, in the units of the predictor
(normalised by mean and standard deviation), and is what the sentence is spoken with.

The decoder attends to its own window after the shift, so the last slot of self_mask is always open;
slot i of the memory window is the row of the present step + i. Postnet frame i of a call is frame
start + i - 12 of the segment; contexts outside [0, length) count as zero. States start as zeros.

A vocoder that looks ahead by A frames and takes no edges returns audio that is A frames late, and is fed A
frames more at the end. Edges say whether the call is the first and the last of the segment (0 or 1, the
same for all rows): the first then returns A frames less, the last A frames more, and all frames are real.

W is the window bucket of the voice (number of slots, at least the segment's band width + 1);
masks are additive: 0 where a slot is used, -inf where it is not.

`state`, `self_k` and `self_v` are state: what comes out goes into the next call as it came. It may be
`Resident` instead of an array.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.manifest import NetworkName

__all__ = ["STATE_NAMES", "Array", "Engine", "NetworkName", "Resident", "is_resident"]

Array = NDArray[np.float32] | NDArray[np.int64]
STATE_NAMES = frozenset({"state", "self_k", "self_v"})


class Resident(ABC):
    """State that stays in the memory of the device that runs its network. Immutable.

    It stands where the contract has an array, batch first. Only its own network takes it without fetching it.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def row(self, index: int) -> Resident:
        """Return one row, batch 1."""
        ...

    @abstractmethod
    def joined(self, parts: Sequence[Any]) -> Resident | Array:
        """Return the rows of some states and arrays of the same network; this is one of them.

        An array where rows cannot be put together on the device.
        """
        ...

    @abstractmethod
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float32]:
        """Fetch it. Blocking."""
        ...


def is_resident(value: Any) -> bool:
    """Tell whether a state is resident. To type checkers it is an array."""
    # Asked of every input of every call: for an abstract class alone it costs 1 % of a sentence.
    return not isinstance(value, np.ndarray) and isinstance(value, Resident)


class Engine(Protocol):
    """Runs the networks of one voice. Thread-safe: any number of threads may call `run`."""

    @property
    def name(self) -> str:
        """Runtime, device and precision, for logs and receipts: `onnx-cpu-fp32`."""
        ...

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run one network on its inputs (names and shapes in the module docstring).

        Blocking and not cancellable: callers run it in a worker thread and keep calls short.

        Raises:
            SynthesisError: The runtime failed.
        """
        ...
