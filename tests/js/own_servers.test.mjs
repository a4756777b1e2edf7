import assert from "node:assert/strict";
import { test } from "node:test";

/** What the browser keeps. */
const kept = new Map();
globalThis.localStorage = /** @type {any} */ ({ getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) });

const { addOwn, ownServers, removeOwn, serverFields, withOwn } = await import("../../static/js/setup/own_servers.js");
const { state, update } = await import("../../static/js/state.js");

const MINE = { name: "Mine", address: "gpu-box:8500", protocol: "grpc", price_per_hour: 0.5 };
const config = (whyNot = null) => ({ add_servers: { why_not: whyNot, most: 2, protocols: ["grpc"], model: "m", signature: "s" } });
const apps = () => ({ backends: [{ name: "1 CPU", state: "ready" }], model: {}, detail: "" });

function begin(servers = []) {
  kept.clear();
  if (servers.length) kept.set("pixelcost.servers", JSON.stringify(servers));
  update({ config: config(), plan: { backend_names: null }, backends: null });
  update({ backends: withOwn(apps()) });
}

test("a server of this browser stands after the app's backends and is sent with runs that ask it", () => {
  begin();
  addOwn(MINE, { ...MINE, state: "ready", detail: "Ready.", added_as: MINE.address });
  assert.deepEqual(state.backends.backends.map(({ name, state: how }) => [name, how]), [["1 CPU", "ready"], ["Mine", "ready"]]);
  assert.deepEqual(JSON.parse(serverFields(null).servers), [MINE]);
  assert.deepEqual(JSON.parse(serverFields(["Mine"]).servers), [MINE]);
  assert.deepEqual(serverFields(["1 CPU"]), {});
});

test("a server from last time is not called ready before it was tested", () => {
  begin([{ ...MINE, name: "Old" }]);
  const { state: how, added_as: place } = state.backends.backends[1];
  assert.deepEqual([how, place], ["unknown", "gpu-box:8500"]);
});

test("a removed server is in no plan any more", () => {
  begin([MINE]);
  update({ plan: { backend_names: ["Mine"] } });
  removeOwn("Mine");
  assert.equal(state.plan.backend_names, null);
  assert.deepEqual(state.backends.backends.map(({ name }) => name), ["1 CPU"]);
  assert.deepEqual(ownServers(), []);
});

test("where the administrator does not allow it, nothing is shown or sent, and nothing is forgotten", () => {
  begin([MINE]);
  update({ config: config("Off."), backends: null });
  update({ backends: withOwn(apps()) });
  assert.deepEqual(state.backends.backends.length, 1);
  assert.deepEqual(serverFields(null), {});
  assert.ok(kept.get("pixelcost.servers").includes("Mine"));
});

test("an app's backend of the same name hides it, and what was kept in a wrong form is left out", () => {
  begin([{ ...MINE, name: "1 CPU" }, null, 5, { name: "without an address" }]);
  assert.equal(state.backends.backends.length, 1);
  assert.deepEqual(serverFields(null), {});
});
