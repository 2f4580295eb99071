/** A facet as a list of values with counts, any of which can be chosen. */

import { h } from "./dom.js";

export class Choices {
  #items = new Map(); // by value: its input and count
  #list = h("div", { class: "values" });
  #rest = h("div", { class: "values" });
  #more = h("details", { class: "more" });

  /**
   * @param {string} title
   * @param {(values: string[]) => void} changed
   * @param {{ first?: number }} [options] how many are seen before the rest is unfolded
   */
  constructor(title, changed, { first = 8 } = {}) {
    this.first = first;
    this.changed = changed;
    this.element = h("fieldset", { class: "choices" }, h("legend", {}, title), this.#list);
  }

  /** Values in the order of the whole table, which stays: nothing moves under the pointer. */
  offer(values) {
    for (const { value } of values) this.#add(value);
    const rest = this.#items.size - this.first;
    if (rest > 0 && !this.#more.isConnected) {
      this.#more.append(h("summary", {}, `${rest} more`), this.#rest);
      this.element.append(this.#more);
    }
    this.element.hidden = this.#items.size < 2;
  }

  /** @param {{ value: string, count: number }[]} values @param {string[]} chosen */
  show(values, chosen) {
    const counts = new Map(values.map(({ value, count }) => [value, count]));
    for (const value of chosen) this.#add(value);
    for (const [value, { input, count, label }] of this.#items) {
      const number = counts.get(value) ?? 0;
      count.textContent = number.toLocaleString("en");
      input.checked = chosen.includes(value);
      label.classList.toggle("none", number === 0 && !input.checked);
    }
  }

  #add(value) {
    if (this.#items.has(value)) return;
    const input = h("input", { type: "checkbox", class: "unseen", onchange: () => this.changed(this.#chosen()) });
    const count = h("span", { class: "number" });
    const label = h("label", {}, input, h("span", { class: "value" }, value), count);
    (this.#items.size < this.first ? this.#list : this.#rest).append(label);
    this.#items.set(value, { input, count, label });
  }

  #chosen() {
    return [...this.#items].filter(([, { input }]) => input.checked).map(([value]) => value);
  }
}
