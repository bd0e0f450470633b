/**
 * What the operations on a referral share: only the service's own clients, once, in one commit with what follows, and refused in words
 * where the referral stands elsewhere.
 */
import type { ServiceRequest } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { isFinal, type Phase, phaseWords, rowsFrom } from '../domain/lifecycle.ts'
import { refuse } from '../fhir/outcome.ts'
import { readResource } from '../store/resources.ts'
import { amend } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import { consider } from './consider.ts'
import type { Answer, Exchange } from './exchange.ts'
import { type Life, lifeOf } from './life.ts'
import { fingerprintOf, once } from './once.ts'
import { isHandoverRequest } from './task.ts'

/**
 * @param work throws a Refusal, or changes what is to be different; what follows from it is in the same commit
 * @returns the referral as it stands then
 */
export async function onReferral(
  exchange: Exchange,
  request: Request,
  name: string,
  id: string,
  body: unknown,
  work: (change: Change, life: Life) => void | Promise<void>,
): Promise<Answer> {
  const { caller } = request
  if (caller.role !== 'service') throw refuse(403, 'forbidden', 'Only the service decides about a referral.')
  const stored = await readResource(exchange.database, caller.shelf, 'ServiceRequest', id)
  if (!stored?.body || !stored.patient) throw unknown()
  if (isHandoverRequest(stored.body as ServiceRequest))
    throw refuse(
      422,
      'business-rule',
      'This is the request of a handover, which follows from the care plan, and no referral.',
      'ServiceRequest',
    )
  const patient = stored.patient
  const print = () => fingerprintOf(`$${name}`, id, body)
  return once(exchange, request, print, async (inbox) => {
    const answered = await amend(
      exchange,
      patient,
      actorOf(request),
      async (change) => {
        const life = lifeOf(change.situation, consider(change.situation), id)
        if (!life) throw unknown()
        await work(change, life)
        // Read once the plan has been looked at again: that is what moves the phase.
        return () => answerOf(change, id)
      },
      (answer) => inbox(answer()),
    )
    if (!answered) throw unknown()
    return answered()
  })
}

const unknown = () => refuse(404, 'not-found', 'There is no such referral here.', 'ServiceRequest')

function answerOf({ situation }: Change, id: string): Answer {
  const { body, version, lastUpdated } = situation.record.get(`ServiceRequest/${id}`) ?? {}
  return {
    status: 200,
    headers: { etag: `W/"${version}"`, 'last-modified': new Date(lastUpdated as string).toUTCString() },
    body: body as ServiceRequest,
  }
}

/** @throws Refusal 422 saying where the referral stands and what can be done from there */
export function mustBeIn(phase: Phase, phases: readonly Phase[]): void {
  if (phases.includes(phase)) return
  const moves = rowsFrom(phase).map(({ event, to }) => `${event} (${to.join(' or ')})`)
  const next = isFinal(phase) ? 'It is final: refer the person again.' : `Open from here: ${moves.join(', ')}.`
  throw refuse(
    422,
    'business-rule',
    `This can not be done while the referral stands at “${phaseWords(phase)}” (${phase}). ${next}`,
    'ServiceRequest.status',
  )
}
