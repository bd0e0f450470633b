/**
 * What somebody has to do about the person's agreements: ask whether one that ends soon is to go on, and look at what was told under
 * one that was a mistake. Part of the plan step.
 */
import { consentPhase, renewal } from '../domain/consent-phase.ts'
import { longDate } from '../domain/words.ts'
import { auditOf } from '../store/audit.ts'
import type { Database } from '../store/database.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { consentsOf, type Situation } from './situation.ts'

export function askAboutConsents(change: Change, known: Understanding): void {
  const { situation } = change
  const consents = consentsOf(situation)
  const { referral, plan, person } = known.case ?? {}
  const ended =
    [referral?.status, plan?.status].some((status) => /^(completed|revoked|entered-in-error)$/.test(status ?? '')) || person?.died === true
  for (const consent of consents) {
    const phase = consentPhase(consent, consents, situation.now, ended)
    if (phase === 'in-error') askWhoWasTold(change, consent.id as string)
    const ends = phase === 'agreed' && known.partners.length > 0 ? renewal(consent) : undefined
    if (!ends) continue
    const about = `consent-renewal:${consent.id}`
    if (ends.askFrom > situation.now.toISOString()) change.wait(about, ends.askFrom)
    else {
      const words = `The person’s agreement ends after ${longDate(ends.lastDay)}. Their named worker asks them whether it is to go on, and records what they say. Without a new one everybody is told to stop.`
      change.ask({ about, reason: 'consent-renewal', words })
    }
  }
}

const aboutError = (id: string): string => `consent-in-error:${id}`

/** Asked once: somebody looks, and says so by closing it. */
function askWhoWasTold({ situation, ask }: Change, id: string): void {
  const about = aboutError(id)
  if (situation.done.has(about)) return
  const open = situation.work.find((item) => item.about === about)
  const partners = situation.toldInError?.get(id) ?? []
  if (!open && !partners.length) return
  const names = partners.map((partner) => situation.directory.partners.get(partner)?.name ?? partner).join(', ')
  const words = `An agreement turns out to have been recorded in error, and these were told something under it, or were about to be: ${names}. Look at what they were told, and at what the person has to be told.`
  ask({ about, reason: 'consent-in-error', words: open?.words ?? words })
}

/** Who was told something under a consent that is now said to be a mistake, from the audit. */
export async function learnToldInError(database: Database, situation: Situation): Promise<void> {
  const asked = new Set([...situation.done, ...situation.work.map(({ about }) => about)])
  const wrong = consentsOf(situation).filter(({ id, status }) => status === 'entered-in-error' && !asked.has(aboutError(id as string)))
  if (!wrong.length) return
  const rows = (await auditOf(database, situation.patient, 10_000)).filter(({ action }) => action === 'owe')
  situation.toldInError = new Map(
    wrong.map(({ id }) => {
      const under = rows.filter(({ basis }) => basis?.startsWith(`Consent/${id}/`))
      return [id as string, [...new Set(under.flatMap(({ recipient }) => recipient ?? []))].sort()]
    }),
  )
}
