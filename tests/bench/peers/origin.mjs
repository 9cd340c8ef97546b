// The origin behind our gate: the body the peer's handler answers, from a Worker in the same workerd.
export default {
  fetch: () => new Response('{"quote":"bench"}', { headers: { "content-type": "application/json" } }),
};
