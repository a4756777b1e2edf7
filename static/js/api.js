/**
 * The wire: every address of the app and every request that the page makes.
 * Addresses are built from <html data-base>, so the page works under any path.
 */

export const base = typeof document === "undefined" ? "" : document.documentElement.dataset.base || "";

/** The server said no, or nothing came back. Carries what a person should read. */
export class Problem extends Error {
  /** @param {{title: string, detail?: string, status?: number, type?: string, code?: string, reference?: string, fields?: Record<string, string>}} body */
  constructor(body) {
    super(body.title);
    this.title = body.title;
    this.detail = body.detail || "";
    this.status = body.status || 0; // 0: no answer at all
    this.type = body.type || "";
    this.code = body.code || "";
    this.reference = body.reference || "";
    this.fields = body.fields || {}; // a sentence for each that was wrong
  }
}

/** What went wrong as one text, whatever was thrown. @param {any} problem */
export const problemText = (problem) => `${problem.title || problem} ${problem.detail || ""}`.trim();

/** The same in the parts of a notice. @param {any} problem */
export const problemParts = (problem) =>
  ({ title: problem.title || String(problem), detail: problem.detail || "", reference: problem.reference || "" });

const NO_ANSWER = {
  title: "No answer from the Pixelcost server.",
  detail: "Is it still running? Your photo and settings are kept; try again in a moment.",
};
const CRASHED = {
  title: "Something went wrong on our side.",
  detail: "Your settings are kept. Try again; if it happens again, the server's log says why.",
};
const REFUSED_BY_PROXY = {
  title: "A proxy in front of this app refuses bodies this large.",
  detail: "Raise its limit (nginx: client_max_body_size), or use a smaller photo.",
};

/**
 * The Problem behind an answer that is not 2xx: its problem+json, or honest words
 * where something between us and the app answered.
 * @param {number} status @param {string} contentType @param {string} text
 */
export function problemFrom(status, contentType, text) {
  if (contentType.includes("json")) {
    try {
      const body = JSON.parse(text);
      if (body.title) return new Problem({ ...body, status });
    } catch {
      // Not what it claims to be: treated like any other stranger's answer.
    }
  }
  if (status === 413) return new Problem({ ...REFUSED_BY_PROXY, status });
  if (status >= 500) return new Problem({ ...CRASHED, status });
  return new Problem({ title: `The server answered ${status}.`, detail: text.slice(0, 200), status });
}

/** Whether the page was opened by a read-only link: then nothing goes out that would start, change or remove a run. */
export const isReadOnly = () => typeof location !== "undefined" && new URLSearchParams(location.search).get("read") === "only";

const READ_ONLY = {
  title: "This link is read-only.", detail: "Open the run without it to measure, add or remove something.", type: "read_only",
};

/** The good answer of one of our addresses. Throws Problem. @param {string} path @param {RequestInit} [options] */
export async function getAnswer(path, options) {
  if (isReadOnly() && options?.method) throw new Problem(READ_ONLY);
  let answer;
  try {
    answer = await fetch(base + path, options);
  } catch {
    throw new Problem(NO_ANSWER);
  }
  if (answer.ok) return answer;
  throw problemFrom(answer.status, answer.headers.get("content-type") || "", await answer.text());
}

/** JSON of one of our addresses. Throws Problem. @param {string} path @param {RequestInit} [options] */
async function getJson(path, options) {
  const text = await (await getAnswer(path, options)).text();
  return text ? JSON.parse(text) : null;
}

/** Whether a run, or a follow-up, in this state still goes on. @param {string} state */
export const isLive = (state) => ["queued", "running"].includes(state);

export const runPath = (id) => `/runs/${encodeURIComponent(id)}`;
export const reportPath = (id) => `/api${runPath(id)}`;
export const variantPath = (id, variantId) => `${reportPath(id)}/variants/${encodeURIComponent(variantId)}`;

/** @returns {Promise<import("./types.js").Config>} */
export const getConfig = () => getJson("/api/config");
/** @returns {Promise<import("./types.js").Backends>} */
export const getBackends = (refresh) => getJson(`/api/backends${refresh ? "?refresh=1" : ""}`);
/** @param {string} [goals] goalsQuery() @returns {Promise<import("./types.js").Report>} */
export const getReport = (id, goals) => getJson(reportPath(id) + (goals ? `?${goals}` : ""));
/** By name. @returns {Promise<Record<string, import("./types.js").Figure>>} */
export const getFigures = (id, query) => getJson(`${reportPath(id)}/figures?${query}`);
/** @param {string} query of choices.js */
export const getDeciding = (id, query) => getJson(`${reportPath(id)}/deciding?${query}`);
export const getCompared = (id, otherId, theme, goals = "") =>
  getJson(`${reportPath(id)}/compare?${new URLSearchParams({ with: otherId, theme })}&${goals}`);
