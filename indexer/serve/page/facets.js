/** How many fonts have what, of all and of those that pass the filter. */

import { call } from "./api.js";

let every = null;

/** The counts without any filter: asked for once. */
export function everyFont() {
  every ??= call("/facets", { body: {} });
  every.catch(() => { every = null; });
  return every;
}

/** @param {object} filter as in POST /search */
export function facetsOf(filter, signal) {
  return Object.keys(filter).length ? call("/facets", { body: { filter }, signal }) : everyFont();
}
