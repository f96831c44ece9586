/**
 * Speech as a file.
 *
 * Input   a text, a format, a style
 * Output  a download
 * State   none
 */

import { headers } from "./token.js";

/**
 * @param {string} text
 * @param {string} format
 * @param {Record<string, unknown>} style
 * @throws {Error} what the server says against it
 */
export async function saveFile(text, format, style) {
  const response = await fetch("v1/tts", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers() },
    body: JSON.stringify({ text, format, ...style }),
  });
  if (!response.ok) throw new Error((await response.json()).error?.message ?? response.statusText);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = `zhiyin.${format === "opus" ? "ogg" : format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
