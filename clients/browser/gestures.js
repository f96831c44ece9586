/**
 * Browsers let a page make sound only after a gesture. This waits for one.
 *
 * Input   a context; gestures anywhere on the page
 * Output  a running context; whether it is blocked
 * State   whether it is blocked, the listeners
 * Phones also stop contexts, for a call: the next gesture starts them again.
 */

const GESTURES = ["pointerdown", "pointerup", "touchend", "keydown"];
const PATIENCE_MS = 150; // a context that may run does so sooner

export class Gestures {
  /**
   * @param {AudioContext} context
   * @param {(blocked: boolean) => void} onChange
   */
  constructor(context, onChange) {
    this._context = context;
    this._onChange = onChange;
    this._blocked = false;
    this._resume = () => void context.resume().catch(() => {}); // it says so by its state
    this._changed = () => this._look();
    context.addEventListener("statechange", this._changed);
    this._timer = setTimeout(() => this._look(), PATIENCE_MS);
    this.unlock();
  }

  /** Try to run; in the handler of a gesture this succeeds. */
  unlock() {
    if (this._context.state !== "running") this._resume();
  }

  close() {
    clearTimeout(this._timer);
    this._context.removeEventListener("statechange", this._changed);
    this._listen(false);
  }

  _look() {
    const { state } = this._context;
    if (state === "closed") return;
    const blocked = state !== "running";
    if (blocked === this._blocked) return;
    this._blocked = blocked;
    this._listen(blocked);
    this._onChange(blocked);
  }

  /** @param {boolean} on */
  _listen(on) {
    if (typeof document === "undefined") return;
    for (const name of GESTURES) {
      if (on) document.addEventListener(name, this._resume, { capture: true, passive: true });
      else document.removeEventListener(name, this._resume, { capture: true });
    }
  }
}
