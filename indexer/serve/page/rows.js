/** Found fonts as rows. A row is made once per font and reused, so that its image stays. */

import { details } from "./details.js";
import { h, replace } from "./dom.js";
import { draw, specimen } from "./specimen.js";
import { change, MAX_PINS, state } from "./state.js";
import { figure, label, styleLine, withoutLabel } from "./wording.js";

const SOON = 1; // row whose image is asked for before the others, which come with the next frame
const REASONS = 3;
const KEPT = 200; // rows that are kept for reuse

class Row {
  #image;
  #facts = h("span", { class: "facts" });
  #scores = h("span", { class: "scores" });
  #toggle;
  #pin = h("button", { type: "button", class: "link pin", onclick: () => pin(this.font.id) });
  #details = null;

  constructor(font, size, soon) {
    this.font = font;
    this.size = size;
    this.#image = specimen(font, { text: state.text, size, soon });
    this.#toggle = h("button", {
      type: "button", class: "open", "aria-expanded": "false", onclick: () => this.#flip(),
    }, this.#image);
    this.element = h("li", { class: "row", "data-font": font.id },
      this.#toggle,
      h("div", { class: "caption" }, h("h3", {}, font.name), this.#facts, this.#scores, this.#pin));
  }

  fill(font) {
    this.font = font;
    replace(this.#facts, ...facts(font));
    replace(this.#scores, ...scores(font));
    if (this.#details) this.#showDetails(); // its cosines are of the new search
    this.showState();
  }

  draw(size = this.size) {
    this.size = size;
    draw(this.#image, this.font, { text: state.text, size });
  }

  resize(size) {
    this.size = size;
    this.#image.style.setProperty("--size", size);
  }

  showState() {
    const open = state.open === this.font.id;
    this.#toggle.setAttribute("aria-expanded", open);
    if (open && !this.#details) this.#showDetails();
    if (!open && this.#details) {
      this.#details.remove();
      this.#details = null;
    }
    const pinned = state.pins.includes(this.font.id);
    this.#pin.textContent = pinned ? "✓ pinned" : "+ compare";
    this.#pin.setAttribute("aria-pressed", pinned);
    this.#pin.setAttribute("aria-label", `Compare ${this.font.name}`);
    this.#pin.disabled = !pinned && state.pins.length >= MAX_PINS;
  }

  #showDetails() {
    const made = details(this.font);
    if (this.#details) this.#details.replaceWith(made);
    else this.element.append(made);
    this.#details = made;
  }

  #flip() {
    change({ open: state.open === this.font.id ? "" : this.font.id });
  }
}

export class RowList {
  #rows = new Map(); // by id, those that are shown and some that were
  #shown = [];

  /** @param {{ name: string, most?: number }} options `most` pixels of letters */
  constructor({ name, most = Infinity }) {
    this.most = most;
    this.element = h("ol", { class: "rows", "aria-label": name, onkeydown: arrows });
  }

  get size() {
    return Math.min(state.size, this.most);
  }

  show(fonts) {
    if (this.#rows.size > KEPT) this.#forget(new Set(fonts.map((font) => font.id)));
    this.#shown = fonts.map((font, place) => {
      let row = this.#rows.get(font.id);
      if (!row) this.#rows.set(font.id, row = new Row(font, this.size, place < SOON));
      else row.draw(this.size);
      row.fill(font);
      return row;
    });
    replace(this.element, ...this.#shown.map((row) => row.element));
  }

  draw() {
    for (const row of this.#shown) row.draw(this.size);
  }

  resize() {
    for (const row of this.#shown) row.resize(this.size);
  }

  showState() {
    for (const row of this.#shown) row.showState();
  }

  #forget(needed) {
    for (const id of [...this.#rows.keys()]) if (!needed.has(id)) this.#rows.delete(id);
  }
}

/** Puts a font into the tray, or takes it out. */
export function pin(id) {
  const pins = state.pins.includes(id) ? state.pins.filter((other) => other !== id) : [...state.pins, id];
  change({ pins: pins.slice(0, MAX_PINS), ...(pins.length < 2 && { compare: false }) });
}

function facts(font) {
  return [font.category, styleLine(font.styles), font.license, ...reasons(font)]
    .filter(Boolean)
    .map((fact) => (fact instanceof Node ? fact : h("span", {}, fact)));
}

/** One reason for each phrase of the query, then the others while there is room. */
function reasons(font) {
  const first = font.why.filter(({ phrase }, place) => font.why.findIndex((reason) => reason.phrase === phrase) === place);
  const others = font.why.filter((reason) => !first.includes(reason));
  const told = [...first, ...others].filter(({ word }) => !word.startsWith("neither ")).slice(0, REASONS);
  const parts = told.flatMap(({ trait, value, word }, place) => [
    place ? " · " : "",
    ...(typeof font.traits?.[trait] === "number"
      ? [`${label(trait)} `, h("b", {}, figure(value)), ` ${withoutLabel(word, trait)}`]
      : [word]), // of several measurements: there is no one number
  ]);
  return told.length ? [h("span", { class: "why" }, ...parts)] : [];
}

function scores(font) {
  const legs = [["sight", font.vl_rank, font.vl_similarity], ["text", font.text_rank, font.text_similarity],
    ["words", font.full_text_rank, font.full_text_similarity]];
  return legs
    .filter(([, rank]) => rank !== null)
    .map(([leg, rank, similarity]) => h("span", {}, `${leg} #${rank} ${figure(similarity)}`));
}

function arrows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches(".open")) return;
  const all = [...event.currentTarget.querySelectorAll(".open")];
  const next = all[all.indexOf(event.target) + step];
  if (next) {
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
}
