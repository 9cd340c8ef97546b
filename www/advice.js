// What a person can do about an error. The sentence itself is the package's; this adds the next step.

const next = {
  payer_over_cap: "Raise your limit if the price is right for you, then try again.",
  payer_over_budget: "Wait until the window has moved on, raise the budget, or begin again.",
  payer_above_max_price: "It asks for more than is listed. Hold it to your limits alone if that is right for you.",
  payer_quote_changed: "See the offer again, and pay the new one if it is right for you.",
  payer_nothing_acceptable: "See the offer: it says of each choice why it was refused.",
  payer_wallet_rejected: "You said no in your wallet. Try again whenever you like.",
  payer_wallet_failed: "Open your wallet and see what it says: it may be locked, or on another chain.",
  payer_wallet_mismatch: "Choose the account in your wallet that is shown here, and try again.",
  payer_invalid_options: "Correct the limit: it looks like $0.10.",
  payer_insecure_url: "Only https and this machine itself are paid.",
  payer_redirected: "Fetch the address that the answer came from, if you trust it.",
  payer_network_fault: "See whether the local world still runs, then try again.",
  payer_store_failed: "Allow this page to keep data in your browser, then try again.",
  payer_log_broken: "What was changed stays to be seen. Where payments are refused for it, begin a new book.",
  payer_store_broken: "Verify the log below, and begin a new book if you are its owner.",
  payer_body_not_replayable: "Send the body as text or bytes.",
};

const general = "Nothing you typed is lost. Try again, or see the offer first.";

/** One sentence about what to do next. */
export const advice = (code) => next[code] ?? general;

/**
 * An error as the page shows it: the code, a sentence, and what to do. Wallets throw what they like, so that every
 * part may be missing.
 */
export function told(error) {
  if (error?.name === "AbortError") return { code: "aborted", sentence: "You stopped it", next: general };
  const known = typeof error?.code === "string";
  const message = typeof error?.message === "string" && error.message !== "" ? error.message : "The request failed.";
  const sentence = message.slice(0, 400);
  return {
    code: known ? error.code : "failed",
    sentence: sentence.charAt(0).toUpperCase() + sentence.slice(1),
    next: advice(error?.code),
  };
}
