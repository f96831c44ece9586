/**
 * How much audio to have before playing starts.
 *
 * Input   when audio arrived; that it ran dry; that an utterance is over
 * Output  `ms`, the cushion
 * State   the cushion; of each utterance, how late its audio was at its worst
 *
 * An utterance *needs* as much as its latest audio was late, had one played from the first arrival on:
 * max(arrival - first arrival - place in the audio). The cushion grows to that at once and by half after running
 * dry, and comes back by a quarter of the way with each utterance, to what the last eight needed. It does not know players.
 */

export const MIN_MS = 20;
export const START_MS = 40; // the server's first frame holds this much: on a calm network nothing is waited for
export const MAX_MS = 1000;

const MARGIN = 1.25; // on what was needed
const GROWTH = 1.5; // after running dry
const GROWTH_MS = 20;
const CALM = 0.25; // of the way back, per utterance
const REMEMBERED = 8; // utterances whose need is not forgotten

/** How late the audio of one utterance is, at its worst. */
export class Lateness {
  constructor() {
    this.needMs = 0;
    this.ranDry = false;
    this._firstMs = /** @type {number | null} */ (null);
  }

  /**
   * Note audio that arrived.
   * @param {number} nowMs
   * @param {number} placeMs where it starts, from the beginning of the utterance
   */
  arrived(nowMs, placeMs) {
    this._firstMs ??= nowMs - placeMs;
    this.needMs = Math.max(this.needMs, nowMs - this._firstMs - placeMs);
  }

  /** Forget the clock: what was waited for was text or credit, which says nothing about the network. */
  paused() {
    this._firstMs = null;
  }
}

/** Adapts to one connection. */
export class Cushion {
  /** @param {{startMs?: number, minMs?: number, maxMs?: number}} [options] */
  constructor({ startMs = START_MS, minMs = MIN_MS, maxMs = MAX_MS } = {}) {
    this.minMs = minMs;
    this.maxMs = Math.max(minMs, maxMs);
    this.ms = Math.min(Math.max(startMs, this.minMs), this.maxMs);
    /** @type {number[]} */
    this._needs = []; // of the last utterances
  }

  /**
   * Note that an utterance needs so much.
   * @param {number} needMs
   */
  needed(needMs) {
    this._grow(needMs * MARGIN);
  }

  /** Note that playing ran dry. */
  ranDry() {
    this._grow(this.ms * GROWTH + GROWTH_MS);
  }

  /**
   * Note the end of an utterance.
   * @param {{needMs: number, ranDry: boolean}} lateness
   */
  over({ needMs, ranDry }) {
    this._needs.push(ranDry ? Math.max(needMs, this.ms / MARGIN) : needMs);
    if (this._needs.length > REMEMBERED) this._needs.shift();
    const target = Math.max(this.minMs, MARGIN * Math.max(...this._needs));
    if (target < this.ms) this.ms -= (this.ms - target) * CALM;
  }

  /** @param {number} ms */
  _grow(ms) {
    this.ms = Math.max(this.ms, Math.min(ms, this.maxMs));
  }
}
