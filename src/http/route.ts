/**
 * Routes that know their methods: any other is answered 405 with `Allow`.
 */
import type { Hono } from 'hono'
import { Refusal } from '../fhir/outcome.ts'
import type { Asked, Door } from './context.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export type Handler = (c: Asked) => Response | Promise<Response>

export function route(app: Hono<Door>, path: string, handlers: Partial<Record<Method, Handler>>) {
  const methods = Object.keys(handlers)
  for (const method of methods) app.on(method, path, handlers[method as Method] as Handler)
  app.all(path, () => {
    throw methodNotAllowed(methods)
  })
}

export const methodNotAllowed = (allow: readonly string[]) =>
  new Refusal(405, { code: 'not-supported', text: `This address answers ${allow.join(', ')} only.` }, { Allow: allow.join(', ') })
