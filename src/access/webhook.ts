/**
 * Signed webhooks (standard-webhooks): who sends signs `id.timestamp.body` with a secret of its own, and says when.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** By the name of the source: its secrets, more than one while they are being changed. */
export type WebhookSecrets = ReadonlyMap<string, readonly Uint8Array[]>
export type Signed = { id: string; timestamp: string; signature: string; body: Uint8Array }

/** Older ones may be somebody's copy, newer ones come from a clock that is wrong. */
const toleranceMs = 5 * 60_000

/**
 * @param now real time, also where the exchange's clock is manual
 * @returns the name of the source whose secret signed it; undefined: nobody we know, or not now
 */
export function signedBy(secrets: WebhookSecrets, { id, timestamp, signature, body }: Signed, now: number): string | undefined {
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp) * 1000) > toleranceMs) return undefined
  if (!/^[\w.:/-]{1,200}$/.test(id) || signature.length > 2_000) return undefined
  const given = signature.split(' ').flatMap((one) => (one.startsWith('v1,') ? [Buffer.from(one.slice(3), 'base64')] : []))
  const said = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body])
  for (const [source, keys] of secrets)
    for (const key of keys) {
      const right = createHmac('sha256', key).update(said).digest()
      if (given.some((one) => one.length === right.length && timingSafeEqual(one, right))) return source
    }
  return undefined
}

/**
 * `hmpps=whsec_...` with commas between; a source named twice has two secrets.
 *
 * @returns undefined when it is not written like that
 */
export function readWebhookSecrets(text: string): WebhookSecrets | undefined {
  const secrets = new Map<string, Uint8Array[]>()
  for (const one of text.split(',')) {
    const [, name, base64] = /^\s*([a-z0-9-]{1,40})=(?:whsec_)?([A-Za-z0-9+/]{32,}={0,2})\s*$/.exec(one) ?? []
    if (!name || !base64) return undefined
    secrets.set(name, [...(secrets.get(name) ?? []), Buffer.from(base64, 'base64')])
  }
  return secrets
}
