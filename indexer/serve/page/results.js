/** Asks for fonts and shows them: a list, three columns, or a sentence about why there are none. */

import { call, Newest } from "./api.js";
import { byId, h, replace } from "./dom.js";
import { showExamples } from "./examples.js";
import { everyFont, facetsOf } from "./facets.js";
import { openPanel, showQueryFacts } from "./panel.js";
import { AT_ONCE, filterBody, isBrowsing, isEmpty, isFiltered, listBody, searchBody } from "./request.js";
import { RowList } from "./rows.js";
import { activeFilters, showSaid } from "./said.js";
import { ask, change, MAX_ROWS, narrow, noFilter, PAGE, state } from "./state.js";
import { milliseconds, plural } from "./wording.js";

const SIDE = { looks: "how it looks", fused: "fused", words: "what is said" };

const LATE = 1000; // ms; a font may take seconds to draw

const newest = new Newest();
const fused = new RowList({ name: "Fonts" });
const side = Object.fromEntries(
  Object.entries(SIDE).map(([view, name]) => [view, new RowList({ name, most: 40 })]),
);
let examples = [];
const more = h("button", { type: "button", class: "plain", onclick: () => change({ rows: state.rows + PAGE }) });
const shown = () => (state.view === "side" ? Object.values(side) : [fused, ...examples]);

/** @param {boolean} [moving] a slider is being moved: what is on its way is shown first */
export function search(moving = false) {
  return newest[moving ? "next" : "now"](async (signal) => {
    const found = byId("found");
    found.setAttribute("aria-busy", "true");
    try {
      if (isEmpty()) await empty(signal);
      else if (state.view === "side" && !isBrowsing()) await columns(signal);
      else await list(signal);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      showError(error);
    }
    found.setAttribute("aria-busy", "false");
    showCount();
  });
}

/** Specimens with the state's text and size. */
export const drawSpecimens = () => shown().forEach((rows) => rows.draw());
export const resizeSpecimens = () => shown().forEach((rows) => rows.resize());
export const showRowStates = () => shown().forEach((rows) => rows.showState());

/** Resolves when the first row's letters are there, or late: whatever else is asked for waits until then. */
export function firstDrawn() {
  const image = byId("found").querySelector("img");
  return Promise.race([image?.decode().catch(() => {}), new Promise((resolve) => setTimeout(resolve, LATE))]);
}

/** Rows without letters keep the room until the first answer. */
export function showWaiting() {
  const row = () => h("li", { class: "row waiting" }, h("div", { class: "specimen" }), h("div", { class: "caption" }));
  replace(byId("found"), h("ol", { class: "rows", "aria-hidden": "true" }, ...Array.from({ length: 6 }, row)));
}

async function empty(signal) {
  showSaid(null);
  showNotices([]);
  counted = null;
  examples = await showExamples(byId("found"), signal);
  everyFont().then(({ total }) => counted || replace(byId("count"), plural(total, "font", "fonts")), () => {});
}

async function list(signal) {
  const view = state.view === "side" ? "fused" : state.view;
  const answer = await call("/search", { body: listBody(), signal });
  while (answer.fonts.length < state.rows && answer.fonts.length % AT_ONCE === 0 && answer.fonts.length) {
    const limit = Math.min(AT_ONCE, state.rows - answer.fonts.length);
    const next = await call("/search", { body: searchBody(view, { limit, offset: answer.fonts.length }), signal });
    if (!next.fonts.length) break;
    answer.fonts.push(...next.fonts);
  }
  showAnswer(answer);
  if (!answer.fonts.length) return showNothing();
  const fonts = unique(answer.fonts);
  fused.show(fonts);
  const complete = fonts.length < state.rows;
  more.textContent = "More fonts";
  replace(byId("found"), h("h2", { class: "unseen" }, "Fonts"), fused.element, !complete && state.rows < MAX_ROWS && h("p", { class: "more-rows" }, more));
}

