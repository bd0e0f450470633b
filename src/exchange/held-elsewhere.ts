/**
 * Somebody whose support is under way and who is moved to a prison that another RECONNECT service covers: a navigator is asked who meets
 * them there. Nobody else becomes responsible by a move: that takes the person's agreement and the other service's yes (reconnect.md P9).
 */
import { underWay } from '../domain/lifecycle.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import type { Life } from './life.ts'
import { coveredBy } from './onward.ts'
import { tasksOf } from './situation.ts'
import { isTransferIn } from './transferred-in.ts'

export function askWhoMeets(change: Change, { phase }: Life, known: Understanding): void {
  const { situation } = change
  const { custody, person } = known.case ?? {}
  const place = custody?.establishment?.code
  if (!place || !custody || custody.left || person?.died || !underWay.includes(phase)) return
  if (situation.service.prisons.some((prison) => prison.toUpperCase() === place.toUpperCase())) return
  if (known.partners.some(({ partner }) => partner.kind === 'reconnect-service')) return
  // Handed over from there: the service that did it is who meets them, and this one knows.
  if (tasksOf(situation).some(isTransferIn)) return
  const other = coveredBy(situation, known)
  const about = `held-elsewhere:${place}:${situation.patient}`
  if (!other || situation.done.has(about)) return
  change.ask({
    about,
    reason: 'held-elsewhere',
    words: `The person is held at ${place}, which ${other.name} covers. Agree with them who meets the person there; or, if the person agrees, ask it in the plan to take over. Until it accepts, this service stays responsible.`,
  })
}
