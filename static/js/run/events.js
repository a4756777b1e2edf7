/** Follows the events of a run, across lost connections: nothing is missed, nothing comes twice. */

import { base, reportPath } from "../api.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 8000;
// Every kind that the server sends (webapp/runs/recorder.py), also those that the page does not use: after one that is not
// listed here a reconnect would begin too early.
const NAMES = ["state", "source", "variant", "progress", "measurement", "photo", "step", "finding", "loop", "trial", "curve", "end"];

/** How long to wait before the given attempt, the first being 1. Doubles up to a limit. */
export function waitBefore(attempt) {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
}

/**
 * @param {string} id of the run
 * @param {{onEvent: (name: string, data: any) => void, onLost: (attempt: number) => void,
 *          onBack: () => void}} handlers
 * @returns {{close: () => void, retryNow: () => void}}
 */
export function follow(id, handlers) {
  let source = null;
  let lastId = "";
  let attempt = 0;
  let timer = 0;
  let ended = false;

  function open() {
    clearTimeout(timer);
    source?.close();
    // Our own reconnecting, not the browser's: it also survives a proxy's 502, and can say what it does.
    source = new EventSource(`${base}${reportPath(id)}/events${lastId ? `?last_event_id=${lastId}` : ""}`);
    source.onopen = onOpen;
    source.onerror = onError;
    for (const name of NAMES) source.addEventListener(name, (event) => onEvent(name, event));
  }

  function onOpen() {
    if (attempt) handlers.onBack();
    attempt = 0;
  }

  function onError() {
    source.close();
    if (ended) return;
    attempt += 1;
    handlers.onLost(attempt);
    timer = window.setTimeout(open, waitBefore(attempt));
  }

  function onEvent(name, event) {
    lastId = event.lastEventId || lastId;
    if (name === "end") close();
    handlers.onEvent(name, JSON.parse(event.data));
  }

  function close() {
    ended = true;
    clearTimeout(timer);
    source?.close();
  }

  open();
  return { close, retryNow: open };
}
