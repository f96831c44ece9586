export class Onset {
    /** @param {number} rate */
    constructor(rate: number);
    _window: number;
    _filled: number;
    _energy: number;
    _windows: number;
    /** @type {number | null} */
    silenceMs: number | null;
    /** @param {Float32Array} samples */
    push(samples: Float32Array): void;
}
