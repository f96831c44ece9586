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
export const MIN_MS: 20;
export const START_MS: 40;
export const MAX_MS: 1000;
/** How late the audio of one utterance is, at its worst. */
export class Lateness {
    needMs: number;
    ranDry: boolean;
    _firstMs: number | null;
    /**
     * Note audio that arrived.
     * @param {number} nowMs
     * @param {number} placeMs where it starts, from the beginning of the utterance
     */
    arrived(nowMs: number, placeMs: number): void;
    /** Forget the clock: what was waited for was text or credit, which says nothing about the network. */
    paused(): void;
}
/** Adapts to one connection. */
export class Cushion {
    /** @param {{startMs?: number, minMs?: number, maxMs?: number}} [options] */
    constructor({ startMs, minMs, maxMs }?: {
        startMs?: number;
        minMs?: number;
        maxMs?: number;
    });
    minMs: number;
    maxMs: number;
    ms: number;
    /** @type {number[]} */
    _needs: number[];
    /**
     * Note that an utterance needs so much.
     * @param {number} needMs
     */
    needed(needMs: number): void;
    /** Note that playing ran dry. */
    ranDry(): void;
    /**
     * Note the end of an utterance.
     * @param {{needMs: number, ranDry: boolean}} lateness
     */
    over({ needMs, ranDry }: {
        needMs: number;
        ranDry: boolean;
    }): void;
    /** @param {number} ms */
    _grow(ms: number): void;
}
