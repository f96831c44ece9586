/**
 * The server's token, where it wants one.
 *
 * Input   the user
 * Output  the token; headers with it
 * State   the token, for as long as the tab is open
 */

import { find } from "./dom.js";

const KEY = "zhiyin.token";

/** @returns {string | undefined} */
export function token() {
  return sessionStorage.getItem(KEY) ?? undefined;
}

/** @returns {Record<string, string>} */
export function headers() {
  const known = token();
  return known ? { Authorization: `Bearer ${known}` } : {};
}

/** Ask until something is entered. */
export async function askForToken() {
  const dialog = find("token-dialog", HTMLDialogElement);
  const input = find("token", HTMLInputElement);
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  sessionStorage.setItem(KEY, input.value);
  input.value = "";
}
