// Prints what each file weighs, raw and compressed as a host would: weigh.mjs <file>… → [{ raw, gzip, brotli }, …].
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const weigh = (bytes) => ({
  raw: bytes.length,
  gzip: gzipSync(bytes, { level: 9 }).length,
  brotli: brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  }).length,
});

console.log(JSON.stringify(process.argv.slice(2).map((file) => weigh(readFileSync(file)))));
