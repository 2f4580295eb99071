/** Up to six fonts at the bottom of the page, and all of them on one text. */

import { fontRecord } from "./api.js";
import { byId, copyButton, h, replace, settled } from "./dom.js";
import { everyFont } from "./facets.js";
import { pin } from "./rows.js";
import { draw, specimen } from "./specimen.js";
import { change, MAX_PINS, state } from "./state.js";
import { figure, label, MAIN_TRAITS, plural, standing, styleLine } from "./wording.js";

const PIXELS = 24;
const TEXT = "Hamburgefonstiv & 0123";

export async function showTray() {
  const fonts = await pinned();
  const tray = byId("tray");
  tray.hidden = !fonts.length;
  replace(tray, h("ul", {}, ...fonts.map((font) => h("li", {},
    specimen(font, { text: "", size: PIXELS, soon: true }),
    h("button", { type: "button", class: "remove", "aria-label": `Remove ${font.name}`, onclick: () => pin(font.id) }, "×")))),
    h("p", {},
      h("span", { class: "soft" }, fonts.length < MAX_PINS ? `${fonts.length} pinned` : `${MAX_PINS} pinned, no more fit`),
      h("button", {
        type: "button", class: "link", "aria-haspopup": "dialog", disabled: fonts.length < 2, onclick: () => change({ compare: true }),
      }, "compare on one text"),
      copyButton(location.href, "copy the address", "of this search")));
}

/** Opens or closes the comparison, as the state says. */
export async function showComparison() {
  const dialog = byId("comparison");
  if (!state.compare) {
    dialog.close();
    return;
  }
  const [fonts, every] = await Promise.all([pinned(), everyFont()]);
  if (fonts.length < 2) {
    change({ compare: false });
    return;
  }
  const images = fonts.map((font) => specimen(font, { text: state.text || TEXT, size: state.size, soon: true }));
  const text = h("input", {
    type: "text", maxlength: 200, value: state.text, placeholder: TEXT, "aria-label": "Text to compare on",
    oninput: settled(150, () => {
      change({ text: text.value });
      fonts.forEach((font, place) => draw(images[place], font, { text: text.value || TEXT, size: state.size }));
    }),
  });
  replace(
    dialog,
    h("h2", { class: "unseen" }, "Comparison"),
    h("header", {}, text, h("button", { type: "button", class: "plain", onclick: () => dialog.close() }, "Close")),
    h("ol", { class: "rows" }, ...fonts.map((font, place) => h("li", { class: "row" },
      images[place],
      h("div", { class: "caption" }, h("h3", {}, font.name),
        h("span", { class: "facts" }, h("span", {}, font.category), h("span", {}, styleLine(font.styles)), h("span", {}, font.license)))))),
    table(fonts, every.traits),
  );
  if (!dialog.open) dialog.showModal();
}

export function startComparison() {
  byId("comparison").addEventListener("close", () => state.compare && change({ compare: false }));
}

async function pinned() {
  const records = await Promise.allSettled(state.pins.map(fontRecord));
  return records.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
}

/** One line per measurement, one column per font. */
function table(fonts, traits) {
  const cell = (trait) => (font) => {
    const value = font.traits?.[trait];
    if (typeof value !== "number") return h("td", { class: "soft" }, "–");
    return h("td", {}, h("b", {}, figure(value, traits[trait].unit)), h("span", {}, standing(trait, font.percentiles[trait] ?? 0.5, value)));
  };
  const measured = MAIN_TRAITS.filter((trait) => traits[trait] && fonts.some((font) => typeof font.traits?.[trait] === "number"));
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Measurements" }, h("table", {},
    h("caption", { class: "unseen" }, `Measurements of ${plural(fonts.length, "font", "fonts")}`),
    h("thead", {}, h("tr", {}, h("td"), ...fonts.map((font) => h("th", { scope: "col" }, font.name)))),
    h("tbody", {}, ...measured.map((trait) =>
      h("tr", {}, h("th", { scope: "row" }, label(trait)), ...fonts.map(cell(trait)))))));
}
