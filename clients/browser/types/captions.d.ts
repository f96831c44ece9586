/**
 * What is to be told when it is heard: words, mouth shapes, phones, sentences.
 *
 * Input   items with their times, sentence by sentence; how far the listener has heard
 * Output  the items that begin now, each once, in order
 * State   the items that are still ahead
 * It does not know clocks: samples in, samples out.
 */
/**
 * Items of one kind of one utterance.
 * @template T
 */
export class Captions<T> {
    /** @type {{sample: number, item: T}[]} */
    _ahead: {
        sample: number;
        item: T;
    }[];
    _next: number;
    /** Items that were not heard yet. */
    get length(): number;
    /**
     * Add an item that begins at `sample`; items may come in any order.
     * @param {number} sample
     * @param {T} item
     */
    add(sample: number, item: T): void;
    /**
     * Return the items that have begun when `heard` samples have been heard; an item that begins at 0 has begun at 0.
     * @param {number} heard
     * @returns {T[]}
     */
    until(heard: number): T[];
}
