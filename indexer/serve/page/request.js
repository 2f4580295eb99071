/** What of the state the server is asked. */

import { PAGE, state } from "./state.js";

export const AT_ONCE = 100; // rows that the server gives for one question

/** Nothing is asked yet: the page shows examples. */
export function isEmpty() {
  return !state.q.trim() && !state.like && !state.picture && !state.all && !isFiltered();
}

/** Fonts are listed by name: there is nothing to rank them by. */
export function isBrowsing() {
  return !state.q.trim() && !state.like && !state.picture;
}

export function isFiltered() {
  return Object.keys(filterBody()).length > 0;
}

/** The filter as the database takes it. */
export function filterBody(filter = state.filter) {
  const body = {};
  for (const key of ["category", "subsets", "license", "source"]) {
    if (filter[key].length) body[key] = filter[key];
  }
  if (filter.tags.length) body.tags = { all: filter.tags };
  if (filter.covers.trim()) body.covers = filter.covers;
  const styles = {
    ...(filter.weights.length && { weights: filter.weights }),
    ...(filter.italic && { italic: true }),
    ...(filter.variable && { axes: ["wght"] }),
  };
  if (Object.keys(styles).length) body.styles = styles;
  const traits = Object.entries(filter.traits).map(([trait, [low, high]]) => [
    trait,
    { ...(low !== null && { gte: low }), ...(high !== null && { lte: high }) },
  ]);
  if (traits.length) body.traits = Object.fromEntries(traits);
  return body;
}

/**
 * The body of POST /search.
 * @param {"fused" | "looks" | "words"} view
 * @param {{ limit?: number, offset?: number }} [part]
 */
export function searchBody(view, { limit = PAGE, offset = 0 } = {}) {
  const filter = { ...filterBody(), ...(!state.siblings && !isBrowsing() && { collapse: true }) };
  const query = state.q.trim();
  return {
    ...(state.like ? { similar_to: state.like } : query && { query }),
    ...(state.picture && { image: state.picture }),
    ...(view === "fused" && state.alpha !== null && { alpha: state.alpha }),
    ...(view === "looks" && { alpha: 0, words: 0 }),
    ...(view === "words" && { alpha: 1 }),
    ...(Object.keys(filter).length && { filter }),
    limit,
    ...(offset && { offset }),
  };
}

/** Of the list's first rows. */
export function listBody() {
  const view = state.view === "side" ? "fused" : state.view;
  return searchBody(view, { limit: Math.min(state.rows, AT_ONCE) });
}

/** What fetch takes for a POST of a body. */
export function request(body) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}
