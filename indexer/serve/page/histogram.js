/** How a measurement is spread over the fonts: twenty bars. */

import { svg } from "./dom.js";

const BINS = 20;
const HEIGHT = 20;

/**
 * A picture only: what it says also stands beside it as text.
 * @param {number} [mark] where one font stands, 0 to 1
 */
export function histogram(counts, mark) {
  const bars = Array.from({ length: BINS }, (_, bin) => svg("rect", { x: bin + 0.05, width: 0.9 }));
  const line = mark === undefined ? null : svg("line", {
    class: "mark", x1: mark * BINS, x2: mark * BINS, y1: -4, y2: HEIGHT, "vector-effect": "non-scaling-stroke",
  });
  const picture = svg("svg", {
    class: "histogram", viewBox: `0 -4 ${BINS} ${HEIGHT + 4}`, preserveAspectRatio: "none", "aria-hidden": "true",
  }, ...bars, line);
  fill(picture, counts);
  return picture;
}

/** Other counts in the same bars. Roots, so that a few fonts far out are seen beside hundreds. */
export function fill(picture, counts) {
  const most = Math.max(1, ...counts);
  picture.querySelectorAll("rect").forEach((bar, bin) => {
    const height = counts[bin] ? Math.max(1.5, Math.sqrt(counts[bin] / most) * HEIGHT) : 0.5;
    bar.setAttribute("y", HEIGHT - height);
    bar.setAttribute("height", height);
  });
}

/** Marks the bars between two places, 0 to 1. */
export function choose(picture, from, to) {
  picture.querySelectorAll("rect").forEach((bar, bin) => {
    const middle = (bin + 0.5) / BINS;
    bar.classList.toggle("chosen", middle >= from && middle <= to);
  });
}
