/** The one error of this package. `code` is for programs, `message` for people; neither holds a secret. */
export class X402Error extends Error {
  constructor(code, message, retryable = false, details = undefined, cause = undefined) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = retryable;
    this.details = details ?? {};
  }
}
Object.defineProperty(X402Error.prototype, "name", { value: "X402Error", configurable: true, writable: true });

/** Runs a call into wasm. What else than our error comes out is a fault of the module, and no riddle for the caller. */
export function guarded(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof X402Error) throw error;
    throw new X402Error("payer_internal", "the payer's module failed, or what was called had been freed");
  }
}
