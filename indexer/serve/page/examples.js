/** What is seen before anything is asked: questions that others ask, and the first of their answers. */

import { call } from "./api.js";
import { h, replace } from "./dom.js";
import { RowList } from "./rows.js";
import { ask } from "./state.js";

const EXAMPLES = [
  "elegant, high contrast, small x-height",
  "wide rounded letters, friendly",
  "connected handwriting for a wedding invitation",
];
const ROWS = 5;
const PIXELS = 36;

const lists = EXAMPLES.map((query) => new RowList({ name: query, most: PIXELS }));
const answers = new Map(); // they do not change while the page is open

/** Draws the examples into an element; returns their lists. */
export async function showExamples(element, signal) {
  const fonts = await Promise.all(EXAMPLES.map(async (query) => {
    if (!answers.has(query)) {
      answers.set(query, (await call("/search", { body: { query, filter: { collapse: true }, limit: ROWS }, signal })).fonts);
    }
    return answers.get(query);
  }));
  const section = (query, place) => {
    lists[place].show(fonts[place]);
    return h("section", {}, h("h2", {}, link(`?${new URLSearchParams({ q: query })}`, query, { q: query })), lists[place].element);
  };
  replace(
    element,
    h("div", { class: "side-by-side examples" }, ...EXAMPLES.map(section)),
    h("p", { class: "more-rows" }, link("?all", "Look through all fonts by name", { all: true })),
  );
  return lists;
}

/** A link that can be opened in another tab, and here without loading the page again. */
function link(address, words, then) {
  const follow = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    ask(then);
  };
  return h("a", { href: address, onclick: follow }, words);
}
