/**
 * `Patient/{id}/$not-same`: a person looked at two records and says that they are of two people. Remembered: they are not proposed again
 * for what they had in common then.
 */
import type { Patient } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { likenessOf } from '../domain/alike.ts'
import { outcome, refuse } from '../fhir/outcome.ts'
import { recordMerge } from '../store/merges.ts'
import { newId } from '../store/random.ts'
import { resolveWorkItemAbout } from '../store/work-items.ts'
import { aboutDuplicate } from './alike.ts'
import { commit, isRace } from './amend.ts'
import { actorOf } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import type { MergeDetail } from './merge-detail.ts'
import { saidIn } from './merge-said.ts'
import { fingerprintOf, once } from './once.ts'
import { type Situation, situationOf } from './situation.ts'

export async function notSame(exchange: Exchange, request: Request, patient: string, body: unknown): Promise<Answer> {
  const said = saidIn(body, ['other-patient', 'reason'])
  const other = said.patient('other-patient', true)
  const reason = said.words('reason')
  if (other?.patient === patient) said.issues.push({ code: 'value', text: 'This is the same record.', expression: other.at })
  said.end()
  const answer: Answer = {
    status: 200,
    body: outcome(200, [
      { code: 'informational', severity: 'information', text: 'It is remembered that these two records are of two people.' },
    ]),
  }
  const print = () => fingerprintOf('$not-same', patient, body)
  return once(exchange, request, print, async (inbox) => {
    for (let attempt = 1; ; attempt++) {
      const both = await twoOf(exchange, request, [
        { patient, at: 'Patient' },
        { patient: other?.patient as string, at: other?.at as string },
      ])
      try {
        await commit(
          exchange,
          both,
          actorOf(request),
          (changes) => {
            for (const { audit } of changes)
              audit({
                action: 'not-same',
                entity: `Patient/${patient}`,
                detail: JSON.stringify({ other: `Patient/${other?.patient}`, ...(reason ? { because: reason } : {}) }),
              })
          },
          () => [...decided(exchange, both), ...inbox(answer)],
        )
        return answer
      } catch (error) {
        if (!isRace(error) || attempt === 20) throw error
      }
    }
  })
}

function decided(exchange: Exchange, [one, other]: readonly [Situation, Situation]) {
  const at = exchange.now().toISOString()
  const detail: MergeDetail = { alike: likenessOf(patientOf(one), patientOf(other)) }
  const [source, target] = [one.patient, other.patient]
  return [
    recordMerge({ id: newId(), service: one.service.id, state: 'not-same', source, target, at, detail: JSON.stringify(detail) }),
    resolveWorkItemAbout(one.patient, aboutDuplicate(other.patient), at),
    resolveWorkItemAbout(other.patient, aboutDuplicate(one.patient), at),
  ]
}

export const patientOf = ({ record, patient }: Situation): Patient => record.get(`Patient/${patient}`)?.body as Patient

/** @throws Refusal 404 for somebody who is not on this service's shelf; 403 for anybody but a service */
export async function twoOf(
  exchange: Exchange,
  { caller }: Request,
  some: readonly [{ patient: string; at: string }, { patient: string; at: string }],
): Promise<[Situation, Situation]> {
  if (caller.role !== 'service') throw refuse(403, 'forbidden', 'Only a service decides about the records of its people.')
  const found = await Promise.all(some.map(({ patient }) => situationOf(exchange, patient)))
  for (const [n, situation] of found.entries())
    if (!situation || situation.service.id !== caller.service || !patientOf(situation))
      throw refuse(404, 'not-found', 'There is no such Patient here.', some[n]?.at as string)
  return found as [Situation, Situation]
}
