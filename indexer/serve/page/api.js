/** The server's answers, and its refusals as sentences. */

import { askForKey } from "./key.js";
import { request } from "./request.js";

/** What the server refuses, or that it does not answer (status 0). */
export class Refusal extends Error {
  constructor(message, status, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * Raises Refusal, or the signal's AbortError. Where the server wants a key, it is asked for first.
 * @param {string} path
 * @param {{ body?: object, signal?: AbortSignal }} [options] with a body it is a POST
 */
export async function call(path, { body, signal } = {}) {
  const asked = body === undefined ? {} : request(body);
  const response = await reached(path, { ...asked, signal });
  if (response.status === 429) {
    await pause(Number(response.headers.get("Retry-After") ?? 1), signal);
    return call(path, { body, signal });
  }
  if (response.status === 401) {
    await askForKey();
    return call(path, { body, signal });
  }
  if (!response.ok) throw await refusal(response);
  return response.json();
}

/** Once more where the connection broke: networks change while people walk about. */
async function reached(path, asked, again = true) {
  try {
    return await fetch(path, asked);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (!again) throw new Refusal("The server does not answer. Is it still running?", 0);
    await pause(0.25, asked.signal);
    return reached(path, asked, false);
  }
}

/** The server is busy, and says for how long. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, Math.min(seconds, 10) * 1000);
    signal?.addEventListener("abort", () => reject(signal.reason));
  });
}

async function refusal(response) {
  const sentence = `The server answers with an error (${response.status}).`;
  try {
    const { error } = await response.json();
    return new Refusal(error?.message ?? sentence, response.status, error?.code);
  } catch {
    return new Refusal(sentence, response.status);
  }
}

const fonts = new Map();

/** A font's own record, with percentiles and how to install it; asked for once. */
export function fontRecord(id) {
  if (!fonts.has(id)) {
    const answer = call(`/fonts/${encodeURIComponent(id)}`);
    answer.catch(() => fonts.delete(id));
    fonts.set(id, answer);
  }
  return fonts.get(id);
}

/**
 * The newest call wins. `now` gives up the call before it; `next` waits for that one and then makes
 * only the newest, so that a slider that moves faster than the server still shows something.
 */
export class Newest {
  #running = null;
  #waiting = null;

  now(task) {
    this.#running?.abort();
    this.#waiting = null;
    return this.#start(task);
  }

  next(task) {
    if (!this.#running) return this.#start(task);
    this.#waiting = task;
    return undefined;
  }

  async #start(task) {
    const controller = new AbortController();
    this.#running = controller;
    try {
      await task(controller.signal);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      if (this.#running === controller) {
        this.#running = null;
        const waiting = this.#waiting;
        this.#waiting = null;
        if (waiting) this.#start(waiting);
      }
    }
  }
}
