// The commands, each loaded when it is called.
export const commands = {
  fetch: () => import("./fetch.js"),
  inspect: () => import("./inspect.js"),
  wallet: () => import("./wallet.js"),
  audit: () => import("./audit.js"),
};
