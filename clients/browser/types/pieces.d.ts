/** @typedef {string | Iterable<string> | AsyncIterable<string>} Text */
/**
 * @param {Text} text
 * @returns {AsyncGenerator<string, void, void>}
 */
export function pieces(text: Text): AsyncGenerator<string, void, void>;
/**
 * @param {string} text
 * @returns {Generator<string, void, void>}
 */
export function cut(text: string): Generator<string, void, void>;
/**
 * Text in pieces that fit one message.
 *
 * Input   a string, or pieces of text, cut anywhere
 * Output  pieces of at most APPEND_CHARS code points that joined are the input; none is cut inside a character
 * State   half a character, if a piece ended in one
 */
export const APPEND_CHARS: 1000;
export type Text = string | Iterable<string> | AsyncIterable<string>;
