/** Numbers and names as people read them. */

// label, what it is called where it is small and where it is large, how far it is from small by nature
const TRAITS = {
  contrast: ["contrast", "low", "high"],
  x_height: ["x-height", "small", "large"],
  width: ["width", "narrow", "wide"],
  weight: ["weight", "light", "heavy"],
  slant: ["slant", "upright", "slanted"],
  spacing: ["spacing", "tight", "loose"],
  serifs: ["serifs", "none", "long"],
  terminal_roundness: ["roundness", "square", "round"],
  ascender: ["ascenders", "short", "tall"],
  descender: ["descenders", "short", "long"],
  o_proportion: ["width of o", "narrow", "wide"],
  stress: ["stress", "reversed", "leaning"],
  ink: ["ink", "pale", "dark"],
  advance_spread: ["uneven widths", "monospaced", "varied"],
  serif_weight: ["serif thickness", "hairline", "slab"],
  squareness: ["squareness", "round", "square"],
  aperture: ["apertures", "closed", "open"],
  a_storeys: ["storeys of a", "one", "two"],
  g_storeys: ["storeys of g", "one", "two"],
  joined: ["joined letters", "none", "many"],
  unicase: ["like capitals", "hardly", "much"],
  distinct: ["told apart", "hardly", "well"],
  oldstyle_figures: ["old-style figures", "lining", "old-style"],
};
/** Shown first, in this order. */
export const MAIN_TRAITS = [
  "contrast", "x_height", "width", "weight", "slant", "spacing", "serifs", "terminal_roundness",
];
const NOUGHT = { slant: 2.5, serifs: 0.02, terminal_roundness: 0.02, joined: 0.02, oldstyle_figures: 0.05 };
const UNITS = { degrees: "°" };

export function label(trait) {
  return TRAITS[trait]?.[0] ?? trait.replaceAll("_", " ");
}

/** Where a font stands among all, in words. @param {number} percentile 0 to 1 @param {number} value */
export function standing(trait, percentile, value) {
  const [, low, high] = TRAITS[trait] ?? ["", "little", "much"];
  if (trait.endsWith("_storeys")) return "";
  if (Math.abs(value) < (NOUGHT[trait] ?? 0)) return low; // so are most, which would make it middling
  if (percentile < 0.3) return percentile < 0.1 && ["low", "small", "narrow", "light", "tight"].includes(low) ? `very ${low}` : low;
  if (percentile > 0.7) return percentile > 0.9 ? `very ${high}` : high;
  return "middling";
}

/** "high" of "high contrast", where contrast is said already. */
export function withoutLabel(word, trait) {
  return word.replace(label(trait), "").trim();
}

/** .86, 1.12, −.05, 12°. */
export function figure(value, unit = "") {
  if (unit === "count") return String(Math.round(value));
  const digits = unit === "degrees" ? value.toFixed(0) : value.toFixed(2);
  const bare = digits.replace(/^(-?)0\./, "$1.").replace("-", "−");
  return (bare === "−0" || bare === "−.00" ? bare.slice(1) : bare) + (UNITS[unit] ?? "");
}

/** "any", "≥ .55", "≤ .66", ".55 – .66". @param {[number | null, number | null]} range */
export function span([low, high], unit = "") {
  if (low !== null && high !== null) return `${figure(low, unit)} – ${figure(high, unit)}`;
  if (low !== null) return `≥ ${figure(low, unit)}`;
  return high !== null ? `≤ ${figure(high, unit)}` : "any";
}

/** "1 style", "12 styles", "2 axes · 18 styles". */
export function styleLine(styles) {
  if (!styles) return "";
  const count = (styles.weights?.length ?? 0) * (styles.italic ? 2 : 1);
  const axes = styles.axes?.length;
  return [axes && plural(axes, "axis", "axes"), count && plural(count, "style", "styles")].filter(Boolean).join(" · ");
}

export function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** Milliseconds: "0.4 ms", "12 ms". */
export function milliseconds(value) {
  return `${value < 1 ? value.toFixed(1) : Math.round(value)} ms`;
}
