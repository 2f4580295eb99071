/**
 * The address is the state: all that a search is made of stands in it, so that it can be shared and
 * the back button works. Only a picture does not fit.
 *
 * @typedef {{
 *   category: string[], subsets: string[], tags: string[], license: string[], source: string[],
 *   covers: string, weights: number[], italic: boolean, variable: boolean,
 *   traits: Record<string, [number | null, number | null]>
 * }} Filter
 * @typedef {{
 *   q: string, like: string, alpha: number | null, view: "fused" | "looks" | "words" | "side",
 *   siblings: boolean, text: string, size: number, all: boolean, rows: number, open: string, pins: string[],
 *   compare: boolean, filter: Filter, picture: string | null
 * }} State
 */

export const PAGE = 20; // rows at first, and by each "more"
export const MAX_ROWS = 400;
export const MAX_PINS = 6;
const LISTS = ["category", "subsets", "tags", "license", "source"];
const VIEWS = ["fused", "looks", "words", "side"];
const BURST = 1500; // ms within which changes of the same thing are one step back

/** @returns {Filter} */
export function noFilter() {
  return {
    category: [], subsets: [], tags: [], license: [], source: [],
    covers: "", weights: [], italic: false, variable: false, traits: {},
  };
}

/** @param {string} address its query string @returns {State} */
export function parse(address) {
  const given = new URLSearchParams(address);
  const filter = noFilter();
  for (const key of LISTS) filter[key] = given.getAll(key);
  filter.covers = given.get("covers") ?? "";
  filter.weights = given.getAll("weight").map(Number).filter((weight) => weight >= 1 && weight <= 1000);
  filter.italic = given.has("italic");
  filter.variable = given.has("variable");
  for (const [key, value] of given) {
    const range = /^(-?[\d.]*)~(-?[\d.]*)$/.exec(value);
    if (key.startsWith("t.") && range) filter.traits[key.slice(2)] = [number(range[1]), number(range[2])];
  }
  return {
    q: given.get("q") ?? "",
    like: given.get("like") ?? "",
    alpha: bounded(given.get("alpha"), 0, 1, null),
    view: VIEWS.includes(given.get("view")) ? given.get("view") : "fused",
    text: (given.get("text") ?? "").slice(0, 200),
    size: bounded(given.get("size"), 24, 96, 54),
    siblings: given.has("siblings"), // each script and version of a design by itself
    all: given.has("all"),
    rows: bounded(given.get("rows"), PAGE, MAX_ROWS, PAGE),
    open: given.get("open") ?? "",
    pins: given.getAll("pin").slice(0, MAX_PINS),
    compare: given.has("compare"),
    filter,
    picture: null,
  };
}

/** The query string, without what is as by default. @param {State} state */
export function format(state) {
  const address = new URLSearchParams();
  const { filter } = state;
  for (const key of ["q", "like", "text", "open"]) if (state[key]) address.set(key, state[key]);
  if (state.alpha !== null) address.set("alpha", state.alpha);
  if (state.view !== "fused") address.set("view", state.view);
  if (state.size !== 54) address.set("size", state.size);
  if (state.rows !== PAGE) address.set("rows", state.rows);
  if (state.siblings) address.set("siblings", "");
  if (state.all) address.set("all", "");
  for (const key of LISTS) for (const value of filter[key]) address.append(key, value);
  if (filter.covers) address.set("covers", filter.covers);
  for (const weight of filter.weights) address.append("weight", weight);
  for (const key of ["italic", "variable"]) if (filter[key]) address.set(key, "");
  for (const [trait, [low, high]] of Object.entries(filter.traits)) {
    address.set(`t.${trait}`, `${low ?? ""}~${high ?? ""}`);
  }
  for (const pin of state.pins) address.append("pin", pin);
  if (state.compare) address.set("compare", "");
  const text = address.toString().replaceAll("=&", "&").replace(/=$/, "");
  return text ? `?${text}` : "";
}

function number(text) {
  return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
}

function bounded(text, low, high, otherwise) {
  const value = number(text ?? "");
  return value === null ? otherwise : Math.min(high, Math.max(low, value));
}

/** @type {State} */
export const state = parse(location.search);
const listeners = [];
let last = { keys: "", at: 0 };

/** @param {(changed: Set<string>, moving: boolean) => void} listener called after every change */
export function subscribe(listener) {
  listeners.push(listener);
}

/**
 * Changes some of the state, and the address with it.
 * @param {Partial<State>} part
 * @param {boolean} [moving] by a slider that is being moved
 */
export function change(part, moving = false) {
  const keys = Object.keys(part).join();
  Object.assign(state, part);
  const address = location.pathname + format(state);
  const burst = keys === last.keys && Date.now() - last.at < BURST;
  last = { keys, at: Date.now() };
  if (address !== location.pathname + location.search) {
    history[burst ? "replaceState" : "pushState"](null, "", address);
  }
  for (const listener of listeners) listener(new Set(Object.keys(part)), moving);
}

/** A change of what is searched for: rows that were open or added belong to the search before. */
export function ask(part, moving = false) {
  change({ rows: PAGE, open: "", ...part }, moving);
}

/** @param {Partial<Filter>} part */
export function narrow(part, moving = false) {
  ask({ filter: { ...state.filter, ...part } }, moving);
}

addEventListener("popstate", () => {
  Object.assign(state, parse(location.search));
  last = { keys: "", at: 0 };
  for (const listener of listeners) listener(new Set(Object.keys(state)), false);
});
