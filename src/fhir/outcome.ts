/**
 * What is wrong, said once: issues as values, and the OperationOutcome they become.
 *
 * Texts name the element and the rule, never a value from the request (CONTRACT.md 9).
 */
import type { OperationOutcome } from '@medplum/fhirtypes'
import { httpErrorCodes } from './systems.ts'

/** FHIR issue-type codes we use. */
export type IssueCode =
  | 'invalid'
  | 'structure'
  | 'required'
  | 'value'
  | 'invariant'
  | 'security'
  | 'login'
  | 'forbidden'
  | 'processing'
  | 'not-supported'
  | 'duplicate'
  | 'not-found'
  | 'deleted'
  | 'too-long'
  | 'too-costly'
  | 'code-invalid'
  | 'business-rule'
  | 'conflict'
  | 'throttled'
  | 'timeout'
  | 'transient'
  | 'exception'
  | 'informational'

export type Issue = {
  code: IssueCode
  /** One plain sentence. */
  text: string
  /** FHIRPath of what is wrong: 'Patient.birthDate', 'Bundle.entry[3].resource.identifier[0].value'. */
  expression?: string
  severity?: 'error' | 'warning' | 'information'
}

/** The code of `http-error-codes` that goes with a status, where BaRS has one (bars-ukcore.md 6). */
const recCodes: Readonly<Record<number, string>> = {
  400: 'REC_BAD_REQUEST',
  401: 'REC_UNAUTHORIZED',
  403: 'REC_FORBIDDEN',
  404: 'REC_NOT_FOUND',
  405: 'REC_METHOD_NOT_ALLOWED',
  406: 'REC_NOT_ACCEPTABLE',
  408: 'REC_TIMEOUT',
  409: 'REC_CONFLICT',
  415: 'REC_UNSUPPORTED_MEDIA_TYPE',
  422: 'REC_UNPROCESSABLE_ENTITY',
  500: 'REC_SERVER_ERROR',
  501: 'REC_NOT_IMPLEMENTED',
  503: 'REC_UNAVAILABLE',
}

/** An OperationOutcome with the BaRS error code of `status`. */
export function outcome(status: number, issues: readonly Issue[]): OperationOutcome {
  const code = recCodes[status]
  return {
    resourceType: 'OperationOutcome',
    issue: issues.map(({ code: issueCode, text, expression, severity = 'error' }) => ({
      severity,
      code: issueCode,
      details: { ...(code ? { coding: [{ system: httpErrorCodes, code }] } : {}), text },
      diagnostics: text,
      ...(expression ? { expression: [expression] } : {}),
    })),
  }
}

/** A caller's mistake (or a state of ours it has to know), on its way to the one `onError`. */
export class Refusal extends Error {
  readonly status: number
  readonly issues: readonly Issue[]
  readonly headers: Readonly<Record<string, string>>
  constructor(status: number, issues: Issue | readonly Issue[], headers: Record<string, string> = {}) {
    const list = Array.isArray(issues) ? (issues as readonly Issue[]) : [issues as Issue]
    super(list.map((issue) => issue.text).join('; '))
    this.status = status
    this.issues = list
    this.headers = headers
  }
}

/** `Refusal` in one line: `refuse(404, 'not-found', 'There is no such resource here.')`. */
export const refuse = (status: number, code: IssueCode, text: string, expression?: string): Refusal =>
  new Refusal(status, { code, text, ...(expression ? { expression } : {}) })
