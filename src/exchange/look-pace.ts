/**
 * HMPPS is asked now and then about everybody whose support is under way, whether or not an event said that something changed. Part of the
 * plan step; what is asked and what becomes of it is hmpps-look.ts.
 */
import type { Patient } from '@medplum/fhirtypes'
import { today } from '../domain/calendar.ts'
import { daysToNextLook } from '../domain/look-pace.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { numbersOn } from './hmpps-follow.ts'
import type { Life } from './life.ts'

/** The timer of the next look. It wakes nothing else. */
export const lookUpTimer = 'look-up'
const dayMs = 86_400_000

export function watchDates(change: Change, { phase }: Life, { case: found }: Understanding): void {
  const { situation } = change
  const { looks, now, timers, record, patient } = situation
  const person = record.get(`Patient/${patient}`)?.body as Patient | undefined
  if (!looks || !person || !numbersOn(person).length) return
  const days = daysToNextLook(phase, found?.custody ?? {}, today(now), looks)
  if (days === undefined) return
  const standing = timers.find(({ about }) => about === lookUpTimer)
  const latest = new Date(now.getTime() + days * dayMs).toISOString()
  const due = !standing || standing.dueAt <= now.toISOString()
  if (due) change.lookUp()
  change.wait(lookUpTimer, due || standing.dueAt > latest ? latest : standing.dueAt)
}
