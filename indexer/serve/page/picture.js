/** Search by a picture of letters: dropped, pasted or chosen, where the embedder reads pictures. */

import { byId, h, replace } from "./dom.js";
import { panelFacts } from "./panel.js";
import { ask, state } from "./state.js";

const SIDE = 1024; // pixels; more than an embedder looks at
const READERS = "Qwen3-VL";

let reads = false;
let trouble = "";

export async function startPicture() {
  try {
    reads = (await panelFacts()).embedder.reads_images;
  } catch {
    reads = false; // the panel tells why
  }
  showPicture();
  addEventListener("dragover", (event) => carriesFile(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    const file = event.clipboardData.files[0];
    if (file) take(file);
  });
}

export function showPicture() {
  const input = h("input", { type: "file", accept: "image/*", class: "unseen", id: "picture-file", onchange: () => take(input.files[0]) });
  const place = byId("picture");
  place.classList.toggle("off", !reads);
  if (state.picture) {
    replace(place, h("img", { src: state.picture, alt: "The picture that is searched for" }),
      h("button", { type: "button", class: "link", "aria-label": "Remove the picture", onclick: () => ask({ picture: null }) }, "remove"));
  } else if (reads) {
    replace(place, input, h("label", { for: "picture-file" }, trouble || "drop a picture of letters"));
  } else {
    replace(place, h("span", { title: `This server's embedder reads words only. ${READERS} reads pictures, and so does measured-traits.` },
      trouble || `pictures need ${READERS}`));
  }
}

function carriesFile(event) {
  return event.dataTransfer?.types.includes("Files");
}

async function take(file) {
  if (!file) return;
  trouble = "";
  if (!reads) trouble = `not searched: pictures need ${READERS}`;
  else {
    try {
      ask({ picture: await small(file), like: "", all: false });
      return;
    } catch {
      trouble = "that is no picture";
    }
  }
  showPicture();
}

/** As a data URL, no larger than an embedder looks at. */
async function small(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = h("canvas", { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // under letters on nothing
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}
