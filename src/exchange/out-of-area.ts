/**
 * Somebody held here whose home is in the area of another RECONNECT service: a navigator is asked to speak with them about a transfer, in
 * time for that service to be asked before release (reconnect.md P9, P10).
 */
import type { Patient } from '@medplum/fhirtypes'
import { startOfDay, today, windows } from '../domain/calendar.ts'
import type { Partner } from '../domain/directory.ts'
import { areasOf, covers, isElsewhere } from '../domain/home-area.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import type { Situation } from './situation.ts'

export function askAboutHome(change: Change, { case: found, partners }: Understanding): void {
  const { situation } = change
  if (!found || found.person.died || found.referral?.status !== 'active') return
  if (partners.some(({ partner }) => partner.kind === 'reconnect-service')) return
  const patient = situation.record.get(`Patient/${situation.patient}`)?.body as Patient | undefined
  const areas = patient ? areasOf(patient) : []
  if (covers(situation.service, areas)) return
  const there = serviceFor(situation, areas)
  if (!there && !isElsewhere(situation.service, areas)) return
  // Another home is another question.
  const about = `out-of-area:${there?.id ?? 'unknown'}:${situation.patient}`
  if (situation.left.has(about)) return
  change.ask({ about, reason: 'out-of-area', words: `${wordsFor(there)}${inTime(change, about, found.custody)}` })
}

type There = { id: string; name: string; partner?: string }

/** Whoever covers the home: as a partner that can be asked, or else a service of this gateway that is none yet. */
function serviceFor({ directory, service }: Situation, areas: readonly string[]): There | undefined {
  const others = [...directory.partners.values()].filter((one) => one.kind === 'reconnect-service' && !one.retired)
  const serviceOf = ({ channel }: Partner) => (channel.name === 'here' ? directory.services.get(channel.service as string) : undefined)
  const partner = others.find((one) => serviceOf(one)?.id !== service.id && (covers(one, areas) || covers(serviceOf(one) ?? {}, areas)))
  if (partner) return { id: partner.id, name: partner.name, partner: partner.name }
  const neighbour = [...directory.services.values()].find((one) => one.id !== service.id && covers(one, areas))
  return neighbour && { id: neighbour.id, name: neighbour.name }
}

function wordsFor(there: There | undefined): string {
  if (!there)
    return 'The person’s home is in an area that no RECONNECT service of the directory covers. Find out which one does, and how to reach it.'
  const next = there.partner
    ? 'if they agree, ask it in the plan to take over.'
    : 'it is no partner in the directory yet, so have it added; then, if they agree, ask it in the plan to take over.'
  return `The person’s home is in the area of ${there.name}. Speak with them about going on there; ${next}`
}

/** Said again, in other words, when it is late. */
function inTime(change: Change, about: string, custody: { releaseDate?: string; left?: string } | undefined): string {
  if (!custody?.releaseDate || custody.left) return ''
  const { askBy } = windows(custody.releaseDate)
  if (today(change.situation.now) > askBy)
    return ` Release is expected on ${custody.releaseDate}, so it should have been asked by ${askBy}.`
  change.wait(about, startOfDay(askBy, 1).instant)
  return ` Release is expected on ${custody.releaseDate}: it should be asked by ${askBy}.`
}
