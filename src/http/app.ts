/**
 * The door: authenticated, well-formed, of bearable size, and with an id. Everything behind it may trust that.
 */
import { Hono } from 'hono'
import { createTokens } from '../access/tokens.ts'
import { authenticate } from './authenticate.ts'
import type { Door, Hall, Parts } from './context.ts'
import { notFound, onError } from './errors.ts'
import { eventRoutes } from './events.ts'
import { fhirRoutes } from './fhir.ts'
import { createLimit } from './limit.ts'
import { createMetrics } from './metrics.ts'
import { oauthRoutes } from './oauth.ts'
import { outermost, wellFormedIds } from './outermost.ts'
import { plainRoutes } from './plain.ts'

/** Whoever has no token yet: a tenth of what a client may ask for, from each address. */
const strangersPerSecond = (rateLimit: number) => Math.max(1, rateLimit / 10)
const strangersAtOnce = (rateLimit: number) => Math.max(20, rateLimit / 5)

/** Routes of other audiences (console, events) are added to what this returns. */
export function createApp(parts: Parts): Hono<Door> {
  const { exchange, settings, clients } = parts
  const hall: Hall = {
    ...parts,
    tokens: createTokens({ masterKey: settings.masterKey, publicUrl: exchange.publicUrl, clients, directory: exchange.directory }),
    metrics: settings.metrics ?? createMetrics(),
    clientLimit: createLimit(settings.rateLimit),
    peerLimit: createLimit(strangersPerSecond(settings.rateLimit), strangersAtOnce(settings.rateLimit)),
  }
  const app = new Hono<Door>({ strict: false })
  app.onError(onError(exchange.log))
  app.notFound(notFound)
  app.use(outermost(hall), wellFormedIds)
  plainRoutes(app, hall)
  oauthRoutes(app, hall)
  eventRoutes(app, hall)
  app.use('/fhir/*', authenticate(hall))
  fhirRoutes(app, hall)
  return app
}
