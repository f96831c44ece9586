export class Gestures {
    /**
     * @param {AudioContext} context
     * @param {(blocked: boolean) => void} onChange
     */
    constructor(context: AudioContext, onChange: (blocked: boolean) => void);
    _context: AudioContext;
    _onChange: (blocked: boolean) => void;
    _blocked: boolean;
    _resume: () => undefined;
    _changed: () => void;
    _timer: number;
    /** Try to run; in the handler of a gesture this succeeds. */
    unlock(): void;
    close(): void;
    _look(): void;
    /** @param {boolean} on */
    _listen(on: boolean): void;
}
