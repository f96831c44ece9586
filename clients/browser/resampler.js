/**
 * From one sample rate to another, piece by piece, as if it were one piece.
 *
 * Input   samples at `from` Hz, cut anywhere
 * Output  samples at `to` Hz: the same, bit for bit, for any cut
 * State   the last input samples that the next output needs, two counters
 * A windowed sinc, linear phase, one set of taps for each of the phases that two rates have. Sample 0 stays
 * sample 0: the filter's delay is taken out. It does not know clocks or utterances.
 */

const ZERO_CROSSINGS = 24; // each side: 1.5 ms at 16 kHz must be known ahead
const KAISER_BETA = 8.0; // stop band below -80 dB
const PASS_BAND = 0.93; // of the lower Nyquist frequency, where the roll-off begins its way down

/** Converts one stream; make a new one for each. */
export class Resampler {
  /**
   * @param {number} from Hz
   * @param {number} to Hz
   */
  constructor(from, to) {
    const divisor = gcd(from, to);
    this.from = from;
    this.to = to;
    this._up = to / divisor;
    this._down = from / divisor;
    const scale = Math.min(1, to / from) * PASS_BAND;
    this._half = Math.ceil(ZERO_CROSSINGS / scale);
    this._taps = taps(this._up, this._half, scale);
    this._kept = new Float32Array(this._half - 1); // input from `_first` on; silence before the beginning
    this._first = 1 - this._half; // position of the first kept sample in the input
    this._received = 0;
    this._made = 0;
  }

  /**
   * Take input and return the output that it completes.
   * @param {Float32Array} samples
   * @returns {Float32Array}
   */
  push(samples) {
    this._received += samples.length;
    this._kept = joined(this._kept, samples);
    // Output m lies at input m * down / up and needs `half` samples after it.
    const last = this._received - 1 - this._half;
    return this._make(last < 0 ? 0 : Math.floor(((last + 1) * this._up - 1) / this._down) + 1);
  }

  /**
   * Return the rest: the output reaches to the end of the input, `ceil(received * to / from)` samples in all.
   * @returns {Float32Array}
   */
  flush() {
    this._kept = joined(this._kept, new Float32Array(this._half + 1));
    return this._make(Math.ceil((this._received * this._up) / this._down));
  }

  /**
   * @param {number} end output samples that exist afterwards
   * @returns {Float32Array}
   */
  _make(end) {
    const out = new Float32Array(Math.max(0, end - this._made));
    const width = 2 * this._half;
    for (let i = 0; i < out.length; i++) {
      const position = (this._made + i) * this._down;
      const at = Math.floor(position / this._up);
      const phase = position - at * this._up;
      const start = at - this._half + 1 - this._first;
      const row = phase * width;
      let sum = 0;
      for (let k = 0; k < width; k++) sum += this._taps[row + k] * this._kept[start + k];
      out[i] = sum;
    }
    this._made += out.length;
    const needed = Math.floor((this._made * this._down) / this._up) - this._half + 1;
    const drop = Math.min(Math.max(0, needed - this._first), this._kept.length);
    this._kept = this._kept.slice(drop);
    this._first += drop;
    return out;
  }
}

/**
 * Return the taps `[up, 2 * half]` row by row; each row sums to one, so that a constant stays one.
 * @param {number} up
 * @param {number} half
 * @param {number} scale cut-off over the input's Nyquist frequency
 */
function taps(up, half, scale) {
  const width = 2 * half;
  const table = new Float64Array(up * width);
  for (let phase = 0; phase < up; phase++) {
    let sum = 0;
    for (let k = 0; k < width; k++) {
      const distance = k - half + 1 - phase / up; // from the output's place, in input samples
      const value = sinc(distance * scale) * kaiser(distance / half);
      table[phase * width + k] = value;
      sum += value;
    }
    for (let k = 0; k < width; k++) table[phase * width + k] /= sum;
  }
  return table;
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** @param {number} x -1 to 1 */
function kaiser(x) {
  return Math.abs(x) > 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);
}

/**
 * The modified Bessel function of order 0, by its series.
 * @param {number} x
 */
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number}
 */
function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
function joined(a, b) {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
