/** The address's own search, on its way before the rest of the page is here. */

import { isEmpty, listBody, request } from "./request.js";
import { state } from "./state.js";

const asked = isEmpty() || state.view === "side" ? null : request(listBody());
let answer = asked && fetch("/search", asked);
answer?.catch(() => {}); // whoever takes it hears of it

/** The answer, where just this was asked for; once. */
export function early(path, { body } = {}) {
  if (!answer || path !== "/search" || body !== asked.body) return null;
  const taken = answer;
  answer = null;
  return taken;
}
