/** Ties the page's parts to the state: what changes, and who shows it. */

import { byId, settled } from "./dom.js";
import { showFilters, startFilters } from "./filters.js";
import { startPanel } from "./panel.js";
import { showPicture, startPicture } from "./picture.js";
import { isBrowsing } from "./request.js";
import { drawSpecimens, firstDrawn, resizeSpecimens, search, showRowStates, showWaiting } from "./results.js";
import { ask, change, PAGE, state, subscribe } from "./state.js";
import { showComparison, showTray, startComparison } from "./tray.js";

const TYPING = 150; // ms without a key
const SEARCHED = ["q", "like", "picture", "alpha", "view", "filter", "siblings", "all", "rows"];

const [query, blend, text, size] = ["query", "blend", "text", "size"].map(byId);

function showControls() {
  if (document.activeElement !== query) query.value = state.q;
  if (document.activeElement !== text) text.value = state.text;
  size.value = state.size;
  byId("pixels").textContent = `${state.size} px`;
  document.documentElement.style.setProperty("--size", state.size);
  const alpha = { looks: 0, words: 1 }[state.view] ?? state.alpha;
  if (alpha !== null) blend.value = 1 - alpha;
  blend.disabled = isBrowsing();
  blend.setAttribute("aria-valuetext", `${Math.round(blend.value * 100)}% how it looks`);
  for (const radio of byId("views").querySelectorAll("input")) radio.checked = radio.value === state.view;
  byId("views").disabled = isBrowsing();
  document.title = state.q ? `${state.q} – fontsight` : "fontsight";
}

subscribe((changed, moving) => {
  const any = (...keys) => keys.some((key) => changed.has(key));
  showControls();
  if (any(...SEARCHED)) search(moving);
  if (any("filter")) showFilters(moving);
  if (any("picture")) showPicture();
  if (any("size")) resizeSpecimens();
  if (any("text", "size")) drawSoon();
  if (any("open", "pins")) showRowStates();
  if (any("pins", "q", "like", "filter", "view", "alpha")) showTray();
  if (any("compare")) showComparison();
});

const drawSoon = settled(TYPING, drawSpecimens);

query.addEventListener("input", settled(TYPING, () => ask({ q: query.value, like: "", all: false })));
byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (query.value !== state.q) ask({ q: query.value, like: "", all: false });
});
text.addEventListener("input", () => change({ text: text.value }));
size.addEventListener("input", () => change({ size: Number(size.value) }));
byId("views").addEventListener("change", (event) => ask({ view: event.target.value }));
blend.addEventListener("input", () => {
  const view = state.view === "side" ? "side" : "fused";
  change({ alpha: Number((1 - blend.value).toFixed(2)), view, rows: PAGE }, true);
});

addEventListener("keydown", (event) => {
  const writing = event.target.closest("input:not([type=range], [type=checkbox], [type=radio]), textarea, dialog");
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    query.focus();
    query.select();
  }
});

// chips may take a second line: the filters begin below it
new ResizeObserver(([head]) => {
  document.documentElement.style.setProperty("--head", `${head.borderBoxSize[0].blockSize}px`);
}).observe(document.querySelector(".top"));

const found = search(); // the fonts first: the rest waits until one is seen
showControls();
showWaiting();
startPanel();
startComparison();
await found;
await firstDrawn();
await startFilters();
showTray();
showComparison();
startPicture();
