/**
 * A text as a language model would write it: a few characters at a time.
 *
 * Input   a text, characters per second
 * Output  pieces of it, in time
 * State   none
 */

const TOKEN_CHARS = 2;

/**
 * @param {string} text
 * @param {number} pace characters per second
 * @param {(count: number) => void} onWritten code points so far
 * @param {() => boolean} isWanted
 * @returns {AsyncGenerator<string, void, void>}
 */
export async function* trickle(text, pace, onWritten, isWanted) {
  const chars = [...text];
  for (let at = 0; at < chars.length && isWanted(); at += TOKEN_CHARS) {
    yield chars.slice(at, at + TOKEN_CHARS).join("");
    onWritten(at + TOKEN_CHARS);
    await new Promise((resolve) => setTimeout(resolve, (1000 * TOKEN_CHARS) / pace));
  }
}
