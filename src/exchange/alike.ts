/**
 * Records that may be of one person: found when who the person is was written, proposed to a navigator, never acted on by itself and
 * never a reason to refuse. Whoever sent the record learns nothing of it.
 */
import type { Patient } from '@medplum/fhirtypes'
import { type Likeness, likenessOf, likenessWords } from '../domain/alike.ts'
import { alikeTerms } from '../fhir/search-terms.ts'
import type { Database } from '../store/database.ts'
import { type Merge, peopleFoundBy } from '../store/merges.ts'
import { isOpenAbout } from '../store/work-items.ts'
import type { Change } from './change.ts'
import { detailOf, isMergedAway } from './merge-detail.ts'
import { type Alike, type Situation, serviceShelf } from './situation.ts'

export const aboutDuplicate = (other: string): string => `duplicate:${other}`

/** Looks for them where there is a reason to. @param together everybody in the same commit: those stand in no index yet */
export async function learnAlike(database: Database, change: Change, together: readonly Change[]): Promise<void> {
  const { situation } = change
  const patient = patientIn(change)
  if (!patient || !(isWritten(change) || situation.seekAlike) || isMergedAway(situation)) return
  const fresh = together
    .slice(0, together.indexOf(change))
    .flatMap((one) => (one.situation.service === situation.service ? (patientIn(one) ?? []) : []))
  situation.alike = await alikeTo(database, situation, patient, fresh)
}

/**
 * Written at the same moment, two records of one person stood in no index when the other looked. Whoever looks once more after its own
 * commit finds the other; asked of each change that was committed.
 */
export async function missedAlike(database: Database, change: Change): Promise<boolean> {
  const { situation } = change
  const patient = patientIn(change)
  if (!patient || !isWritten(change) || isMergedAway(situation)) return false
  const seen = new Set(situation.alike?.map(({ patient: id }) => id))
  return (await alikeTo(database, situation, patient)).some(({ patient: id }) => !seen.has(id))
}

const isWritten = ({ situation, wrote }: Change): boolean => wrote(serviceShelf(situation.service.id), `Patient/${situation.patient}`)

/** @param more such as are not written yet */
async function alikeTo(database: Database, situation: Situation, patient: Patient, more: readonly Patient[] = []): Promise<Alike[]> {
  const shelf = serviceShelf(situation.service.id)
  const terms = alikeTerms(shelf, patient)
  const kept = terms.length ? await peopleFoundBy(database, shelf, terms, situation.patient) : []
  const others = new Map([...kept.flatMap(({ body }) => (body ? [body as Patient] : [])), ...more].map((one) => [one.id as string, one]))
  for (const { state, source } of situation.merges) if (state === 'merged') others.delete(source)
  const alike: Alike[] = []
  for (const [id, other] of others) {
    const why = likenessOf(patient, other).filter((kind) => !ruledOut(situation.merges, situation.patient, id).has(kind))
    // One item for two records: on the one that was written first.
    if (why.length && !(await isOpenAbout(database, situation.service.id, id, aboutDuplicate(situation.patient))))
      alike.push({ patient: id, why })
  }
  return alike
}

const patientIn = ({ situation }: Change): Patient | undefined =>
  situation.record.get(`Patient/${situation.patient}`)?.body as Patient | undefined

/** Somebody looked at these two and said that they are two people, though they have this in common. */
function ruledOut(merges: readonly Merge[], one: string, other: string): Set<Likeness> {
  const decided = merges.filter(
    ({ state, source, target }) => state !== 'merged' && [source, target].sort().join() === [one, other].sort().join(),
  )
  return new Set(decided.flatMap((row) => detailOf(row).alike ?? []))
}

/** Part of the plan step. What is not said again is resolved, when it was looked for (change.ts). */
export function askAboutAlike(change: Change): void {
  const { alike = [], patient } = change.situation
  for (const { patient: other, why } of alike) {
    const words = `The records Patient/${patient} and Patient/${other} may be of the same person: they have ${likenessWords(why)}. Look at both. Merge them, or say that they are two people. Nothing is merged by itself.`
    change.ask({ about: aboutDuplicate(other), reason: 'duplicate', words })
  }
}
