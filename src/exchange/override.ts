/**
 * `Patient/{id}/$override` and `$override-review`: an override is recorded, takes effect at once in an emergency or when a second
 * person has agreed, and is looked at by a second person in any case. Never changes a consent.
 *
 * Only for clients the directory names (`"override": true`).
 *
 * @see domain/override.ts for the rule
 */
import type { Bundle, Parameters } from '@medplum/fhirtypes'
import { v7 as newId } from 'uuid'
import type { Request } from '../access/caller.ts'
import { acts, isAnother, legalBases, type Override, reviewBy, span, standing } from '../domain/override.ts'
import { type Issue, Refusal, refuse } from '../fhir/outcome.ts'
import { Conflict, type Statement } from '../store/database.ts'
import { documentOf, keepDocument, overridesOf, recordOverride, reviewOverride as recordReview } from '../store/overrides.ts'
import { readResource } from '../store/resources.ts'
import { amend } from './amend.ts'
import type { Change } from './change.ts'
import { consider } from './consider.ts'
import type { Answer, Exchange } from './exchange.ts'
import { fingerprintOf, once } from './once.ts'
import { handOver } from './override-document.ts'
import { overrideSaid, reviewSaid } from './override-said.ts'
import { pathOf } from './parameters.ts'

export async function override(exchange: Exchange, request: Request, patient: string, body: unknown): Promise<Answer> {
  await mustBeOurs(exchange, request, patient)
  const said = overrideSaid(body)
  const print = () => fingerprintOf('$override', patient, body)
  const work = (inbox: (answer: Answer) => Statement[]) =>
    act(exchange, request, patient, inbox, (change) => {
      const { situation } = change
      const recorded = { ...said, id: newId(), patient, service: situation.service.id, recordedAt: situation.now.toISOString() }
      mustBeTellable(change, recorded)
      situation.overrides.push(recorded)
      auditOf(change, 'override', recorded)
      const document = given(change, recorded)
      return { recorded, document, statements: [recordOverride(recorded), ...kept(recorded, document)] }
    })
  return once(exchange, request, print, work, (first) => again(exchange, patient, first))
}

export async function reviewOverride(exchange: Exchange, request: Request, patient: string, body: unknown): Promise<Answer> {
  await mustBeOurs(exchange, request, patient)
  const { override: id, approved, by, note } = reviewSaid(body)
  const print = () => fingerprintOf('$override-review', patient, body)
  const work = (inbox: (answer: Answer) => Statement[]) =>
    act(exchange, request, patient, inbox, (change) => {
      const { overrides, now } = change.situation
      const at = overrides.findIndex((one) => one.id === id)
      const open = overrides[at]
      if (!open) throw refuse(404, 'not-found', 'There is no such override of this person.', pathOf('override'))
      if (open.review) throw refuse(409, 'conflict', 'A second person has looked at this override already.', pathOf('override'))
      if (!isAnother(open.decidedBy, by))
        throw refuse(422, 'business-rule', 'Whoever decided does not look at it again: a second person has to.', pathOf('by'))
      if (!open.emergency && standing(open, now) === 'expired')
        throw refuse(409, 'conflict', 'Nobody looked at it in time, so it never took effect. Record a new one.', pathOf('override'))
      const review = { at: now.toISOString(), by, approved, ...(note ? { note } : {}) }
      const recorded = { ...open, review }
      overrides[at] = recorded
      auditOf(change, 'override-review', recorded)
      // In an emergency the document was given when it was decided.
      const document = open.emergency ? undefined : given(change, recorded)
      return { recorded, document, statements: [recordReview(open, review), ...kept(recorded, document)] }
    })
  return once(exchange, request, print, work, (first) => again(exchange, patient, first))
}

type Acted = { recorded: Override; document: Bundle | undefined; statements: Statement[] }

