"""The seam between synthesis and the libraries that run networks.

An engine holds the networks of one voice and runs them by name. It keeps no stream state: state
tensors go in and come out of every call, so one engine serves any number of streams.

The networks of every voice, whatever the runtime (B = batch, all float32 unless said otherwise):

encoder   ling int64 [B,N,4], emotion int64 [B,N], speaker int64 [B,N]
          -> aug [B,N,p], spk [B,N,s], emo [B,N,e], log_durations [B,N], pitch [B,N], energy [B,N]
memory    rows [B,M,D]  ->  mem_k [B,L,H,M,dh], mem_v [B,L,H,M,dh]
decoder   prev [B,F], row [B,D], mem_k [B,L,H,W,dh], mem_v [B,L,H,W,dh], mem_mask [B,W],
          self_k [B,L,H,W,dh], self_v [B,L,H,W,dh], self_mask [B,W]
          -> frames [B,r,F], self_k, self_v (shifted by one slot; the newest is the last)
postnet   frames [B,T,F], start int64 [B], length int64 [B], state [B,Sp]
          -> frames [B,T,F] (delayed by 12), state [B,Sp]
vocoder   mel [B,T,n_mels], excitation [B,E,T*hop], f0 [B,T,2] (log F0 and U/V; only where the
          voice's vocoder asks for it), state [B,Sv]  ->  audio [B,T*hop], state [B,Sv]

The decoder attends to its own window after the shift, so the last slot of self_mask is always open;
slot i of the memory window is the row of the present step + i. Postnet frame i of a call is frame
start + i - 12 of the segment; contexts outside [0, length) count as zero. States start as zeros.

W is the window bucket of the voice (number of slots, at least the segment's band width + 1);
masks are additive: 0 where a slot is used, -inf where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.voice import NetworkName

__all__ = ["Array", "Engine", "NetworkName"]

Array = NDArray[np.float32] | NDArray[np.int64]


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
