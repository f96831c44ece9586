/**
 * Text in pieces that fit one message.
 *
 * Input   a string, or pieces of text, cut anywhere
 * Output  pieces of at most APPEND_CHARS code points that joined are the input; none is cut inside a character
 * State   half a character, if a piece ended in one
 */

export const APPEND_CHARS = 1000;

/** @typedef {string | Iterable<string> | AsyncIterable<string>} Text */

/**
 * @param {Text} text
 * @returns {AsyncGenerator<string, void, void>}
 */
export async function* pieces(text) {
  if (typeof text === "string") {
    yield* cut(text);
    return;
  }
  let half = "";
  for await (const piece of text) {
    let whole = half + piece;
    half = "";
    if (isHighSurrogate(whole.charCodeAt(whole.length - 1))) {
      half = whole.slice(-1);
      whole = whole.slice(0, -1);
    }
    yield* cut(whole);
  }
  yield* cut(half);
}

/**
 * @param {string} text
 * @returns {Generator<string, void, void>}
 */
export function* cut(text) {
  let start = 0;
  while (start < text.length) {
    let end = Math.min(text.length, start + APPEND_CHARS); // UTF-16 units: at least as many as code points
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end--;
    yield text.slice(start, end);
    start = end;
  }
}

/** @param {number} unit */
function isHighSurrogate(unit) {
  return unit >= 0xd800 && unit <= 0xdbff;
}