async function act(
  exchange: Exchange,
  request: Request,
  patient: string,
  inbox: (answer: Answer) => Statement[],
  change: (under: Change) => Acted,
): Promise<Answer> {
  const answer = ({ recorded, document }: Acted) => answerFor(recorded, exchange.now(), document)
  try {
    const acted = await amend(exchange, patient, { who: request.caller.client, requestId: request.requestId }, change, (done) => [
      ...done.statements,
      ...inbox(answer(done)),
    ])
    if (!acted) throw unknown()
    return answer(acted)
  } catch (error) {
    if (error instanceof Conflict && error.what === 'review')
      throw refuse(409, 'conflict', 'A second person has looked at this override already.', pathOf('override'))
    throw error
  }
}

const unknown = () => refuse(404, 'not-found', 'There is no such Patient here.', 'Patient')

async function mustBeOurs(exchange: Exchange, { caller }: Request, patient: string): Promise<void> {
  if (caller.role !== 'service' || !caller.mayOverride)
    throw refuse(403, 'forbidden', 'This client may not override. Whoever keeps the directory grants it to a client by name.')
  if (!(await readResource(exchange.database, caller.shelf, 'Patient', patient))?.body) throw unknown()
}

/** @throws Refusal 422 naming every item and recipient that nothing can be done with */
function mustBeTellable({ situation }: Change, { recipient, items }: Override): void {
  const issues: Issue[] = items.refs.flatMap((ref) =>
    situation.record.has(ref)
      ? []
      : [{ code: 'not-found', text: 'An item is not in the record of this person.', expression: pathOf('item') } as const],
  )
  const planned = 'partner' in recipient && consider(situation).partners.some(({ partner }) => partner.id === recipient.partner)
  if ('partner' in recipient && !planned)
    issues.push({
      code: 'business-rule',
      text: 'The plan asks this partner for nothing. Give it an activity, or name it as an organisation outside and hand the document over.',
      expression: pathOf('recipient'),
    })
  if (issues.length) throw new Refusal(422, issues)
}

/** The document for somebody outside, once it may be given. */
const given = (change: Change, recorded: Override): Bundle | undefined =>
  'organisation' in recorded.recipient && acts(recorded, change.situation.now) ? handOver(change, recorded) : undefined

const kept = (recorded: Override, document: Bundle | undefined): Statement[] =>
  document ? [keepDocument(recorded, JSON.stringify(document))] : []

function auditOf(change: Change, action: 'override' | 'override-review', one: Override): void {
  const { basis, recipient, items, hours, emergency, consentSought, informed, review } = one
  change.audit({
    action,
    entity: `Override/${one.id}`,
    basis: `Override/${one.id}`,
    detail: JSON.stringify({
      legalBasis: basis,
      purposeOfUse: legalBases[basis].purpose,
      ...('partner' in recipient ? { partner: recipient.partner } : {}),
      items,
      hours,
      emergency,
      consentSought,
      informed: informed === true,
      ...(review ? { approved: review.approved } : {}),
    }),
  })
}

/** A repeat: the same override, as it stands now, and the document as it was given. */
async function again(exchange: Exchange, patient: string, first: Answer): Promise<Answer> {
  const id = first.headers?.['x-override-id']
  const recorded = ((await overridesOf(exchange.database, [patient])).get(patient) ?? []).find((one) => one.id === id)
  if (!recorded) throw unknown()
  const document = await documentOf(exchange.database, recorded)
  return answerFor(recorded, exchange.now(), document ? (JSON.parse(document) as Bundle) : undefined)
}

function answerFor(recorded: Override, now: Date, document: Bundle | undefined): Answer {
  const until = span(recorded)?.until
  const body: Parameters = {
    resourceType: 'Parameters',
    parameter: [
      { name: 'override', valueString: recorded.id },
      { name: 'state', valueCode: standing(recorded, now) },
      ...(until ? [{ name: 'until', valueInstant: until }] : []),
      ...(recorded.review ? [] : [{ name: 'review-by', valueInstant: reviewBy(recorded) }]),
      ...(document ? [{ name: 'document', resource: document }] : []),
    ],
  }
  return { status: 200, headers: { 'x-override-id': recorded.id }, body }
}
