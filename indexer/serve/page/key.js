/** Asks for a key once; the server keeps it in a cookie that scripts cannot read. */

import { byId, h, replace } from "./dom.js";

let asking = null;

/** Resolves when the server took the key. */
export function askForKey() {
  asking ??= new Promise((resolve) => show(resolve)).finally(() => { asking = null; });
  return asking;
}

function show(accepted) {
  const dialog = byId("key");
  const key = h("input", { id: "key-field", type: "password", required: true, autocomplete: "current-password" });
  const trouble = h("p", { role: "alert", class: "trouble" });
  const send = async (event) => {
    event.preventDefault();
    trouble.textContent = "";
    const answer = await fetch("/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key: key.value }),
    }).catch(() => null);
    if (answer?.ok) {
      dialog.close();
      accepted();
    } else {
      trouble.textContent = answer?.status === 401
        ? "That is not one of this server’s keys."
        : "The server does not answer. Try again.";
      key.select();
    }
  };
  replace(
    dialog,
    h("form", { onsubmit: send },
      h("h2", { id: "key-title" }, "This server asks for a key"),
      h("p", {}, "Whoever runs it set it in FONTSIGHT_SERVE_KEYS. It is asked for once."),
      h("label", { for: "key-field" }, "Key"),
      key,
      trouble,
      h("button", { type: "submit", class: "solid" }, "Open")),
  );
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
}
