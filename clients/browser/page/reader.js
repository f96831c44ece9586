/**
 * The text as it is spoken: what was said, the word that is heard, what is to come.
 *
 * Input   a text; ranges in code points
 * Output  the overlay above the text field, in the same letters
 * State   the text in code points, how much of it is written
 */

import { find } from "./dom.js";

export class Reader {
  constructor() {
    this._page = find("page", HTMLElement);
    this._text = find("text", HTMLTextAreaElement);
    this._pane = find("reader", HTMLElement);
    const [spoken, word, rest, unwritten] = /** @type {HTMLElement[]} */ ([...this._pane.children]);
    this._parts = { spoken, word, rest, unwritten };
    /** @type {string[]} */
    this._chars = [];
    this._written = 0;
    this._from = 0;
    this._to = 0;
    this._text.addEventListener("scroll", () => {
      this._pane.scrollTop = this._text.scrollTop;
    });
  }

  /**
   * Show a text instead of the field; `written` code points of it are there.
   * @param {string} text
   * @param {number} [written]
   */
  open(text, written = Infinity) {
    this._chars = [...text];
    this._written = Math.min(written, this._chars.length);
    this._from = this._to = 0;
    this._page.dataset.reading = "";
    this._text.readOnly = true;
    this._paint();
  }

  /** @param {number} written code points that the writer has sent */
  write(written) {
    this._written = Math.min(written, this._chars.length);
    this._paint();
  }

  /** @param {number} from @param {number} to code points that are heard now */
  light(from, to) {
    this._from = from;
    this._to = to;
    this._paint();
    const { word } = this._parts;
    const below = word.offsetTop + word.offsetHeight + 48 - this._pane.clientHeight;
    if (below > this._pane.scrollTop || word.offsetTop < this._pane.scrollTop) this._pane.scrollTop = below;
  }

  /** Back to the field. */
  close() {
    delete this._page.dataset.reading;
    this._text.readOnly = false;
  }

  _paint() {
    const written = Math.max(this._written, this._to);
    const part = (/** @type {number} */ from, /** @type {number} */ to) => this._chars.slice(from, to).join("");
    this._parts.spoken.textContent = part(0, this._from);
    this._parts.word.textContent = part(this._from, this._to);
    this._parts.rest.textContent = part(this._to, written);
    this._parts.unwritten.textContent = part(written, this._chars.length);
  }
}
