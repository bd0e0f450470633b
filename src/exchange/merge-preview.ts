/**
 * What a merge would do, for whoever has to decide about it: how the Patient would stand, what the two records do not say alike, whose
 * agreement would count, and for each partner whether it would be asked, told more or less, or told to stop. Carried out in memory, by the
 * same steps, and thrown away.
 */
import type { ParametersParameter, Patient, Resource, Task } from '@medplum/fhirtypes'
import { governing } from '../domain/consent.ts'
import { identifierRules, standingOf } from '../domain/identifiers.ts'
import { isUnsorted } from '../domain/resources.ts'
import { type Actor, type Change, startChange } from './change.ts'
import { outlook } from './explain.ts'
import { patientOf } from './not-same.ts'
import { plan } from './plan.ts'
import { consentsOf, type Situation, tasksOf } from './situation.ts'
import { isHandover, ownerOf, stateOf } from './task.ts'

type Both = readonly [source: Situation, target: Situation]
const text = (name: string, valueString: string): ParametersParameter => ({ name, valueString })

/** @param bring what the merge does to the two; gives the Patient as it would stand */
export function previewOf(both: Both, actor: Actor, bring: (from: Change, to: Change) => Resource): ParametersParameter[] {
  const differing = [...differences(patientOf(both[0]), patientOf(both[1])), ...plansOf(both)]
  const agreement = agreementWords(both)
  const held = new Set([...holding(both[0]), ...holding(both[1])])
  const [from, to] = both.map((one) => startChange(one, actor)) as [Change, Change]
  const resource = bring(from, to)
  for (const change of [from, to]) plan(change)
  const owing = [...from.owing(), ...to.owing()].map(({ message }) => message)
  const named = outlook(to.situation)
  const partnerIn = ({ part = [] }: ParametersParameter) =>
    part.find(({ name }) => name === 'organization')?.valueReference?.reference?.replace('Organization/', '') as string
  const then = (partner: string) =>
    text(
      'then',
      thenWords(
        owing.filter((one) => one.partner === partner),
        held.has(partner),
      ),
    )
  const decided = named.map((one) => (one.name === 'partner' ? { ...one, part: [...(one.part ?? []), then(partnerIn(one))] } : one))
  const known = new Set(named.filter(({ name }) => name === 'partner').map(partnerIn))
  const others = [...new Set([...held, ...owing.map(({ partner }) => partner)])].filter((partner) => !known.has(partner))
  return [
    { name: 'result', resource },
    ...differing.map((words) => text('conflict', words)),
    text('agreement', agreement),
    ...decided,
    ...others.map((partner) => {
      const display = to.situation.directory.partners.get(partner)?.name ?? partner
      return {
        name: 'partner',
        part: [{ name: 'organization', valueReference: { reference: `Organization/${partner}`, display } }, then(partner)],
      }
    }),
  ]
}

/** Partners that are asked for something now. */
const holding = (situation: Situation): string[] =>
  tasksOf(situation)
    .filter((task: Task) => isHandover(task) && !/^(draft|cancelled|rejected|failed)$/.test(stateOf(task).status))
    .map(ownerOf)

function thenWords(owing: readonly { reason: string }[], held: boolean): string {
  const reasons = new Set(owing.map(({ reason }) => reason))
  const stops = reasons.has('revoke') || reasons.has('end')
  if (stops && reasons.size > 1) return 'It is told to stop with one handover, and told anew with the other.'
  if (stops) return 'It is told to stop.'
  if (reasons.has('new')) return held ? 'What it is told is new to it, or had not left yet.' : 'It is asked for the first time.'
  if (reasons.size) return 'It is sent an update.'
  return held ? 'It is told nothing new.' : 'It is told nothing.'
}

/** What both say, and not the same: the target's counts, and the source's is kept as of before where there is a place for it. */
function differences(source: Patient, target: Patient): string[] {
  const numbers = identifierRules.flatMap(({ system, words }) => {
    const [one, other] = [source, target].map((patient) => inUse(patient, system))
    return one?.length && other?.length && !one.some((value) => other.includes(value)) ? [`Each has another ${words}.`] : []
  })
  const parts = (['birthDate', 'gender', 'address', 'telecom', 'generalPractitioner'] as const).filter(
    (key) => source[key] !== undefined && target[key] !== undefined && JSON.stringify(source[key]) !== JSON.stringify(target[key]),
  )
  const died = [source, target].filter(({ deceasedBoolean, deceasedDateTime }) => deceasedBoolean || deceasedDateTime).length === 1
  return [
    ...numbers,
    ...parts.map((key) => `They do not have the same ${partWords[key]}: the one of the record that stays counts.`),
    ...(died ? ['One of them says that the person has died: everything would stop.'] : []),
  ]
}

const partWords = {
  birthDate: 'date of birth',
  gender: 'gender',
  address: 'address',
  telecom: 'phone or e-mail',
  generalPractitioner: 'GP practice',
}

const inUse = ({ identifier = [] }: Patient, system: string): string[] =>
  identifier.flatMap(({ system: said, value, use }) =>
    said === system && value !== undefined && use !== 'old' && standingOf(system, value) !== 'wrong' ? [value] : [],
  )

const plansOf = (both: Both): string[] =>
  both.every(({ record }) => [...record.values()].some(({ body }) => body?.resourceType === 'CarePlan' && body.status === 'active'))
    ? ['Both have a plan: the one of the record that stays goes on, and the partners of the other are told to stop.']
    : []

function agreementWords([source, target]: Both): string {
  const [from, to] = [source, target].map((one) => governing(consentsOf(one).filter((consent) => !isUnsorted(consent))) !== undefined)
  if (from && to) return 'Both have an agreement: a partner is told only what it would be told under either of them.'
  if (!from && !to) return 'Neither has an agreement: nobody is told anything.'
  const which = from ? 'goes' : 'stays'
  return `Only the record that ${which} has an agreement: partners are told what that record holds now and nothing else, until the person says it anew.`
}
