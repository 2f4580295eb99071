/** Chips: what was understood, what was not, what the search is like, and which filters hold. */

import { fontRecord } from "./api.js";
import { byId, h, replace } from "./dom.js";
import { isFiltered } from "./request.js";
import { ask, narrow, noFilter, state } from "./state.js";
import { label, span } from "./wording.js";

let answer = null;

/** @param {object | null} newest the last answer of POST /search */
export function showSaid(newest) {
  answer = newest;
  const said = byId("said");
  const inside = said.contains(document.activeElement);
  replace(said, ...likeness(), ...seen(), ...understood(), ...notUnderstood(), ...filters());
  // who dropped one by keyboard goes on from the next, not from the top of the page
  if (inside) (said.querySelector("button") ?? byId("query")).focus({ preventScroll: true });
}

function chip(words, name, drop) {
  return h("button", { type: "button", class: "chip", "aria-label": name, onclick: drop },
    h("span", {}, words), h("span", { class: "cross", "aria-hidden": "true" }, "×"));
}

function likeness() {
  if (!state.like) return [];
  const name = h("span", {}, "a font");
  fontRecord(state.like).then((font) => { name.textContent = font.name; }, () => {});
  return [h("span", { class: "soft" }, "like"), chip(name, "No longer like this font", () => ask({ like: "" }))];
}

function seen() {
  if (!state.picture || !answer?.seen?.length) return [];
  return [
    h("span", { class: "soft" }, "read of the picture"),
    ...answer.seen.map(({ word, confidence }) =>
      h("span", { class: "read", title: `${Math.round(100 * confidence)} % sure` },
        word, " ", h("span", { class: "soft" }, confidence.toFixed(2).replace(/^0/, "")))),
  ];
}

function understood() {
  if (!state.q || !answer?.understood?.length) return [];
  return [
    h("span", { class: "soft" }, "understood"),
    ...answer.understood.map(({ phrase }) => chip(phrase, `Drop ${phrase}`, () => reword(phrase, ""))),
  ];
}

function notUnderstood() {
  if (!state.q || !answer?.not_understood?.length) return [];
  return [
    h("span", { class: "soft" }, "not understood"),
    ...answer.not_understood.flatMap(({ word, near }) => [
      h("del", {}, word),
      ...near.map((other) => h("button", {
        type: "button", class: "link", "aria-label": `${other} instead of ${word}`, onclick: () => reword(word, other),
      }, `${other}?`)),
    ]),
  ];
}

/** The query with a phrase replaced; what is left without a word around it goes too. */
function reword(phrase, other) {
  const words = phrase.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const where = new RegExp(`(?<![\\p{L}\\p{N}])${words.join("\\s+")}(?![\\p{L}\\p{N}])`, "iu");
  const q = state.q.replace(where, other)
    .replace(/\s+/g, " ").replace(/\s+,/g, ",").replace(/,(\s*,)+/g, ",").replace(/^[\s,]+|[\s,]+$/g, "");
  ask({ q });
}

function filters() {
  if (!isFiltered()) return [];
  return [
    h("span", { class: "soft" }, "only"),
    ...activeFilters(),
    h("button", { type: "button", class: "link", onclick: () => narrow(noFilter()) }, "remove all filters"),
  ];
}

/** Each filter that holds, as a chip that removes it. */
export function activeFilters() {
  const { filter } = state;
  const lists = ["category", "subsets", "tags", "license", "source"].flatMap((key) =>
    filter[key].map((value) => removable(value, { [key]: filter[key].filter((other) => other !== value) })));
  const traits = Object.entries(filter.traits).map(([trait, range]) => {
    const others = { ...filter.traits };
    delete others[trait];
    return removable(`${label(trait)} ${span(range)}`, { traits: others });
  });
  return [
    ...lists,
    filter.covers && removable(`has ${filter.covers}`, { covers: "" }),
    ...filter.weights.map((weight) =>
      removable(String(weight), { weights: filter.weights.filter((other) => other !== weight) })),
    filter.italic && removable("italic", { italic: false }),
    filter.variable && removable("variable", { variable: false }),
    ...traits,
  ].filter(Boolean);
}

function removable(words, without) {
  return chip(words, `Remove the filter ${words}`, () => narrow(without));
}
