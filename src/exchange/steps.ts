/**
 * The journey as the door knows it: one function for each thing that can be asked.
 */
import type { Request } from '../access/caller.ts'
import { outcome, Refusal, refuse } from '../fhir/outcome.ts'
import { validate } from '../fhir/validate.ts'
import { allocateWorker } from './allocate.ts'
import type { Steps } from './ask.ts'
import { transact } from './bundle.ts'
import { closeReferral } from './close.ts'
import type { Answer, Exchange } from './exchange.ts'
import { dryRun, whoWasTold, why } from './explain.ts'
import { extendSupport } from './extend.ts'
import { merge } from './merge.ts'
import { processMessage } from './message.ts'
import { notSame } from './not-same.ts'
import { override, reviewOverride } from './override.ts'
import { doubtfulNumbers, wrongNumbers } from './patient.ts'
import { readHistory, readOne, readOneVersion, searchFor } from './reading.ts'
import { write } from './receive.ts'
import { everything } from './subject-access.ts'
import { triageReferral } from './triage.ts'
import { unmerge } from './unmerge.ts'

export const stepsOf = (exchange: Exchange): Steps => ({
  read: (request, type, id) => readOne(exchange, request, type, id),
  vread: (request, type, id, version) => readOneVersion(exchange, request, type, id, version),
  history: (request, type, id) => readHistory(exchange, request, type, id),
  search: (request, type, params) => searchFor(exchange, request, type, params),
  write: (request, interaction) => write(exchange, request, interaction),
  transact: (request, bundle) => transact(exchange, request, bundle),
  processMessage: (request, bundle) => processMessage(exchange, request, bundle),
  operation: (request, name, target, input) => operation(exchange, request, name, target, input),
})

async function operation(
  exchange: Exchange,
  request: Request,
  name: string,
  target: { type: string; id?: string },
  input: { params: URLSearchParams; body?: unknown },
): Promise<Answer> {
  const asked = `${target.type} $${name}`
  if (name === 'validate') return check(target.type, input.body)
  if (asked === 'Patient $merge') return merge(exchange, request, target.id, input.body)
  if (target.id !== undefined) {
    if (asked === 'Task $why') return why(exchange, request, target.id, input.params.get('item') ?? itemIn(input.body))
    if (asked === 'Patient $who-was-told') return whoWasTold(exchange, request, target.id)
    if (asked === 'Patient $everything') return everything(exchange, request, target.id, input.params)
    if (asked === 'Patient $override') return override(exchange, request, target.id, input.body)
    if (asked === 'Patient $override-review') return reviewOverride(exchange, request, target.id, input.body)
    if (asked === 'Patient $unmerge') return unmerge(exchange, request, target.id, input.body)
    if (asked === 'Patient $not-same') return notSame(exchange, request, target.id, input.body)
    if (asked === 'ServiceRequest $triage') return triageReferral(exchange, request, target.id, input.body)
    if (asked === 'ServiceRequest $allocate') return allocateWorker(exchange, request, target.id, input.body)
    if (asked === 'ServiceRequest $extend') return extendSupport(exchange, request, target.id, input.body)
    if (asked === 'ServiceRequest $close') return closeReferral(exchange, request, target.id, input.body)
    if (asked === 'CarePlan $handover') {
      if (input.params.get('dryRun') === 'true' || dryRunIn(input.body)) return dryRun(exchange, request, target.id)
      throw refuse(
        501,
        'not-supported',
        'Handovers follow from the plan by themselves. Ask with dryRun=true what each partner would be told.',
      )
    }
  }
  throw refuse(404, 'not-supported', 'There is no such operation here.')
}

const dryRunIn = (body: unknown): boolean =>
  ((body as { parameter?: { name?: string; valueBoolean?: boolean }[] } | undefined)?.parameter ?? []).some(
    (one) => one?.name === 'dryRun' && one.valueBoolean === true,
  )

const itemIn = (body: unknown): string | undefined => {
  const { parameter } = (body ?? {}) as { parameter?: { name?: string; valueString?: string; valueReference?: { reference?: string } }[] }
  const item = Array.isArray(parameter) ? parameter.find((one) => one?.name === 'item') : undefined
  return item?.valueString ?? item?.valueReference?.reference
}

/** $validate: every issue, or that there is none; always 200, as FHIR has it. */
function check(type: string, body: unknown): Answer {
  const given = body as { resourceType?: string; parameter?: { name?: string; resource?: unknown }[] } | undefined
  const resource = given?.resourceType === 'Parameters' ? given.parameter?.find((one) => one?.name === 'resource')?.resource : body
  if (resource === undefined) throw new Refusal(400, { code: 'required', text: 'Send the resource to be checked.' })
  const checked = validate(resource)
  if ('issues' in checked) return { status: 200, body: outcome(200, checked.issues) }
  if (type !== '' && checked.resource.resourceType !== type) {
    return { status: 200, body: outcome(200, [{ code: 'invalid', text: 'The resource is of another type than the address says.' }]) }
  }
  const at = checked.resource.resourceType
  const issues = [...wrongNumbers(checked.resource, at), ...doubtfulNumbers(checked.resource, at)]
  return {
    status: 200,
    body: outcome(200, issues.length ? issues : [{ code: 'informational', severity: 'information', text: 'No faults were found.' }]),
  }
}
