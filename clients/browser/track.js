/**
 * One utterance in the player: its samples on the way in, its playback on the way out.
 *
 * Input   samples at the stream's rate; what the queue reports
 * Output  orders to the queue, at the device's rate; callbacks, in samples of the stream
 * State   the resampler; how far it was rendered and heard
 */

import { Resampler } from "./resampler.js";

/** Made by `Player.track`. Set the callbacks that you need. */
export class Track {
  /**
   * @param {number} id
   * @param {number} rate Hz, of the samples that are pushed
   * @param {(order: import("./ring.js").Order) => void} post
   */
  constructor(id, rate, post) {
    this.id = id;
    this.rate = rate;
    this.deviceRate = 0; // unknown until the output is open
    this.underruns = 0;
    this.underrunMs = 0;
    this.renderedSamples = 0;
    this.heardSamples = 0;
    /** The first sample is heard since `agoMs`. @type {(agoMs: number) => void} */
    this.onStart = () => {};
    /** @type {(samples: number) => void} */
    this.onRendered = () => {};
    /** @type {(samples: number) => void} */
    this.onHeard = () => {};
    /** @type {(ms: number) => void} */
    this.onUnderrun = () => {};
    /** All was heard, or it was dropped. @type {(dropped: boolean) => void} */
    this.onEnd = () => {};
    /** There will be no sound. @type {(error: unknown) => void} */
    this.onError = () => {};
    this._post = post;
    this._pushed = 0;
    /** @type {{samples: Float32Array, pause: boolean}[]} */
    this._early = [];
    this._isEnded = false;
    /** @type {Resampler | null} */
    this._resampler = null;
  }

  /**
   * @param {Float32Array} samples they are taken over: do not use them again
   * @param {boolean} pause the text that comes after these is still being written
   */
  push(samples, pause) {
    this._pushed += samples.length;
    if (this.deviceRate) this._send(samples, pause);
    else this._early.push({ samples, pause });
  }

  /** There are no more samples. */
  end() {
    if (this._isEnded) return;
    this._isEnded = true;
    if (this.deviceRate) this._finish();
  }

  /** Fade out at once and forget the rest. */
  drop() {
    this._early = [];
    this._isEnded = true;
    this._post({ type: "drop", id: this.id });
  }

  /** The output is open and `deviceRate` known: send what waited. For the player only. */
  release() {
    for (const { samples, pause } of this._early) this._send(samples, pause);
    this._early = [];
    if (this._isEnded) this._finish();
  }

  /** @param {number} agoMs */
  started(agoMs) {
    this.onStart(agoMs);
  }

  /** @param {number} frames at the device's rate */
  rendered(frames) {
    this.renderedSamples = Math.max(this.renderedSamples, this._samples(frames));
    this.onRendered(this.renderedSamples);
  }

  /** @param {number} frames at the device's rate */
  heardTo(frames) {
    this.heardSamples = Math.max(this.heardSamples, this._samples(frames));
    this.onHeard(this.heardSamples);
  }

  /** @param {number} ms */
  underrun(ms) {
    this.underruns++;
    this.underrunMs += ms;
    this.onUnderrun(ms);
  }

  /** @param {number} frames @param {boolean} dropped */
  ended(frames, dropped) {
    if (dropped) this.heardTo(frames);
    else this.heardTo(Infinity);
    this.onEnd(dropped);
  }

  /** @param {unknown} error */
  fail(error) {
    this.onError(error);
  }

  /** @param {number} frames */
  _samples(frames) {
    const samples = frames === Infinity ? this._pushed : Math.floor((frames * this.rate) / (this.deviceRate || this.rate));
    return Math.max(0, Math.min(samples, this._pushed));
  }

  /** @param {Float32Array} samples @param {boolean} pause */
  _send(samples, pause) {
    if (this.rate !== this.deviceRate) this._resampler ??= new Resampler(this.rate, this.deviceRate);
    const out = this._resampler ? this._resampler.push(samples) : samples;
    if (out.length) this._post({ type: "push", id: this.id, samples: out, pause });
  }

  _finish() {
    const rest = this._resampler?.flush();
    if (rest?.length) this._post({ type: "push", id: this.id, samples: rest, pause: false });
    this._post({ type: "end", id: this.id });
  }
}
