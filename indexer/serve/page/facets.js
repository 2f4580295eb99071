/** How many fonts have what, of all and of those that pass the filter. */

import { call } from "./api.js";

const KEPT = 30; // answers, so that going back asks nothing

const answers = new Map();

/** @param {object} [filter] as in POST /search; the same one is asked for once */
export function facetsOf(filter = {}) {
  const key = JSON.stringify(filter);
  if (!answers.has(key)) {
    const answer = call("/facets", { body: Object.keys(filter).length ? { filter } : {} });
    answer.catch(() => answers.delete(key));
    answers.set(key, answer);
    const [, oldest] = answers.keys(); // the first is the whole table's
    if (answers.size > KEPT) answers.delete(oldest);
  }
  return answers.get(key);
}

/** The counts of the whole table. */
export const everyFont = () => facetsOf();
