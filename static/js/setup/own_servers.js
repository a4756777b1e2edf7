/**
 * Servers that were added in this browser: kept here, sent with its runs, and shown among the backends.
 * The app keeps no list of them and checks them again at every run.
 *
 * @import { Backend, Backends, OwnServer } from "../types.js"
 */

import { testServer } from "../api.js";
import { memory, state, update } from "../state.js";

const ASK_AGAIN_MS = 5000;
const NOT_TESTED = "Not tested since this page was opened.";

/** Name -> the server as last tested, since the page was opened. @type {Record<string, Backend>} */
const tested = {};

/** As they were added; none where the administrator does not allow it. @returns {OwnServer[]} */
export function ownServers(config = state.config) {
  if (!config || config.add_servers.why_not) return [];
  const saved = memory.get("servers");
  return (Array.isArray(saved) ? saved : []).filter((server) => server?.name && server.address).slice(0, config.add_servers.most);
}

/** The app's backends, and those of this browser after them. @param {Backends} known @returns {Backends} */
export function withOwn(known) {
  const others = known.backends.filter((backend) => !backend.added_as);
  const names = others.map((backend) => backend.name);
  const own = ownServers().filter((server) => !names.includes(server.name));
  return { ...known, backends: [...others, ...own.map((server) => tested[server.name] || untested(server))] };
}

/** The fields of a run that asks the backends of these names (null: all): its own servers. @param {?string[]} names @returns {Record<string, string>} */
export function serverFields(names) {
  const shown = (state.backends?.backends || []).filter((backend) => backend.added_as).map((backend) => backend.name);
  const sent = ownServers().filter(({ name }) => shown.includes(name) && (!names || names.includes(name)));
  return sent.length ? { servers: JSON.stringify(sent) } : {};
}

/** @param {OwnServer} server @param {Backend} seen as it was tested just now */
export function addOwn(server, seen) {
  tested[server.name] = seen;
  memory.set("servers", [...ownServers().filter(({ name }) => name !== server.name), server]);
  redraw();
}

/** @param {string} name */
export function removeOwn(name) {
  delete tested[name];
  memory.set("servers", ownServers().filter((server) => server.name !== name));
  const chosen = state.plan.backend_names?.filter((other) => other !== name) ?? null;
  update({ plan: { ...state.plan, backend_names: chosen?.length ? chosen : null } });
  redraw();
}

/** Tests all of them; again after a while if one loads its model or a run was in the way. */
export async function testOwn() {
  let again = false;
  for (const server of ownServers()) {
    try {
      tested[server.name] = await testServer(server);
      again ||= tested[server.name].state === "loading";
    } catch (problem) {
      if (problem.code === "run_measures") again = true;
      else tested[server.name] = { ...untested(server), state: "down", detail: problem.detail || problem.title };
    }
  }
  if (ownServers().length) redraw();
  if (again) setTimeout(() => document.hidden || testOwn(), ASK_AGAIN_MS);
}

/** @param {OwnServer} server @returns {Backend} */
function untested(server) {
  return /** @type {Backend} */ ({
    protocol: "grpc", embedded: false, version: null, device: "unknown", cpus: null, cores: null, price_per_hour: null, ...server,
    added_as: server.address, state: "unknown", detail: NOT_TESTED,
  });
}

function redraw() {
  if (state.backends) update({ backends: withOwn(state.backends) });
}
