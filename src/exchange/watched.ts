/**
 * Promise 6, asked of a situation: what is open and nothing would wake. A timer, a work item or a message on its way wakes what it is
 * about; one that is about no single handover (the case, the agreement, a return to custody) wakes everything of the person.
 */
import type { Patient } from '@medplum/fhirtypes'
import { isOpen } from '../domain/handover.ts'
import { lookUpTimer } from './look-pace.ts'
import { referralInError, resourcesOf, type Situation, tasksOf } from './situation.ts'
import { isHandover, isHandoverRequest, isReferralAnswer } from './task.ts'

/** What the night asks is known by this. It says that nothing waits, and is no reason to think that something does. */
export const ofTheNight = 'reconcile:'

/** 'Task/..' or 'ServiceRequest/..' of what waits for nothing. After a death nothing waits, and nobody is reminded. */
export function unwatched(situation: Situation): string[] {
  if (hasDied(situation)) return []
  const tasks = tasksOf(situation)
  const ids = tasks.map(({ id }) => id as string)
  const owed = new Set(situation.owed.filter(({ state }) => /^(due|sending|parked)$/.test(state)).map(({ task }) => task))
  const abouts = [
    ...situation.timers.map(({ about }) => about).filter((about) => about !== lookUpTimer),
    ...situation.work.filter(({ about }) => !about.startsWith(ofTheNight)).map(({ about, task }) => `${about} ${task ?? ''}`),
  ]
  const wakesAll = abouts.some((about) => !ids.some((id) => about.includes(id)))
  const waits = (id: string): boolean => owed.has(id) || abouts.some((about) => about.includes(id))
  const open = tasks.filter((task) => (isHandover(task) || isAsking(task)) && isOpen(task.status as string))
  const alone = open.flatMap(({ id }) => (wakesAll || waits(id as string) ? [] : [`Task/${id}`]))
  const episode = referralInError(situation)
    ? undefined
    : resourcesOf(situation.record).find(
        (one) => one.resourceType === 'ServiceRequest' && !isHandoverRequest(one) && /^(active|on-hold)$/.test(one.status),
      )
  const awake = abouts.length > 0 || owed.size > 0
  return awake || !episode ? alone : [...alone, `ServiceRequest/${episode.id}`]
}

const hasDied = ({ record, patient }: Situation): boolean => {
  const person = record.get(`Patient/${patient}`)?.body as Patient | undefined
  return person?.deceasedBoolean === true || person?.deceasedDateTime !== undefined
}

/** An answer to a referrer that is not final: an accepted one is the service's. */
const isAsking = (task: Parameters<typeof isReferralAnswer>[0]): boolean => isReferralAnswer(task) && task.status !== 'accepted'
