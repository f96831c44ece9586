/** Everything that a page may use; README.md shows how. */

export { Backoff } from "./backoff.js";
export { Client, connect } from "./client.js";
export { ConnectionLostError } from "./connection.js";
export { PLAYABLE } from "./formats.js";
export { Player } from "./player.js";
export { Speech } from "./speech.js";
export { ProtocolError, ServerError } from "./wire.js";
