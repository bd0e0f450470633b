/**
 * The gateway on Cloudflare Workers. Not there yet: it answers 503.
 */
export default {
  fetch: (): Response => new Response(null, { status: 503 }),
}
