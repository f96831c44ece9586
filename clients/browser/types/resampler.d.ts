/** Converts one stream; make a new one for each. */
export class Resampler {
    /**
     * @param {number} from Hz
     * @param {number} to Hz
     */
    constructor(from: number, to: number);
    from: number;
    to: number;
    _up: number;
    _down: number;
    _half: number;
    _taps: Float64Array<ArrayBuffer>;
    _kept: Float32Array<ArrayBuffer>;
    _first: number;
    _received: number;
    _made: number;
    /**
     * Take input and return the output that it completes.
     * @param {Float32Array} samples
     * @returns {Float32Array}
     */
    push(samples: Float32Array): Float32Array;
    /**
     * Return the rest: the output reaches to the end of the input, `ceil(received * to / from)` samples in all.
     * @returns {Float32Array}
     */
    flush(): Float32Array;
    /**
     * @param {number} end output samples that exist afterwards
     * @returns {Float32Array}
     */
    _make(end: number): Float32Array;
}
