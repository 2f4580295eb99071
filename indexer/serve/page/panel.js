/** What is behind the answers: the last question's costs, the serving spaces, the last run. */

import { call } from "./api.js";
import { byId, h, replace } from "./dom.js";
import { milliseconds, plural } from "./wording.js";

const EXACTNESS = {
  scanned: "every font that passes the filter was scored: the order is exact",
  likely: "the index proposed fonts until none better was likely to follow",
  unproven: "the limit of candidates was reached: a narrower filter makes it surer",
};

let asked = null;
const question = h("section");
const server = h("section");

export function startPanel() {
  const dialog = byId("panel");
  replace(dialog,
    h("header", {}, h("h2", { id: "panel-title" }, "Behind this page"),
      h("button", { type: "button", class: "plain", onclick: () => dialog.close() }, "Close")),
    question, server);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

export function openPanel() {
  byId("panel").showModal();
  showServer();
}

/** @returns {Promise<object>} GET /panel; asked for once unless `again` */
export function panelFacts(again = false) {
  if (again || !asked) {
    asked = call("/panel");
    asked.catch(() => { asked = null; });
  }
  return asked;
}

/** @param {object} answer of POST /search */
export function showQueryFacts({ milliseconds: took, strategy, exactness, legs, alpha }) {
  const asked_ = Object.entries(legs).map(([leg, { model, asked: was, why_not: why }]) =>
    [leg === "vl" ? "sight" : leg, was ? model ?? "full text" : why ?? "not asked"]);
  replace(question, h("h3", {}, "This question"), facts([
    ...["embedding", "reading", "rpc", "rendering", "total"].map((part) => [part === "rpc" ? "database" : part, milliseconds(took[part])]),
    ["strategy", strategy ?? "listed by name"],
    exactness && ["exactness", `${exactness}: ${EXACTNESS[exactness]}`],
    alpha !== null && ["alpha", `${alpha.toFixed(2)}, the weight of what is said`],
    ...asked_,
  ]));
}

async function showServer() {
  try {
    const panel = await panelFacts(true);
    replace(server,
      h("h3", {}, "Spaces"), spaces(panel.spaces),
      h("h3", {}, "Fonts"), facts([
        ["visible", panel.fonts.toLocaleString("en")],
        ["with a vl vector", panel.with_vl.toLocaleString("en")],
        ["without", panel.without_vl.toLocaleString("en")],
        ["read as", panel.role ?? "the role that connects"],
      ]),
      h("h3", {}, "Embedder"), facts([
        ["model", panel.embedder.model ?? "none"],
        ["device", panel.device],
        ["pictures", panel.embedder.reads_images ? "are read" : "are not read"],
        ["state", panel.embedder.loaded ? "loaded" : "not loaded"],
        ["searches", panel.searches ? "yes" : "no: its model is not the serving space’s"],
      ]),
      h("h3", {}, "Last run"), panel.last_run ? facts(Object.entries(panel.last_run).map(plain)) : h("p", { class: "soft" }, "None yet."),
      h("h3", {}, "Failures"), panel.failures.length
        ? facts(panel.failures.map(({ leg, stage, reason, count }) => [`${leg}, ${stage}`, `${plural(count, "font", "fonts")}: ${reason}`]))
        : h("p", { class: "soft" }, "None."));
  } catch (error) {
    replace(server, h("p", { class: "trouble" }, error.message));
  }
}

function facts(pairs) {
  return h("dl", { class: "pairs" }, ...pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function plain([name, value]) {
  const words = name.replaceAll("_", " ");
  if (value === null || typeof value !== "object") {
    const date = typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value) : null;
    if (typeof value === "number") return [words, value.toLocaleString("en", { maximumFractionDigits: 1 })];
    return [words, date ? date.toLocaleString() : value === null ? null : String(value)];
  }
  return [words, Object.entries(value).map(([key, part]) => `${key.replaceAll("_", " ")} ${part}`).join(", ")];
}

function spaces(all) {
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Spaces" }, h("table", {},
    h("thead", {}, h("tr", {}, ...["leg", "model", "dimension", "state", "fonts"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...all.map((space) => h("tr", {},
      h("td", {}, space.leg), h("td", { title: `revision ${space.revision}, space ${space.id}` }, space.model),
      h("td", {}, space.dimension), h("td", {}, space.state), h("td", {}, space.fonts?.toLocaleString("en") ?? "–"))))));
}
