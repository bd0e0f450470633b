/**
 * Somebody has to ask the person whether their agreement holds for all of a record that was merged (unconfirmed.ts). Whatever waits for the
 * answer can wait, but for one thing: when the release moves, a partner that can not be told holds a day that is wrong. Then the work item
 * says so the moment it moves, with the day and who holds the old one, and goes to the supervisor as the release comes near.
 */
import type { Custody } from '../domain/case.ts'
import { askAboutUntold, releaseDays } from '../domain/chase.ts'
import { isOpen } from '../domain/handover.ts'
import { custodyObservation } from '../domain/read.ts'
import { given } from '../domain/resources.ts'
import { longDate } from '../domain/words.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { resourcesOf } from './situation.ts'
import { handoversOf } from './tell.ts'

/** Part of the plan step. */
export function askToConfirm(change: Change, known: Understanding): void {
  if (!known.unconfirmed) return
  const { patient } = change.situation
  const usual =
    'Two records were merged, and only one of them had an agreement. Partners are told what that record held then, and nothing that came with the other one or was recorded since. Ask the person whether their agreement holds for all of it, and record what they say as a new agreement.'
  const moved = releaseMoved(change, known, known.unconfirmed.custody)
  change.ask({ about: `consent-unconfirmed:${patient}`, reason: 'consent-unconfirmed', words: moved ? `${moved} ${usual}` : usual })
}

/** What partners that were asked do not know of the release, in words; undefined: there is nothing. */
function releaseMoved(change: Change, known: Understanding, told: Custody | undefined): string | undefined {
  const { situation } = change
  const now = known.case?.custody
  const outdated = known.partners.filter(
    ({ partner, outdated }) => outdated && handoversOf(change, partner.id).some(({ status }) => isOpen(status) && status !== 'draft'),
  )
  if (!now || outdated.length === 0) return undefined
  const at = situation.now.toISOString()
  const since = custodyObservation(resourcesOf(situation.record))?.meta?.lastUpdated ?? at
  const nearest = [told, now].flatMap((one) => releaseDays(one).earliest ?? []).sort()[0]
  const { of, next } = askAboutUntold({ since, now: at, ...given('nearest', nearest) })
  if (next) change.wait(`unconfirmed:${situation.patient}`, next)
  const names = outdated.map(({ partner }) => partner.name).join(', ')
  const words = `${saysNow(now, told)} Not told, because the person has not confirmed yet: ${names}. ${stillKnown(told)} Have the person confirm now, or make sure whose release it is and phone these partners.`
  return of === 'supervisor' ? `For the supervisor: ${words}` : words
}

function saysNow({ left, returned, releaseDate }: Custody, told: Custody | undefined): string {
  if (left && left !== told?.left) return `The person left custody on ${longDate(left)}.`
  if (returned && returned !== told?.returned) return `The person is back in custody, ${until(releaseDate)}.`
  if (told?.left && !left) return `The person has not left custody after all, and is there ${until(releaseDate)}.`
  if (releaseDate && releaseDate !== told?.releaseDate) return `The release date is now ${longDate(releaseDate)}.`
  if (told?.releaseDate && !releaseDate) return 'No release date is known any more.'
  return 'Where the person is has changed.'
}

const until = (release: string | undefined): string => (release ? `until ${longDate(release)}` : 'and nobody knows until when')

function stillKnown(told: Custody | undefined): string {
  if (told?.left) return `They were told that the person left on ${longDate(told.left)}.`
  return told?.releaseDate ? `They still have ${longDate(told.releaseDate)}.` : 'They know of no release date.'
}
