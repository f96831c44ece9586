/**
 * Events with types: who wants to hear what.
 *
 * Input   listeners; events
 * Output  calls of the listeners, in the order in which they were added
 * State   the listeners
 */

/**
 * @template {Record<string, any>} Events name of an event to its value
 */
export class Emitter {
  constructor() {
    /** @type {Map<keyof Events, Set<(value: any) => void>>} */
    this._listeners = new Map();
  }

  /**
   * Call `listener` for each event of this name; returns what ends it.
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(value: Events[Name]) => void} listener
   * @returns {() => void}
   */
  on(name, listener) {
    const listeners = this._listeners.get(name) ?? new Set();
    this._listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name]} value
   */
  emit(name, value) {
    for (const listener of [...(this._listeners.get(name) ?? [])]) {
      try {
        listener(value);
      } catch (error) {
        // A listener's fault must not stop the sound; the page's own handlers of errors get it.
        if (typeof reportError === "function") reportError(error);
        else console.error(error);
      }
    }
  }
}
