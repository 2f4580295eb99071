/** What an opened row shows: the sheet, where its measurements stand among all fonts, what to do next. */

import { fontRecord } from "./api.js";
import { byId, copyButton, h } from "./dom.js";
import { everyFont } from "./facets.js";
import { histogram } from "./histogram.js";
import { sheet } from "./specimen.js";
import { ask, noFilter, state } from "./state.js";
import { figure, label, MAIN_TRAITS, standing } from "./wording.js";

// what a visitor wants more or less of: words for less and for more
const RELATIVE = [
  ["width", "narrower", "wider"],
  ["weight", "lighter", "heavier"],
  ["contrast", "less contrast", "more contrast"],
  ["x_height", "smaller x-height", "larger x-height"],
];

/** Its room is there at once; what the server has to be asked for comes into it. */
export function details(font) {
  const measured = h("div", { class: "measured" });
  const install = h("div", { class: "install" });
  const whole = h("div", { class: "details", role: "region", "aria-label": `More about ${font.name}` },
    h("div", { class: "paper" }, sheet(font), font.description && h("p", { class: "description" }, font.description), install),
    h("div", { class: "figures" }, measured, cosines(font)),
    h("div", { class: "next" }, ...relative(font)));
  Promise.all([fontRecord(font.id), everyFont()]).then(
    ([record, every]) => {
      measured.append(...measurements(font, record.percentiles, every.traits));
      install.append(...installing(font, record.install));
    },
    (error) => measured.append(h("p", { class: "trouble" }, error.message)),
  );
  return whole;
}

function measurements(font, percentiles, traits) {
  const names = Object.keys(traits).filter((trait) => typeof font.traits?.[trait] === "number");
  const line = (trait) => {
    const { low, high, unit, meaning, counts } = traits[trait];
    const value = font.traits[trait];
    const at = Math.min(1, Math.max(0, (value - low) / (high - low)));
    const word = trait in percentiles ? standing(trait, percentiles[trait], value) : "";
    const place = trait in percentiles ? `; ${Math.round(percentiles[trait] * 100)} of 100 fonts have less` : "";
    return h("div", { class: "measurement", title: meaning + place },
      h("dt", {}, label(trait)),
      h("dd", {}, histogram(counts, at), h("b", {}, figure(value, unit)), h("span", {}, word)));
  };
  const main = MAIN_TRAITS.filter((trait) => names.includes(trait));
  const rest = names.filter((trait) => !MAIN_TRAITS.includes(trait));
  if (!names.length) return [h("p", { class: "soft" }, "Nothing of it was measured yet.")];
  return [
    h("dl", {}, ...main.map(line)),
    rest.length && h("details", {}, h("summary", {}, `All ${names.length} measurements`), h("dl", {}, ...rest.map(line))),
  ].filter(Boolean);
}

function cosines(font) {
  const legs = [["how it looks", font.vl_rank, font.vl_similarity], ["what is said", font.text_rank, font.text_similarity]]
    .filter(([, rank]) => rank !== null);
  if (!legs.length) return null;
  return h("p", { class: "cosines" }, ...legs.map(([leg, rank, cosine]) =>
    h("span", {}, `cosine of ${leg} `, h("b", {}, figure(cosine)), `, #${rank}`)));
}

function relative(font) {
  const search = (trait, range) => {
    ask({
      q: "", like: font.id, picture: null, all: false,
      filter: trait ? { ...noFilter(), traits: { [trait]: range } } : noFilter(),
    });
    scrollTo(0, 0); // the row that was asked from is gone: what is found begins at the top
    byId("results").focus({ preventScroll: true });
  };
  const button = (words, trait, range) =>
    h("button", { type: "button", class: "pill", onclick: () => search(trait, range) }, words);
  const pairs = RELATIVE.filter(([trait]) => typeof font.traits?.[trait] === "number").map(([trait, less, more]) => {
    const value = font.traits[trait];
    // the same font and its near twins are no answer
    const [below, above] = [value * 0.95, value * 1.05].map((bound) => Number(bound.toFixed(3)));
    return h("span", {}, button(less, trait, [null, below]), button(more, trait, [above, null]));
  });
  return [
    h("button", { type: "button", class: "solid", onclick: () => search() }, "More like this"),
    pairs.length && h("h4", {}, "Like this, but"),
    pairs.length && h("div", { class: "pills" }, ...pairs),
  ].filter(Boolean);
}

function installing(font, install) {
  const line = (code, shown, name) => h("p", {}, h("code", { title: shown }, shown), copyButton(code, "copy", name));
  return [
    install.fontsource && line(install.fontsource, install.fontsource, "the npm command"),
    install.css && line(install.css, "@font-face { … }", "the @font-face rule"),
  ].filter(Boolean);
}
