import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { problemFrom } from "../../static/js/api.js";
import { follow, waitBefore } from "../../static/js/run/events.js";
import { pixelRefusal, refusal, sniff } from "../../static/js/setup/photo.js";

test("the server's own words reach the person", () => {
  const body = JSON.stringify({ title: "The queue is full.", detail: "Try again in about 40 s." });
  const problem = problemFrom(429, "application/problem+json", body);
  assert.deepEqual([problem.title, problem.detail, problem.status],
    ["The queue is full.", "Try again in about 40 s.", 429]);
});

test("a proxy's refusal is told as what it is", () => {
  assert.match(problemFrom(413, "text/html", "<html>").title, /proxy/);
  assert.match(problemFrom(502, "text/html", "<html>").title, /our side/);
  assert.match(problemFrom(500, "application/json", "{broken").title, /our side/);
});

const LIMITS = { max_bytes: 20_000_000, max_pixels: 50_000_000 };
const READS = ["jpeg", "png", "webp", "gif", "bmp"];
const bytesOf = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

test("a file is known by its first bytes, not by its name", () => {
  assert.equal(sniff(bytesOf("\xff\xd8\xff\xe0____________")), "jpeg");
  assert.equal(sniff(bytesOf("\x89PNG\r\n\x1a\n________")), "png");
  assert.equal(sniff(bytesOf("RIFF____WEBPVP8 ")), "webp");
  assert.equal(sniff(bytesOf("____ftypheic____")), "heic");
  assert.equal(sniff(bytesOf("\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf")), "avif");
  assert.equal(sniff(bytesOf("\0\0\0\x18ftypmif1\0\0\0\0mif1heic____avif")), "heic");
  assert.equal(sniff(bytesOf("\0\0\0\x14ftypmif1\0\0\0\0mif1")), "heif");
  assert.equal(sniff(bytesOf("\0\0\0\x18ftypisom\0\0\0\0mp42isom")), "");
  assert.equal(sniff(bytesOf("\x89PNG\r\n\x1a\n\0\0\0\x04CgBI")), "cgbi");
  assert.deepEqual(["\xff\x0a__________", "\0\0\0\x0cJXL \r\n\x87\n", "II*\0________"].map((text) => sniff(bytesOf(text))), ["jxl", "jxl", "tiff"]);
  assert.equal(sniff(bytesOf("%PDF-1.7________")), "");
});

test("a file that can't be used says why and what to do", () => {
  assert.equal(refusal("notes.pdf", 10, "", LIMITS, READS).title, "notes.pdf is not a photo we can read.");
  assert.equal(refusal("notes.pdf", 10, "", LIMITS, READS).detail, "Use JPEG, PNG, WebP, AVIF, GIF or BMP.");
  assert.match(refusal("IMG.HEIC", 10, "heic", LIMITS, READS).detail, /Export it as JPEG/);
  assert.equal(refusal("a.avif", 10, "avif", LIMITS, READS).title, "a.avif is an AVIF file.");
  assert.match(refusal("a.png", 10, "cgbi", LIMITS, READS).title, /^a.png is a PNG as Xcode writes it/);
  assert.equal(refusal("a.png", 38_000_000, "png", LIMITS, READS).title, "This photo is 38 MB; the limit is 20 MB.");
  assert.equal(refusal("a.png", 0, "", LIMITS, READS).title, "a.png is empty.");
  assert.equal(refusal("a.avif", 10, "avif", LIMITS, [...READS, "avif"]), null);
  assert.equal(refusal("a.heif", 10, "heif", LIMITS, [...READS, "heic"]), null);
  assert.deepEqual([refusal("a.jxl", 10, "jxl", LIMITS, READS).unread, refusal("a.png", 0, "", LIMITS, READS).unread], [true, undefined]);
  assert.equal(refusal("a.png", 10, "png", LIMITS, READS), null);
  assert.equal(pixelRefusal(10_000, 6_100, LIMITS).title, "This photo is 61 MP; the limit is 50 MP.");
  assert.equal(pixelRefusal(10_000, 5_000, LIMITS), null);
});

class FakeSource {
  static made = [];

  constructor(url) {
    this.url = url;
    this.listeners = {};
    FakeSource.made.push(this);
  }

  addEventListener(name, listener) {
    this.listeners[name] = listener;
  }

  send(name, id, data) {
    this.listeners[name]({ lastEventId: id, data: JSON.stringify(data) });
  }

  close() {
    this.closed = true;
  }
}

beforeEach(() => {
  FakeSource.made = [];
  globalThis.EventSource = FakeSource;
  globalThis.window = globalThis;
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

const seen = () => ({ events: [], lost: [], back: 0 });
const handlersOf = (log) => ({
  onEvent: (name, data) => log.events.push([name, data]),
  onLost: (attempt) => log.lost.push(attempt),
  onBack: () => { log.back += 1; },
});

test("a lost connection is taken up after the last event that came", () => {
  const log = seen();
  follow("r1", handlersOf(log));
  FakeSource.made[0].send("progress", "7", { done: 1 });
  FakeSource.made[0].onerror();
  mock.timers.tick(waitBefore(1));
  assert.equal(FakeSource.made[1].url, "/api/runs/r1/events?last_event_id=7");
  FakeSource.made[1].onopen();
  assert.deepEqual([log.events.length, log.lost, log.back], [1, [1], 1]);
});

test("photos of a set and steps of a search count as seen, whatever the page makes of them", () => {
  for (const name of ["photo", "step", "finding"]) {
    follow("r1", handlersOf(seen()));
    const source = FakeSource.made.at(-1);
    source.send(name, "12", {});
    source.onerror();
    mock.timers.tick(waitBefore(1));
    assert.equal(FakeSource.made.at(-1).url, "/api/runs/r1/events?last_event_id=12");
  }
});

test("it tries again ever more slowly, but never gives up", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 9].map(waitBefore), [1000, 2000, 4000, 8000, 8000, 8000]);
});

test("after the end nothing is asked again", () => {
  const log = seen();
  follow("r1", handlersOf(log));
  FakeSource.made[0].send("end", "9", { state: "done" });
  FakeSource.made[0].onerror();
  mock.timers.tick(60_000);
  assert.equal(FakeSource.made.length, 1);
  assert.ok(FakeSource.made[0].closed);
});

test("a person in a hurry can try at once", () => {
  const log = seen();
  const stream = follow("r1", handlersOf(log));
  FakeSource.made[0].onerror();
  stream.retryNow();
  assert.equal(FakeSource.made.length, 2);
  mock.timers.tick(60_000);
  assert.equal(FakeSource.made.length, 2);
});
