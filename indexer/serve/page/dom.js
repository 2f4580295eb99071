/** Elements in one call each; nothing is ever parsed as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `on…` properties are listeners, `class`, `aria-…`, `data-…` and the like attributes;
 * null, undefined and false leave an attribute away.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string | number | null | undefined | false)} children
 */
export function h(tag, properties = {}, ...children) {
  return built(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return built(document.createElementNS(SVG, tag), properties, children);
}

function built(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child || child === 0));
  return element;
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return document.getElementById(id);
}

/** Puts children in place of others; what had the focus keeps it where it is still there. */
export function replace(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  parent.replaceChildren(...children.filter(Boolean));
  if (focused && focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

/** Calls `action` once calls have stopped for so long. */
export function settled(milliseconds, action) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), milliseconds);
  };
}

/** A button that copies a text, and says for a moment that it did. */
export function copyButton(text, label, name) {
  const button = h("button", { type: "button", class: "link", "aria-label": `${label} ${name}` }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      button.textContent = "select and copy it"; // without https browsers have no clipboard
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}
