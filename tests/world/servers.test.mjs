// The two small servers of the local world: the origin behind the gate, and the page server.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { hits } from "../support/world.mjs";

/** Starts one of the support scripts and answers the address it prints. */
async function start(script, ...args) {
  const path = fileURLToPath(new URL(`../support/${script}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  return { url: Object.values(JSON.parse(line))[0], stop: () => child.kill() };
}

describe("the origin", () => {
  let origin;
  before(async () => (origin = await start("origin.mjs")));
  after(() => origin.stop());
  const get = (path, init) => fetch(new URL(path, origin.url), init);

  test("answers what the demo sells, and counts it", async () => {
    const before = await hits(origin.url);
    assert.equal((await (await get("/free")).json()).free, true);
    const { price, hour } = await (await get("/quote")).json();
    assert.ok(hour.low <= hour.mean && hour.mean <= hour.high && price > 0);
    assert.match(await (await get("/article")).text(), /<article>/);
    assert.equal((await get("/fails")).status, 500);
    assert.equal((await get("/nothing")).status, 404);
    const counted = await hits(origin.url);
    for (const path of ["/free", "/quote", "/article", "/fails", "/nothing"]) {
      assert.equal(counted[path], (before[path] ?? 0) + 1, path);
    }
  });

  test("returns a report byte for byte under its own content type", async () => {
    const body = crypto.getRandomValues(new Uint8Array(50_000));
    const response = await get("/report", { method: "POST", body, headers: { "content-type": "application/x-report" } });
    assert.equal(response.headers.get("content-type"), "application/x-report");
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), body);
  });

  test("streams its pieces while it makes them", async () => {
    const { body } = await get("/stream");
    const arrivals = [];
    let text = "";
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      arrivals.push(performance.now());
      text += chunk;
    }
    const pieces = text.trim().split("\n").map((line) => JSON.parse(line).piece);
    assert.deepEqual(pieces, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.ok(arrivals.length > 1 && arrivals.at(-1) - arrivals[0] > 1000, "the pieces came at once");
  });
});

describe("the page server", () => {
  let page, directory;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "x402-page-"));
    for (const name of ["www", "pkg", "pkg/wasm", "other"]) mkdirSync(join(directory, name));
    const files = {
      "www/index.html": "<p>page</p>",
      "www/page.css": "p {}",
      "www/.hidden": "hidden",
      "pkg/index.mjs": "export {}",
      "pkg/wasm/module.wasm": "\0asm",
      "other/secret.txt": "secret",
      "world.json": "{}",
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    symlinkSync(join(directory, "other"), join(directory, "www/out"));
    page = await start("static.mjs", "--root", join(directory, "www"), "--pkg", join(directory, "pkg"), "--world", join(directory, "world.json"));
  });
  after(() => {
    page.stop();
    rmSync(directory, { recursive: true });
  });

  /** A request whose path leaves as it is written: fetch would tidy it up. */
  const ask = (path, method = "GET") =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(page.url);
      request({ hostname, port, path, method }, (response) => {
        response.setEncoding("latin1");
        let body = "";
        response.on("data", (text) => (body += text));
        response.on("end", () => resolve({ status: response.statusCode, type: response.headers["content-type"], body }));
      })
        .on("error", reject)
        .end();
    });

  for (const [path, type] of [
    ["/", "text/html; charset=utf-8"],
    ["/page.css", "text/css; charset=utf-8"],
    ["/pkg/index.mjs", "text/javascript; charset=utf-8"],
    ["/pkg/wasm/module.wasm", "application/wasm"],
    ["/world.json", "application/json; charset=utf-8"],
  ]) {
    test(`serves ${path} as ${type}`, async () => {
      const { status, type: got } = await ask(path);
      assert.deepEqual([status, got], [200, type]);
    });
  }

  for (const path of ["/.hidden", "/../other/secret.txt", "/%2e%2e/other/secret.txt", "/..%2fother%2fsecret.txt", "/out/secret.txt", "/pkg/../www/.hidden", "/%00", "/%", "//other", "/nothing", "/pkg/"]) {
    test(`has nothing at ${path}`, async () => {
      const { status, body } = await ask(path);
      assert.equal(status, 404, body);
    });
  }

  test("reads only", async () => {
    assert.equal((await ask("/", "POST")).status, 405);
    assert.deepEqual(await ask("/page.css", "HEAD"), { status: 200, type: "text/css; charset=utf-8", body: "" });
  });
});