/** A page of a set's photos, worst first. @param {Record<string, string|number>} asked @returns {Promise<import("./types.js").SetPhotos>} */
export const getPhotos = (id, asked) => getJson(`${reportPath(id)}/photos?${filled(asked)}`);
/** A page of a set's classes. @param {Record<string, string|number>} asked @returns {Promise<import("./types.js").SetClasses>} */
export const getClasses = (id, asked) => getJson(`${reportPath(id)}/classes?${filled(asked)}`);
/** As a query, without what is empty. */
const filled = (asked) => new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== "").map(([key, value]) => [key, String(value)]));
export const getRuns = (query = "") => getJson(`/api/runs${query}`);
/** Cancels a run that goes on, removes one that has ended. */
export const deleteRun = (id) => getJson(reportPath(id), { method: "DELETE" });

export const getVariantFigures = (id, variantId, theme) => getJson(`${variantPath(id, variantId)}/figures?theme=${theme}`);
export const seenPath = (id, variantId, backend) => `${variantPath(id, variantId)}/seen.png?backend=${encodeURIComponent(backend)}`;
export const copyPath = (id, kind, variantId, backend) =>
  `${reportPath(id)}/copy/${kind}?${new URLSearchParams({ variant: variantId, backend })}`;

/** The whole run as a command. @param {"curl" | "python" | "cli"} kind @param {string} goals goalsQuery() */
export const getAgain = async (id, kind, goals) =>
  (await getAnswer(`${reportPath(id)}/again/${kind}${goals && `?${goals}`}`)).text();

const sendJson = (path, body) => getJson(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
});
/** A server of one's own as it answers now. @param {import("./types.js").OwnServer} server @returns {Promise<import("./types.js").Backend>} */
export const testServer = (server) => sendJson("/api/backends/test", server);
/** @returns {Promise<{models: import("./types.js").Model[], why_not: string | null, most: number}>} */
export const getModels = () => getJson("/api/models");
const modelPath = (name) => `/api/models/${encodeURIComponent(name)}`;
/** Serves a model of the catalogue as a further backend. @param {string} name @param {{cpus: number, download: boolean}} how */
export const startModel = (name, how) => sendJson(`${modelPath(name)}/start`, how);
export const stopModel = (name) => sendJson(`${modelPath(name)}/stop`, {});
/** Brings back an exported report. @param {File} file */
export function postReport(file) {
  const body = new FormData();
  body.append("file", file, file.name);
  return getJson("/api/runs/import", { method: "POST", body });
}
/** Follow-ups of a finished run; each answers with the id and events of what begins. */
export const addRepeats = (id, repeats) => sendJson(`${reportPath(id)}/repeats`, { repeats });
export const retryCells = (id, backendName, timeoutS) =>
  sendJson(`${reportPath(id)}/retry`, { backend_name: backendName, timeout_s: timeoutS });
export const findBreakingPoint = (id) => sendJson(`${reportPath(id)}/breaking-point`, {});
/** @param {object} order what the server's default does not say: {} takes all of it */
export const putUnderLoad = (id, order) => sendJson(`${reportPath(id)}/load`, order);
export const getFollowUps = (id) => getJson(`${reportPath(id)}/follow-ups`);

/**
 * Sends photos and their plan. XMLHttpRequest, because fetch can't report how much was sent.
 * @param {[string, Blob, string][]} parts field, bytes and name of each @param {object} plan @param {?string} trueLabel
 * @param {(sentBytes: number, totalBytes: number) => void} onSent
 * @param {Record<string, string>} [fields] that go with variants made here
 * @returns {{answer: Promise<any>, abort: () => void}}
 */
export function postRun(parts, plan, trueLabel, onSent, fields = {}) {
  if (isReadOnly()) throw new Problem(READ_ONLY);
  const isMany = parts.length > 1 || /\.zip$/i.test(parts[0][2]);
  const query = fields.variants ? "?variants=browser" : isMany ? "?photos=many" : "";
  const body = new FormData();
  body.append("plan", JSON.stringify(plan));
  if (trueLabel) body.append("true_label", trueLabel);
  for (const [field, text] of Object.entries(fields)) body.append(field, text);
  for (const [field, content, name] of parts) body.append(field, content, name);
  const request = new XMLHttpRequest();
  request.open("POST", `${base}/api/runs${query}`);
  request.setRequestHeader("Accept", "application/json");
  request.upload.onprogress = (event) => onSent(event.loaded, event.total);
  const answer = new Promise((resolve, reject) => {
    request.onload = () => settle(request, resolve, reject);
    request.onerror = () => reject(new Problem(NO_ANSWER));
    request.onabort = () => reject(new Problem({ title: "The upload was stopped.", type: "stopped" }));
  });
  request.send(body);
  return { answer, abort: () => request.abort() };
}

/** @param {XMLHttpRequest} request */
function settle(request, resolve, reject) {
  const contentType = request.getResponseHeader("content-type") || "";
  if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
  else reject(problemFrom(request.status, contentType, request.responseText));
}
