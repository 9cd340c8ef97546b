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
