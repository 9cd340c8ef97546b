// A wasm module and its plain functions: loaded once, at once where that is possible, and failing with X402Error only.
import { guarded, X402Error } from "./error.js";

/**
 * @param core the module's glue
 * @param {{now?: () => BufferSource | WebAssembly.Module, later?: () => unknown}} source the module's bytes at once, or
 *   something that `fetch` finds them at
 */
export function loading(core, { now, later }) {
  let loaded = false;
  let waiting;

  const loadNow = (module) => {
    core.initSync({ module });
    loaded = true;
  };

  /** Loads the module. Needed before the plain functions where it cannot be read at once: in browsers. */
  const init = (source) => {
    if (loaded) return Promise.resolve();
    if (source === undefined && now) return Promise.resolve().then(() => loaded || loadNow(now()));
    waiting ??= core.default({ module_or_path: source ?? later() }).then(
      () => {
        loaded = true;
      },
      (cause) => {
        waiting = undefined; // the next call may find the network better
        throw new X402Error("payer_not_loaded", "the module could not be loaded", true, {}, cause);
      },
    );
    return waiting;
  };

  const plain = (name) => (...values) => {
    if (!loaded) {
      if (!now) throw new X402Error("payer_not_loaded", "the module is not loaded yet: await init() first", true);
      loadNow(now());
    }
    return guarded(() => core[name](...values));
  };

  return { init, plain };
}
