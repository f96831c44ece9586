/** Records everything that passes, in the audio thread: no block is lost. */
class Tap extends AudioWorkletProcessor {
  constructor() {
    super();
    this._blocks = []; // with the frame of each: before a context runs smoothly, frames can be left out
    this.port.onmessage = () => {
      const start = this._blocks[0]?.frame ?? 0;
      const end = (this._blocks.at(-1)?.frame ?? 0) + 128;
      const samples = new Float32Array(end - start);
      let holes = 0;
      let last = start - 128;
      for (const { frame, block } of this._blocks) {
        samples.set(block, frame - start);
        holes += frame - last - 128;
        last = frame;
      }
      this.port.postMessage({ start, samples, holes });
    };
  }

  process([input], [output]) {
    const block = input[0] ?? new Float32Array(128);
    this._blocks.push({ frame: currentFrame, block: block.slice() });
    output[0].set(block);
    return true;
  }
}

registerProcessor("tap", Tap);
