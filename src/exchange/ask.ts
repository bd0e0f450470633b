/**
 * What the door asks of the house: the journey's steps, one for each FHIR interaction. The door has already checked who is
 * calling, the scope, the size and form of what came, and the resource type; a step answers, or throws a `Refusal`.
 *
 * A step keeps the promise about repeats: when `request.requestIdGiven`, the same id from the same client gets the first answer.
 */
import type { Request } from '../access/caller.ts'
import type { Answer } from './exchange.ts'

export type Write = {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  type: string
  id?: string
  /** A resource of this type (POST, PUT), or a JSON Patch (PATCH), not yet validated beyond that. */
  body?: unknown
  /** The version id that If-Match names, without W/ and quotes. */
  ifMatch?: string
  /** The query of If-None-Exist, without a question mark. */
  ifNoneExist?: string
}

export type Steps = {
  read(request: Request, type: string, id: string): Promise<Answer>
  vread(request: Request, type: string, id: string, version: string): Promise<Answer>
  history(request: Request, type: string, id: string, params: URLSearchParams): Promise<Answer>
  /** `params` never holds `_format` or `_pretty`. */
  search(request: Request, type: string, params: URLSearchParams): Promise<Answer>
  write(request: Request, write: Write): Promise<Answer>
  /** A Bundle, transaction or batch. The door has checked the scopes of a transaction; a batch's entries each need their own check. */
  transact(request: Request, bundle: unknown): Promise<Answer>
  processMessage(request: Request, bundle: unknown): Promise<Answer>
  operation(
    request: Request,
    name: string,
    target: { type: string; id?: string },
    input: { params: URLSearchParams; body?: unknown },
    method: 'GET' | 'POST',
  ): Promise<Answer>
}
