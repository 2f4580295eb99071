/** A measured trait as a two-ended range over its histogram. */

import { h } from "./dom.js";
import { choose, fill, histogram } from "./histogram.js";
import { label, span } from "./wording.js";

const STEPS = 100;

export class Range {
  #from;
  #to;
  #said = h("output");
  #picture;
  #facts;

  /**
   * @param {string} trait
   * @param {{ low: number, high: number, unit: string, meaning: string, counts: number[] }} facts
   * @param {(range: [number | null, number | null]) => void} changed an end that is null is open
   */
  constructor(trait, facts, changed) {
    this.#facts = facts;
    const end = (which) => h("input", {
      type: "range", class: which, min: 0, max: STEPS, step: 1,
      "aria-label": `${label(trait)}, ${which === "from" ? "at least" : "at most"}`,
    });
    [this.#from, this.#to] = [end("from"), end("to")];
    this.#picture = histogram(facts.counts);
    const move = (moved) => {
      const [low, high] = [Number(this.#from.value), Number(this.#to.value)];
      if (low > high) moved.value = moved === this.#from ? high : low; // ends meet, and do not cross
      changed(this.#read());
    };
    this.#from.addEventListener("input", () => move(this.#from));
    this.#to.addEventListener("input", () => move(this.#to));
    this.element = h("div", { class: "range", role: "group", "aria-label": label(trait), title: explained(facts) },
      h("div", { class: "range-name" }, h("span", {}, label(trait)), this.#said),
      this.#picture,
      h("div", { class: "ends" }, this.#from, this.#to));
    this.show([null, null]);
  }

  #read() {
    const { low, high } = this.#facts;
    const at = (input) => Number((low + (Number(input.value) / STEPS) * (high - low)).toFixed(3));
    return [
      Number(this.#from.value) > 0 ? at(this.#from) : null,
      Number(this.#to.value) < STEPS ? at(this.#to) : null,
    ];
  }

  /** @param {[number | null, number | null]} range */
  show(range) {
    const { low, high, unit } = this.#facts;
    const place = (value, open) => (value === null ? open : Math.min(1, Math.max(0, (value - low) / (high - low))));
    const [from, to] = [place(range[0], 0), place(range[1], 1)];
    for (const [input, at] of [[this.#from, from], [this.#to, to]]) {
      if (Math.abs(Number(input.value) / STEPS - at) > 0.5 / STEPS) input.value = Math.round(at * STEPS);
      input.setAttribute("aria-valuetext", span(range, unit));
    }
    this.element.style.setProperty("--from", from);
    this.element.style.setProperty("--to", to);
    this.element.classList.toggle("narrowed", range[0] !== null || range[1] !== null);
    this.#said.textContent = span(range, unit);
    choose(this.#picture, from, to);
  }

  /** @param {number[]} counts */
  count(counts) {
    fill(this.#picture, counts);
  }
}

function explained({ meaning, unit }) {
  return unit === "share" || unit === "ratio" || unit === "count" ? meaning : `${meaning}, in ${unit}`;
}
