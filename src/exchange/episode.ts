/**
 * What is asked of people by what happened to the person: back in custody, or died. What becomes of the referral itself follows from its
 * phase (`follow.ts`).
 */
import { latestOf } from '../domain/decisions.ts'
import { type Suspension, suspensionOf } from '../domain/returned.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import type { Life } from './life.ts'
import { tasksOf } from './situation.ts'
import { isOnHoldForCustody } from './suspend.ts'
import { isHandover } from './task.ts'

/** One question for everything that is on hold. */
export function askAboutReturn(change: Change, { case: found }: Understanding): void {
  const { situation } = change
  const why = suspensionOf(found?.custody)
  const held = tasksOf(situation).some((task) => isHandover(task) && isOnHoldForCustody(task) && task.status === 'on-hold')
  if (why === 'returned' ? found?.referral?.status !== 'on-hold' : !held) return
  change.ask({ about: `suspended:${situation.patient}`, reason: 'suspended', words: words[why ?? 'date'] })
}

/** `date`: the person is in custody again, and when they leave is still to be known. */
const words: Readonly<Record<Suspension | 'date', string>> = {
  returned:
    'The person is back in custody. Everything that was open is on hold, and partners know. Record the new release date as soon as there is one.',
  'at-large':
    'The person is unlawfully at large. Everything that was open is on hold; partners know that, and not why. It goes on when the person is back and a release date is known.',
  immigration:
    'The person went to an immigration removal centre or out of the country. Everything that was open is on hold; partners know that, and not why. Record when they leave, or end the support.',
  date: 'Everything that was open is still on hold, because it is not known when the person leaves custody. Record the release date as soon as there is one.',
}

/**
 * After a death nothing is waited for and nobody is phoned: one thing is left to do.
 *
 * @returns a change that leaves all other timers and questions unsaid
 */
export const quietly = (change: Change): Change => ({ ...change, wait: () => undefined, ask: () => undefined })

export function askAboutDeath(change: Change): void {
  change.ask({
    about: aboutDeath(change),
    of: `Patient/${change.situation.patient}`,
    reason: 'died',
    words:
      'The person is recorded as having died. Everything was stopped, and partners were told to stop. Do not phone the person or their family from an old list. If the record is wrong, correct it: nothing begins again by itself.',
  })
}

const aboutDeath = ({ situation }: Change): string => `died:${situation.patient}`

/** Recorded as having died, and alive after all: what was stopped is over (C7.7), and a person begins it again. */
export function askAboutMistakenDeath(change: Change, life: Life | undefined, { case: found }: Understanding): void {
  const { situation } = change
  const about = aboutDeath(change)
  const wasAsked = situation.done.has(about) || situation.work.some((item) => item.about === about)
  if (!wasAsked || found?.person.died || life?.phase !== 'closed' || latestOf(life.request, 'closure')) return
  const mistaken = `died-in-error:${life.request.id}`
  if (situation.left.has(mistaken)) return
  change.ask({
    about: mistaken,
    reason: 'died-in-error',
    words:
      'The person was recorded as having died, and is not. Their support was stopped, and partners were told to stop; nothing begins again by itself. Speak with the person, and refer them again: a new referral, with the plan active, asks the partners anew.',
  })
}
