"""The fixed grid: which frames are computed together, as a function of the frame index alone.

Input   the voice's block ramp and delays, the number of frames T of the segment
Output  BlockPlan per block
State   none
The borders never depend on arrival time, load or the consumer, and that is why streamed audio
equals offline audio bit for bit: the same calls are made with the same shapes.

      decoder   |--r--|--r--|--r--|--r--|--r--|--r--|--r--|--r--| ...   one step is r frames
      postnet   |        group 0        | group 1   | ...               delayed by 12 frames
      vocoder   | block 0 | block 1   | block 2             | ...       audio per block
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """The work of one vocoder block; ends are exclusive.

    Attributes:
        start_frame: First frame that the vocoder takes in this block.
        end_frame: One past its last frame; frames at and beyond T are padding, or left out.
        start_step: First decoder step that the block needs and no block before it needed.
        end_step: One past its last decoder step; steps at and beyond M are zero frames.
    """

    start_frame: int
    end_frame: int
    start_step: int
    end_step: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Borders of decoder, postnet and vocoder work.

    Attributes:
        block_frames: Frames of the first vocoder blocks; the last value repeats.
        outputs_per_step: r, frames per decoder step.
        postnet_delay_frames: A postnet frame comes out this many frames after it went in.
        flush_frames: Frames beyond T that the vocoder must be fed before its last samples come out.
    """

    block_frames: tuple[int, ...]
    outputs_per_step: int
    postnet_delay_frames: int
    flush_frames: int

    def border(self, index: int) -> int:
        """First frame of block `index`."""
        ramp = self.block_frames
        if index <= len(ramp):
            return sum(ramp[:index])
        return sum(ramp) + (index - len(ramp)) * ramp[-1]

    def step_border(self, index: int) -> int:
        """Decoder steps that must be done before block `index` starts: 0 for the first."""
        if index == 0:
            return 0
        frames = self.border(index) + self.postnet_delay_frames
        return -(-frames // self.outputs_per_step)

    def block(self, index: int) -> BlockPlan:
        """The work of block `index`."""
        return BlockPlan(
            start_frame=self.border(index),
            end_frame=self.border(index + 1),
            start_step=self.step_border(index),
            end_step=self.step_border(index + 1),
        )

    def n_blocks(self, n_frames: int) -> int:
        """Blocks until all samples of `n_frames` frames are out; 0 for no frames."""
        if n_frames == 0:
            return 0
        needed = n_frames + self.flush_frames
        index = 1
        while self.border(index) < needed:
            index += 1
        return index
