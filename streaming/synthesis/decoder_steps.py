"""Several decoder steps of a stream as one call, so that nobody has to be asked between them.

Input   what the steps of a block need, all at once
Output  their frames, and the own window after the last
State   none
A step takes the last frame of the step before it, and a small voice makes the five or six of a block in a
millisecond. Between as many calls there would be more than that: the stream's own code, the schedule, rows
that are put together and taken apart. The networks run in the same order on the same numbers as step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streaming.synthesis.engine import Array, Engine
from streaming.synthesis.steps import NetworkCall, as_input, as_state


class DecoderSteps(NetworkCall):
    """K steps of the `decoder` network.

    Names as in the contract of the network; one axis more, or a longer one:

    prev [B,F], row [B,K,D], mem_k [B,L,H,K-1+W,dh], mem_v [B,L,H,K-1+W,dh], mem_mask [B,K,W],
    self_k [B,L,H,W,dh], self_v [B,L,H,W,dh], self_mask [B,K,W]
    -> frames [B,K*r,F], self_k, self_v
    """

    __slots__ = ()

    def run(self, engine: Engine, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See NetworkCall; as many runs of the network as there are steps."""
        out: dict[str, Array] = {}
        frames: list[Any] = []
        for step in range(inputs["row"].shape[1]):
            given = step_inputs(inputs, step)
            if out:
                given["prev"] = np.asarray(out["frames"][:, -1], np.float32)
                given |= {name: as_state(out[name]) for name in ("self_k", "self_v")}
            out = engine.run(self.network, {name: as_input(array) for name, array in given.items()})
            frames.append(out["frames"])
        return out | {"frames": np.concatenate(frames, axis=1)}

    def example(self) -> Mapping[str, Array]:
        """See NetworkCall: the first of the steps."""
        return step_inputs(self.inputs, 0)


def step_inputs(inputs: Mapping[str, Array], step: int) -> dict[str, Any]:
    """Return the inputs of one step of several; `prev` and the own window are those before the first."""
    window = slice(step, step + inputs["self_mask"].shape[2])
    return {
        "prev": inputs["prev"],
        "row": inputs["row"][:, step],
        "mem_k": inputs["mem_k"][:, :, :, window],
        "mem_v": inputs["mem_v"][:, :, :, window],
        "mem_mask": inputs["mem_mask"][:, step],
        "self_k": inputs["self_k"],
        "self_v": inputs["self_v"],
        "self_mask": inputs["self_mask"][:, step],
    }
