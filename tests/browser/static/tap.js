/** Records everything that passes, in the audio thread: no block is lost. */
class Tap extends AudioWorkletProcessor {
  constructor() {
    super();
    this._blocks = [];
    this.port.onmessage = () => {
      const all = new Float32Array(128 * this._blocks.length);
      this._blocks.forEach((block, index) => all.set(block, 128 * index));
      this.port.postMessage(all);
    };
  }

  process([input], [output]) {
    const block = input[0] ?? new Float32Array(128);
    this._blocks.push(block.slice());
    output[0].set(block);
    return true;
  }
}

registerProcessor("tap", Tap);
