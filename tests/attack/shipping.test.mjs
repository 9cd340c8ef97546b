// What is shipped, read as it is: the settings under which a gate could be gone around, and the parts that it is made of.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const GATE = ["worker/index.mjs", "worker/build/x402_gate.js", "worker/wrangler.jsonc"];

/** JSON with comments, without them; no string in these files holds what looks like one. */
const settings = (path) => JSON.parse(read(path).replace(/^\s*\/\/.*$/gm, "").replace(/,(\s*[}\]])/g, "$1"));

test("S-027 nothing in what is shipped lets a request pass when the gate fails", () => {
  for (const file of GATE) assert.ok(!/pass.?through|"fail_open"/i.test(read(file)), file);
});

test("S-016 S-026 nothing is served beside the gate: no asset before it, no address but its owner's", () => {
  const { assets, site, workers_dev, preview_urls, main, routes } = settings("worker/wrangler.jsonc");
  assert.deepEqual({ assets, site, workers_dev, preview_urls, main, routes }, { assets: undefined, site: undefined, workers_dev: false, preview_urls: false, main: "index.mjs", routes: undefined });
  // An entry that asked for assets by itself would go around the same rule.
  for (const file of GATE.slice(0, 2)) assert.ok(!/\bASSETS\b|getAssetFromKV/.test(read(file)), file);
});

test("S-341 every part has one version and one content, and none runs anything when it is installed", () => {
  const { dependencies, optionalDependencies } = JSON.parse(read("tests/package.json"));
  for (const [name, version] of Object.entries({ ...dependencies, ...optionalDependencies })) {
    assert.match(version, /^(npm:[\w@/-]+@)?\d+\.\d+\.\d+$|^file:\.\.\/pkg$/, name);
  }
  const { packages } = JSON.parse(read("tests/package-lock.json"));
  const others = Object.entries(packages).filter(([path, { link }]) => path.startsWith("node_modules/") && !link);
  assert.ok(others.length > 100);
  for (const [path, { integrity }] of others) assert.match(integrity ?? "none", /^sha512-/, path);
  assert.match(read("tests/.npmrc"), /^ignore-scripts=true$/m);
  assert.match(read("xtask/src/tools.rs"), /\["ci", /);
  // The crates: of one registry, with a checksum each, and a build takes no others.
  const crates = read("Cargo.lock").split("[[package]]").slice(1);
  const strange = crates.filter((text) => text.includes("source = "));
  assert.ok(strange.length > 100);
  for (const text of strange) assert.match(text, /source = "registry\+https:\/\/github\.com\/rust-lang\/crates\.io-index"\nchecksum = "[0-9a-f]{64}"/);
  assert.deepEqual(crates.filter((text) => !text.includes("source = ")).map((text) => /name = "([\w-]+)"/.exec(text)[1]).sort(), ["x402-core", "x402-gate", "x402-keystore", "x402-wasm", "xtask"]);
  assert.match(read("xtask/src/build.rs"), /"build", "--quiet", "--locked"/);
  // Who installs the package gets nobody else's code with it, and runs none.
  const shipped = JSON.parse(read("pkg/package.json"));
  for (const key of ["dependencies", "optionalDependencies", "peerDependencies", "scripts"]) assert.equal(shipped[key], undefined, key);
  assert.deepEqual(shipped.bin, { "x402-wasm": "js/cli/main.js" }, "what is run is run by name");
});
