/** The filters on the left, or on a phone in a sheet from below; their counts follow. */

import { Newest } from "./api.js";
import { Choices } from "./choices.js";
import { byId, h, replace, settled } from "./dom.js";
import { everyFont, facetsOf } from "./facets.js";
import { Range } from "./range.js";
import { filterBody } from "./request.js";
import { ask, narrow, noFilter, state } from "./state.js";
import { MAIN_TRAITS, plural } from "./wording.js";

const PHONE = matchMedia("(max-width: 720px)");
const LISTS = { category: "Class", subsets: "Scripts", tags: "Tags", license: "License", source: "Source" };

const newest = new Newest();
const lists = {};
const ranges = {};
const covers = h("input", {
  type: "text", maxlength: 200, placeholder: "Žluťoučký kůň", autocomplete: "off", spellcheck: "false",
  oninput: settled(200, () => narrow({ covers: covers.value })),
});
const siblings = h("input", {
  type: "checkbox", class: "unseen", onchange: () => ask({ siblings: siblings.checked }),
});
const weights = new Map();
const flags = {};
const trouble = h("p", { class: "trouble", role: "status" });
const show = h("button", { type: "button", class: "solid shut", onclick: () => byId("filters-sheet").close() }, "Show the fonts");
const form = h("form", { class: "filters", onsubmit: (event) => event.preventDefault() });

/** Builds the filters once the whole table's counts are known, then shows the state's. */
export async function startFilters() {
  place();
  PHONE.addEventListener("change", place);
  byId("open-filters").addEventListener("click", () => byId("filters-sheet").showModal());
  byId("filters-sheet").addEventListener("click", (event) => {
    if (event.target === event.currentTarget) event.currentTarget.close(); // beside it
  });
  try {
    build(await everyFont());
  } catch (error) {
    trouble.textContent = `The filters cannot be counted. ${error.message}`;
    form.append(trouble);
    return;
  }
  await showFilters();
}

/** The counts for the state's filter. @param {boolean} [moving] a slider is being moved */
export function showFilters(moving = false) {
  if (!form.childElementCount) return undefined;
  showChosen();
  return newest[moving ? "next" : "now"](async (signal) => {
    try {
      const facets = await facetsOf(filterBody());
      if (signal.aborted) return;
      trouble.textContent = "";
      count(facets);
    } catch (error) {
      trouble.textContent = `The counts are of before. ${error.message}`;
    }
  });
}

function place() {
  if (PHONE.matches) byId("filters-sheet").append(form);
  else {
    byId("filters-sheet").close();
    byId("side").append(form);
  }
}

function build(every) {
  const scripts = new Set(every.subsets.map(({ value }) => value));
  for (const [key, title] of Object.entries(LISTS)) {
    lists[key] = new Choices(title, (values) => narrow({ [key]: values }), { first: key === "category" ? 8 : 5 });
    // the importer puts scripts among the tags too
    lists[key].offer(key === "tags" ? every.tags.filter(({ value }) => !scripts.has(value)) : every[key]);
  }
  const range = (trait) => {
    ranges[trait] = new Range(trait, every.traits[trait], ([low, high]) => {
      const { [trait]: _, ...others } = state.filter.traits;
      narrow({ traits: low === null && high === null ? others : { ...others, [trait]: [low, high] } }, true);
    });
    return ranges[trait].element;
  };
  const measured = Object.keys(every.traits).filter((trait) => trait !== "is_text");
  const main = MAIN_TRAITS.filter((trait) => measured.includes(trait));
  replace(
    form,
    lists.category.element,
    h("fieldset", {}, h("legend", {}, h("label", { for: "covers" }, "Has every character of")), covers),
    styles(every.styles),
    h("fieldset", {}, h("legend", {}, "Measured"), ...main.map(range),
      h("details", { class: "more" }, h("summary", {}, `${measured.length - main.length} more measurements`),
        ...measured.filter((trait) => !main.includes(trait)).map(range))),
    h("fieldset", { class: "choices" }, h("legend", {}, "Near-duplicates"), h("div", { class: "values" },
      h("label", {}, siblings, h("span", { class: "value" }, "every script and version of a design")))),
    lists.subsets.element, lists.tags.element, lists.license.element, lists.source.element,
    trouble,
    h("div", { class: "foot" },
      h("button", { type: "button", class: "plain", onclick: () => narrow(noFilter()) }, "Remove all"), show),
  );
  covers.id = "covers";
}

function styles(every) {
  for (const { value } of every.weights) {
    const input = h("input", { type: "checkbox", class: "unseen", value, onchange: readWeights });
    weights.set(value, { input, label: h("label", { class: "weight" }, input, h("span", {}, value)) });
  }
  for (const [key, title] of [["italic", "italic"], ["variable", "variable weight"]]) {
    const input = h("input", { type: "checkbox", class: "unseen", onchange: () => narrow({ [key]: input.checked }) });
    const number = h("span", { class: "number" });
    flags[key] = { input, number };
    flags[key].label = h("label", {}, input, h("span", { class: "value" }, title), number);
  }
  return h("fieldset", { class: "choices" }, h("legend", {}, "Has styles"),
    h("div", { class: "weights", role: "group", "aria-label": "Weights" }, ...[...weights.values()].map(({ label }) => label)),
    h("div", { class: "values" }, flags.italic.label, flags.variable.label));
}

function readWeights() {
  narrow({ weights: [...weights].filter(([, { input }]) => input.checked).map(([value]) => value) });
}

/** What is chosen, at once; the counts come later. */
function showChosen() {
  const { filter } = state;
  if (document.activeElement !== covers) covers.value = filter.covers;
  siblings.checked = state.siblings;
  for (const [trait, range] of Object.entries(ranges)) range.show(filter.traits[trait] ?? [null, null]);
  for (const [value, { input }] of weights) input.checked = filter.weights.includes(value);
  for (const [key, { input }] of Object.entries(flags)) input.checked = filter[key];
}

function count(facets) {
  const { filter } = state;
  for (const key of Object.keys(LISTS)) lists[key].show(facets[key], filter[key]);
  for (const [trait, range] of Object.entries(ranges)) {
    if (facets.traits[trait]) range.count(facets.traits[trait].counts);
  }
  const heavy = new Map(facets.styles.weights.map(({ value, count: fonts }) => [value, fonts]));
  for (const [value, { label: element }] of weights) {
    element.title = plural(heavy.get(value) ?? 0, "font", "fonts");
    element.classList.toggle("none", !heavy.get(value));
  }
  for (const [key, { number }] of Object.entries(flags)) number.textContent = facets.styles[key].toLocaleString("en");
  show.textContent = `Show ${plural(facets.total, "font", "fonts")}`;
  byId("open-filters").textContent = Object.keys(filterBody()).length ? `Filters · ${active()}` : "Filters";
}

function active() {
  return Object.values(filterBody()).reduce((sum, value) =>
    sum + (Array.isArray(value) ? value.length : value instanceof Object ? Object.keys(value).length : 1), 0);
}
