/** Text set in a font by the server: an image whose room is kept whatever it holds. */

import { h } from "./dom.js";

const STEP = 6; // sizes that are asked for, so that they are found in caches

/**
 * An image as high as its line at a size; a longer text is drawn smaller, on the same baseline.
 * @param {{ id: string, name: string }} font
 * @param {{ text: string, size: number, soon?: boolean }} setting
 */
export function specimen(font, setting) {
  const image = h("img", {
    class: "specimen",
    loading: setting.soon ? "eager" : "lazy",
    decoding: "async",
    draggable: "false",
    onerror: () => fail(image),
    onload: () => image.classList.remove("missing"),
  });
  draw(image, font, setting);
  return image;
}

/** Tries once more, then shows what it would have shown as plain text. */
function fail(image) {
  const source = image.getAttribute("src");
  if (image.dataset.failed === source) {
    image.classList.add("missing");
    return;
  }
  image.dataset.failed = source;
  setTimeout(() => image.getAttribute("src") === source && image.setAttribute("src", source), 1000);
}

/** The same image with another text or size; the old one stays until the new one is there. */
export function draw(image, font, { text, size }) {
  const shown = text.trim() || font.name;
  const source = address(font.id, shown, size);
  image.style.setProperty("--size", size);
  image.setAttribute("alt", shown === font.name ? font.name : `${shown}, set in ${font.name}`);
  if (image.getAttribute("src") !== source) image.setAttribute("src", source);
}

function address(id, text, size) {
  const scale = Math.min(3, Math.max(1, Math.ceil(devicePixelRatio)));
  const drawn = Math.ceil(size / STEP) * STEP;
  return `/fonts/${encodeURIComponent(id)}/text?${new URLSearchParams({ text, size: drawn, scale })}`;
}

/** The glyph sheet. */
export function sheet(font) {
  return h("img", {
    class: "glyphs",
    src: `/fonts/${encodeURIComponent(font.id)}/sheet`,
    width: 1024,
    height: 512,
    alt: `Letters, figures and signs of ${font.name}`,
    decoding: "async",
  });
}
