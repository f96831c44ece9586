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
export class Emitter<Events extends Record<string, any>> {
    /** @type {Map<keyof Events, Set<(value: any) => void>>} */
    _listeners: Map<keyof Events, Set<(value: any) => void>>;
    /**
     * Call `listener` for each event of this name; returns what ends it.
     * @template {keyof Events} Name
     * @param {Name} name
     * @param {(value: Events[Name]) => void} listener
     * @returns {() => void}
     */
    on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void;
    /**
     * @template {keyof Events} Name
     * @param {Name} name
     * @param {Events[Name]} value
     */
    emit<Name extends keyof Events>(name: Name, value: Events[Name]): void;
}
