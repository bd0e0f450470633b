/**
 * What needs no token: is it well, how busy is it, what can it do, and the hands of a manual clock.
 */
import type { Hono } from 'hono'
import { definitionTypes } from '../../profiles/index.ts'
import { destination } from '../clock.ts'
import { isLoopback } from '../config.ts'
import { capability } from '../fhir/capability.ts'
import { refuse } from '../fhir/outcome.ts'
import { callerOf } from './authenticate.ts'
import { jsonOf } from './body.ts'
import type { Asked, Door, Hall } from './context.ts'
import { acceptable } from './fhir.ts'
import { operations, operationsOf, processMessage } from './operations.ts'
import { reply } from './reply.ts'
import { route } from './route.ts'

export function plainRoutes(app: Hono<Door>, hall: Hall) {
  const { exchange, settings, metrics, tokens } = hall
  const isLocal = (c: Asked) => isLoopback(settings.peer?.(c) ?? '')

  route(app, '/health', {
    GET: async (c) => {
      const reason = settings.stopping?.() ? 'it is being stopped' : await exchange.database.health()
      return reason === undefined ? c.json({ status: 'ok' }) : c.json({ status: 'unavailable', reasons: [reason] }, 503)
    },
  })

  route(app, '/metrics', {
    GET: async (c) => {
      if (!isLocal(c) && (await callerOf(c, tokens))?.role !== 'service')
        throw refuse(403, 'forbidden', 'Metrics are for this machine, or for the token of a service.')
      return c.body(await metrics.text(), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' })
    },
  })

  const statement = capability({
    publicUrl: exchange.publicUrl,
    date: new Date().toISOString(),
    types: settings.types,
    readOnly: settings.readOnly ?? [],
    terminology: definitionTypes,
    searchParameters: settings.searchParameters,
    operationsOf: (type) => operationsOf(type).map(([name, { definition }]) => ({ name, definition })),
    systemOperations: [
      processMessage,
      ...Object.entries(operations).flatMap(([name, { levels, definition }]) => (levels.includes('system') ? [{ name, definition }] : [])),
    ],
  })
  app.use('/fhir/metadata', acceptable)
  route(app, '/fhir/metadata', { GET: (c) => reply(c, { status: 200, body: statement }, exchange.publicUrl) })

  const { turn } = settings
  if (!turn) return
  let turning: Promise<unknown> = Promise.resolve()
  route(app, '/clock', {
    POST: async (c) => {
      if (!isLocal(c)) throw refuse(403, 'forbidden', 'The clock is turned from this machine only.')
      const move = await jsonOf(c.req)
      // One hand at the clock at a time.
      const turned = turning.then(async () => {
        const to = destination(exchange.now(), move)
        await turn(to)
        return to
      })
      turning = turned.catch(() => undefined)
      return c.json({ clock: (await turned).toISOString() })
    },
  })
}
