// Encrypted keystores, in browsers: the module is fetched beside this file when it is first needed.
import * as module from "../keystore/wasm/x402_keystore.js";
import { face } from "./keystore-face.js";

export const { openKeystore, sealKeystore } = face(module, () => new URL("../keystore/wasm/x402_keystore_bg.wasm", import.meta.url));
