// The local world's page server: www/ at /, the built package at /pkg/, the world's description at /world.json.
//
//   node static.mjs --root DIR --pkg DIR --world FILE [--port N]   prints {"page":"http://127.0.0.1:PORT"}
//
// Files only, below the two directories only, never cached, so that a reload shows what was just built.
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    root: { type: "string" },
    pkg: { type: "string" },
    world: { type: "string" },
    port: { type: "string", default: "0" },
  },
});

const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml; charset=utf-8",
  ".ts": "text/plain; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** The file a path names, or undefined: outside the directory, hidden, or not there. */
async function find(pathname) {
  if (pathname === "/world.json") return { path: values.world };
  const inPackage = pathname.startsWith("/pkg/");
  const directory = await realpath(inPackage ? values.pkg : values.root);
  const name = decodeURIComponent(inPackage ? pathname.slice("/pkg".length) : pathname);
  const parts = name.split("/").filter(Boolean);
  if (parts.some((part) => part.startsWith(".") || part === "node_modules" || part.includes("\0"))) return undefined;
  let path = join(directory, ...parts);
  if ((await stat(path)).isDirectory()) path = join(path, "index.html");
  path = await realpath(path);
  return path.startsWith(directory + sep) ? { path } : undefined;
}

async function answer(request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  const found = await find(request.url.split("?", 1)[0]).catch(() => undefined);
  const size = found && (await stat(found.path).catch(() => undefined))?.size;
  if (size === undefined) {
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("not found\n");
    return;
  }
  response.writeHead(200, {
    "content-type": types[extname(found.path)] ?? "application/octet-stream",
    "content-length": size,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  if (request.method === "HEAD") response.end();
  else createReadStream(found.path).pipe(response);
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.writeHead(500).end());
});

server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(JSON.stringify({ page: `http://127.0.0.1:${server.address().port}` }));
});
