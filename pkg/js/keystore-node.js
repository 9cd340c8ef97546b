// Encrypted keystores, in Node, Deno and Bun: the module is read from disk when it is first needed.
import { readFile } from "node:fs/promises";

import * as module from "../keystore/wasm/x402_keystore.js";
import { face } from "./keystore-face.js";

export const { openKeystore, sealKeystore } = face(module, () => readFile(new URL("../keystore/wasm/x402_keystore_bg.wasm", import.meta.url)));
