/**
 * The one place where something thrown becomes an answer: an OperationOutcome below /fhir, problem details elsewhere.
 */
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Log } from '../exchange/exchange.ts'
import { type IssueCode, outcome, Refusal, refuse } from '../fhir/outcome.ts'
import { traceOf } from '../log.ts'
import { Conflict } from '../store/database.ts'
import type { Asked } from './context.ts'

export const fhirJson = 'application/fhir+json; charset=utf-8'

export const onError = (log: Log) => (error: Error, c: Asked) => {
  const refusal = refusalOf(error)
  // 501 is a plain answer to who asked for what we do not do.
  if (refusal.status >= 500 && refusal.status !== 501)
    log('error', 'request.failed', {
      status: refusal.status,
      requestId: c.get('requestId'),
      ...(error instanceof Refusal ? {} : traceOf(error)),
    })
  return answerTo(c, refusal)
}

export const notFound = (c: Asked) => answerTo(c, refuse(404, 'not-found', 'There is nothing at this address.'))

function refusalOf(error: Error): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof Conflict) return refuse(409, 'conflict', 'Somebody changed this at the same time: read it again, then repeat.')
  if (error instanceof HTTPException) return refuse(error.status, codes[error.status] ?? 'processing', 'This request can not be answered.')
  return refuse(500, 'exception', 'Something went wrong on our side. Please tell us the X-Request-Id of this answer.')
}

const codes: Readonly<Record<number, IssueCode>> = {
  401: 'login',
  403: 'forbidden',
  404: 'not-found',
  413: 'too-long',
  429: 'throttled',
  500: 'exception',
}

function answerTo(c: Asked, { status, issues, headers }: Refusal): Response {
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
  const below = c.req.path === '/fhir' || c.req.path.startsWith('/fhir/')
  c.header('Content-Type', below ? fhirJson : 'application/problem+json')
  return c.body(JSON.stringify(below ? outcome(status, issues) : problem(status, issues)), status as ContentfulStatusCode)
}

/** @see RFC 9457 */
const problem = (status: number, issues: Refusal['issues']) => ({
  type: 'about:blank',
  title: titles[status] ?? 'Error',
  status,
  detail: issues.map((issue) => issue.text).join(' '),
  ...(issues.some((issue) => issue.expression)
    ? { issues: issues.map(({ code, text, expression }) => ({ code, detail: text, ...(expression ? { expression } : {}) })) }
    : {}),
})

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}
