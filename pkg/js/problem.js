// Errors of the core for what goes wrong where it cannot see it.
import * as core from "../wasm/x402_wasm.js";
import { guarded } from "./error.js";

/** An error of the core, by its code. */
export function problem(code, detail = "", more = {}) {
  const error = guarded(() => core.problem(code, detail));
  if ("cause" in more) Object.defineProperty(error, "cause", { value: more.cause, configurable: true, writable: true });
  return Object.assign(error, { details: more.details ?? {} });
}
