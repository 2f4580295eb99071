/** A measured trait as a two-ended range over its histogram. */

import { h } from "./dom.js";
import { choose, fill, histogram } from "./histogram.js";
import { label, span } from "./wording.js";

const STEPS = 100;
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -STEPS, End: STEPS };

export class Range {
  #places = [0, STEPS]; // of the two ends
  #ends;
  #line;
  #said = h("output");
  #picture;
  #facts;
  #changed;

  /**
   * @param {string} trait
   * @param {{ low: number, high: number, unit: string, meaning: string, counts: number[] }} facts
   * @param {(range: [number | null, number | null]) => void} changed an end that is null is open
   */
  constructor(trait, facts, changed) {
    this.#facts = facts;
    this.#changed = changed;
    this.#picture = histogram(facts.counts);
    // two native sliders would lie on each other, and one of them out of reach
    this.#ends = ["at least", "at most"].map((words, which) => h("span", {
      class: "end", role: "slider", tabindex: "0", "aria-label": `${label(trait)}, ${words}`,
      "aria-valuemin": facts.low, "aria-valuemax": facts.high,
      onkeydown: (event) => this.#press(event, which),
      onpointerdown: (event) => this.#grasp(event, which),
      onpointermove: (event) => this.#drag(event, which),
    }));
    this.#line = h("div", { class: "ends" }, ...this.#ends);
    this.element = h("div", { class: "range", role: "group", "aria-label": label(trait), title: explained(facts) },
      h("div", { class: "range-name" }, h("span", {}, label(trait)), this.#said),
      this.#picture,
      this.#line);
    this.show([null, null]);
  }

  /** @param {[number | null, number | null]} range */
  show(range) {
    const { low, high, unit } = this.#facts;
    const place = (value, open) => (value === null ? open
      : Math.round(Math.min(1, Math.max(0, (value - low) / (high - low))) * STEPS));
    this.#places = [place(range[0], 0), place(range[1], STEPS)];
    const [from, to] = this.#places.map((at) => at / STEPS);
    this.#ends.forEach((end, which) => {
      end.setAttribute("aria-valuenow", this.#value(which));
      end.setAttribute("aria-valuetext", span(range, unit));
    });
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

  #value(which) {
    const { low, high } = this.#facts;
    return Number((low + (this.#places[which] / STEPS) * (high - low)).toFixed(3));
  }

  /** An end stops where it meets the other. */
  #move(which, place) {
    const [lowest, highest] = which === 0 ? [0, this.#places[1]] : [this.#places[0], STEPS];
    const stopped = Math.round(Math.min(highest, Math.max(lowest, place)));
    if (stopped === this.#places[which]) return;
    this.#places[which] = stopped;
    this.#changed([
      this.#places[0] > 0 ? this.#value(0) : null,
      this.#places[1] < STEPS ? this.#value(1) : null,
    ]);
  }

  #press(event, which) {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    this.#move(which, this.#places[which] + step);
  }

  #grasp(event, which) {
    event.preventDefault();
    this.#ends[which].focus();
    this.#ends[which].setPointerCapture(event.pointerId);
  }

  #drag(event, which) {
    if (!this.#ends[which].hasPointerCapture(event.pointerId)) return;
    const { left, width } = this.#line.getBoundingClientRect();
    this.#move(which, ((event.clientX - left) / width) * STEPS);
  }
}

function explained({ meaning, unit }) {
  return unit === "share" || unit === "ratio" || unit === "count" ? meaning : `${meaning}, in ${unit}`;
}
