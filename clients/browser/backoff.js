/**
 * How long to wait before connecting again.
 *
 * Input   failures, and that it worked
 * Output  delays in milliseconds: doubled each time, with jitter, so that a thousand pages do not come back at once
 * State   the number of failures in a row
 */

export const BASE_MS = 250;
export const LIMIT_MS = 10_000;

/** Counts for one connection. */
export class Backoff {
  /** @param {{baseMs?: number, limitMs?: number, random?: () => number}} [options] */
  constructor({ baseMs = BASE_MS, limitMs = LIMIT_MS, random = Math.random } = {}) {
    this._baseMs = baseMs;
    this._limitMs = limitMs;
    this._random = random;
    this.failures = 0;
  }

  /**
   * Note a failure and return the delay: between half and all of base * 2^failures, `atLeastMs` if the server said so.
   * @param {number} [atLeastMs]
   */
  failed(atLeastMs = 0) {
    const full = Math.min(this._limitMs, this._baseMs * 2 ** this.failures);
    this.failures++;
    return Math.max(atLeastMs, full * (0.5 + 0.5 * this._random()));
  }

  /** Note that it worked. */
  worked() {
    this.failures = 0;
  }
}