async function columns(signal) {
  const views = Object.keys(side);
  const answers = await Promise.all(views.map((view) => call("/search", { body: searchBody(view), signal })));
  showAnswer(answers[views.indexOf("fused")]);
  if (answers.every((answer) => !answer.fonts.length)) return showNothing();
  replace(byId("found"), h("div", { class: "side-by-side", onpointerover: twins, onfocusin: twins }, ...views.map((view, place) => {
    side[view].show(answers[place].fonts);
    return h("section", { "aria-label": SIDE[view] }, h("h2", {}, SIDE[view]), side[view].element);
  })));
}

/** Marks the row under the pointer in all columns: where else the same font stands. */
function twins(event) {
  const font = event.target.closest(".row")?.dataset.font;
  for (const row of event.currentTarget.querySelectorAll(".row")) row.classList.toggle("twin", row.dataset.font === font);
}

/** Pages of an answer may overlap where the index proposed it. */
function unique(fonts) {
  return [...new Map(fonts.map((font) => [font.id, font])).values()];
}

function showAnswer(answer) {
  showSaid(answer);
  showNotices(notices(answer));
  if (state.alpha === null && !isBrowsing()) byId("blend").value = 1 - answer.alpha;
  showQueryFacts(answer);
  counted = answer;
}

let counted = null; // the answer that the line is about

async function showCount() {
  const answer = counted;
  if (!answer) return;
  const { length } = answer.fonts;
  await firstDrawn();
  if (counted !== answer) return;
  const total = await facetsOf(filterBody()).then((facets) => facets.total, () => length);
  if (counted !== answer) return;
  const fonts = plural(total, "font", "fonts");
  replace(byId("count"), length < total ? `${length} of ${fonts}` : fonts, " · ", h("button", {
    type: "button", class: "link quiet", "aria-haspopup": "dialog", title: "What is behind this answer",
    onclick: openPanel,
  }, milliseconds(answer.milliseconds.total)));
}

/** What is missing from this answer, once each. */
function notices(answer) {
  const legs = isBrowsing() ? [] : Object.values(answer.legs).map((leg) => leg.why_not);
  // a second notice is about that already
  const goesOn = !isBrowsing() && answer.legs.vl.why_not && answer.notices.length === 1
    && `The search goes on by ${answer.legs.text.asked ? "what is said" : "words alone"}.`;
  return [...new Set([...answer.notices, ...(answer.notices.length ? [] : legs), goesOn])].filter(Boolean);
}

function showNotices(sentences) {
  replace(byId("notices"), ...sentences.map((sentence) => h("p", {}, sentence)));
}

function showNothing() {
  const filters = activeFilters();
  replace(byId("found"), h("div", { class: "state" },
    h("h2", {}, "No font fits."),
    filters.length
      ? h("p", {}, "All of these must hold. Remove one:")
      : h("p", {}, "Ask in other words, or for less at a time."),
    h("p", { class: "chips" }, ...filters),
    h("p", {},
      filters.length > 1 && h("button", { type: "button", class: "solid", onclick: () => narrow(noFilter()) }, "Remove all filters"),
      !filters.length && h("button", { type: "button", class: "solid", onclick: () => ask({ q: "", like: "", picture: null, all: true }) },
        "Look through all fonts"))));
}

function showError(error) {
  showSaid(null);
  showNotices([]);
  counted = null;
  replace(byId("count"));
  replace(byId("found"), h("div", { class: "state", role: "alert" },
    h("h2", {}, "That did not work."),
    h("p", {}, error.message),
    h("p", {},
      h("button", { type: "button", class: "solid", onclick: () => search() }, "Try again"),
      isFiltered() && error.status === 400
        && h("button", { type: "button", class: "plain", onclick: () => narrow(noFilter()) }, "Remove all filters"),
      h("a", { class: "plain", href: "/" }, "Start anew"))));
}
