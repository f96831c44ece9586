/**
 * How long to wait before connecting again.
 *
 * Input   failures, and that it worked
 * Output  delays in milliseconds: doubled each time, with jitter, so that a thousand pages do not come back at once
 * State   the number of failures in a row
 */
export const BASE_MS: 250;
export const LIMIT_MS: 10000;
/** Counts for one connection. */
export class Backoff {
    /** @param {{baseMs?: number, limitMs?: number, random?: () => number}} [options] */
    constructor({ baseMs, limitMs, random }?: {
        baseMs?: number;
        limitMs?: number;
        random?: () => number;
    });
    _baseMs: number;
    _limitMs: number;
    _random: () => number;
    failures: number;
    /**
     * Note a failure and return the delay: between half and all of base * 2^failures, `atLeastMs` if the server said so.
     * @param {number} [atLeastMs]
     */
    failed(atLeastMs?: number): number;
    /** Note that it worked. */
    worked(): void;
}
