/**
 * How long the silence is that an utterance begins with.
 *
 * Input   its samples, cut anywhere
 * Output  `silenceMs`: what precedes the first 10 ms window above -40 dBFS (docs/metrics.md); null until there is one
 * State   the sum of the window that is being filled
 */

const WINDOW_MS = 10;
const AUDIBLE_RMS = 0.01; // -40 dB of full scale

export class Onset {
  /** @param {number} rate */
  constructor(rate) {
    this._window = Math.floor((rate * WINDOW_MS) / 1000);
    this._filled = 0;
    this._energy = 0;
    this._windows = 0;
    /** @type {number | null} */
    this.silenceMs = null;
  }

  /** @param {Float32Array} samples */
  push(samples) {
    for (let i = 0; i < samples.length && this.silenceMs === null; i++) {
      this._energy += samples[i] * samples[i];
      if (++this._filled < this._window) continue;
      if (Math.sqrt(this._energy / this._window) > AUDIBLE_RMS) this.silenceMs = this._windows * WINDOW_MS;
      this._windows++;
      this._filled = this._energy = 0;
    }
  }
}
