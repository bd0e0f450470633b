/**
 * What HMPPS said about somebody before anybody here knew them: it counts from the commit that gives the record a number it was said
 * under. Until then it was about nobody, and nobody could ask for it.
 */
import type { Patient } from '@medplum/fhirtypes'
import { readEvent } from '../domain/hmpps-event.ts'
import type { Database, Statement } from '../store/database.ts'
import { eventsAbout, takeUnseen, type Unseen } from '../store/unseen-events.ts'
import type { Change } from './change.ts'
import { follow, numbersOn, wantsLook } from './hmpps-follow.ts'
import { isMergedAway } from './merge-detail.ts'
import { type Situation, serviceShelf } from './situation.ts'

/** An event may give a number under which others were said. */
const rounds = 3

/**
 * Part of every commit that writes who the person is.
 *
 * @param asks there is somewhere to look things up
 * @returns statements for the same commit
 */
export async function learnUnseen(database: Database, change: Change, asks: boolean): Promise<Statement[]> {
  const { situation } = change
  const shelf = serviceShelf(situation.service.id)
  if (!change.wrote(shelf, `Patient/${situation.patient}`) || isMergedAway(situation)) return []
  return takeAll(database, change, asks)
}

/** Something was kept under a number of this person, and was not taken. */
export async function hasUnseen(database: Database, situation: Situation): Promise<boolean> {
  return !isMergedAway(situation) && (await keptFor(database, situation)).length > 0
}

async function keptFor(database: Database, { record, patient, service }: Situation): Promise<Unseen[]> {
  const body = record.get(`Patient/${patient}`)?.body as Patient | undefined
  return eventsAbout(database, service.id, body ? [...new Set(numbersOn(body))] : [])
}

/** The same whatever was written. */
export async function takeAll(database: Database, change: Change, asks: boolean): Promise<Statement[]> {
  const { situation } = change
  const { patient, service, now } = situation
  situation.heard ??= new Set()
  const { heard } = situation
  const unit: Statement[] = []
  for (let round = 0; round < rounds; round++) {
    const fresh = (await keptFor(database, situation)).filter(({ id }) => !heard.has(id))
    if (!fresh.length) break
    for (const one of fresh) {
      heard.add(one.id)
      const read = readEvent(JSON.parse(one.body), now)
      if ('fault' in read) continue
      unit.push(...follow(change, read.event))
      const due = wantsLook(read.event, asks) ? { dueAt: now.toISOString() } : {}
      unit.push(...takeUnseen(one, { patient, service: service.id, ...due }))
    }
  }
  return unit
}
