/** The page's elements, found by id and of the type that they must have. */

/**
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function find(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return element;
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 */
export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** @param {number | null | undefined} ms */
export function shown(ms) {
  if (ms === null || ms === undefined) return "–";
  return ms < 9.95 ? ms.toFixed(1) : String(Math.round(ms));
}
