// A Worker that does nothing: what a workerd start costs whoever runs in it.
export default { fetch: () => new Response("{}", { status: 402 }) };
