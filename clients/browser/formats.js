/**
 * The formats that can be played as they come: bytes to samples.
 *
 * Input   the bytes of one frame
 * Output  samples, Float32Array in [-1, 1]
 * State   none: every frame of these formats stands for itself
 * It does not know frames or rates. Formats with a decoder (MP3, Opus, ...) are for files: `/v1/tts` writes them.
 */

/** @type {Record<string, (bytes: Uint8Array) => Float32Array>} */
const DECODERS = { pcm_s16le: int16, pcm_f32le: float32, ulaw: byTable(muLaw), alaw: byTable(aLaw) };

/** Names of the formats that `decoder` knows. */
export const PLAYABLE = Object.keys(DECODERS);

/**
 * Return what turns the bytes of a format into samples.
 * @param {string} format
 * @throws {RangeError} the format cannot be played
 */
export function decoder(format) {
  const decode = DECODERS[format];
  if (!decode) throw new RangeError(`format ${format} cannot be played; playable: ${PLAYABLE.join(", ")}`);
  return decode;
}

/** @param {Uint8Array} bytes */
function int16(bytes) {
  const count = bytes.byteLength >> 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i++) samples[i] = view.getInt16(2 * i, true) / 32768; // exact in a float
  return samples;
}

/** @param {Uint8Array} bytes */
function float32(bytes) {
  const count = bytes.byteLength >> 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i++) samples[i] = view.getFloat32(4 * i, true);
  return samples;
}

/**
 * @param {(code: number) => number} expand
 * @returns {(bytes: Uint8Array) => Float32Array}
 */
function byTable(expand) {
  const table = Float32Array.from({ length: 256 }, (_, code) => expand(code) / 32768);
  return (bytes) => Float32Array.from(bytes, (code) => table[code]);
}

/**
 * ITU-T G.711, table 2b.
 * @param {number} code
 */
function muLaw(code) {
  const bits = ~code & 0xff;
  const magnitude = (((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7);
  return bits & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
}

/**
 * ITU-T G.711, table 1b.
 * @param {number} code
 */
function aLaw(code) {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = (bits & 0x0f) << 4;
  const magnitude = segment ? (step + 0x108) << (segment - 1) : step + 8;
  return bits & 0x80 ? magnitude : -magnitude;
}
