/**
 * Return what turns the bytes of a format into samples.
 * @param {string} format
 * @throws {RangeError} the format cannot be played
 */
export function decoder(format: string): (bytes: Uint8Array) => Float32Array;
/** Names of the formats that `decoder` knows. */
export const PLAYABLE: string[];
