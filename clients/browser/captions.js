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
export class Captions {
  constructor() {
    /** @type {{sample: number, item: T}[]} */
    this._ahead = [];
    this._next = 0;
  }

  /** Items that were not heard yet. */
  get length() {
    return this._ahead.length - this._next;
  }

  /**
   * Add an item that begins at `sample`; items may come in any order.
   * @param {number} sample
   * @param {T} item
   */
  add(sample, item) {
    let place = this._ahead.length;
    while (place > this._next && this._ahead[place - 1].sample > sample) place--;
    this._ahead.splice(place, 0, { sample, item });
  }

  /**
   * Return the items that have begun when `heard` samples have been heard; an item that begins at 0 has begun at 0.
   * @param {number} heard
   * @returns {T[]}
   */
  until(heard) {
    const begun = [];
    while (this._next < this._ahead.length && this._ahead[this._next].sample <= heard) {
      begun.push(this._ahead[this._next++].item);
    }
    if (this._next > 64) {
      this._ahead = this._ahead.slice(this._next); // a long text must not pile up what was said
      this._next = 0;
    }
    return begun;
  }
}
