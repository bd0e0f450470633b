/**
 * Somebody whose home is in the area of another RECONNECT service: a navigator is asked to speak with them about a transfer (reconnect.md
 * P9). Areas are what the directory says (`homeAreas`), held against the district and the town of the address.
 */
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'

export function askAboutHome(change: Change, { case: found, partners }: Understanding): void {
  const { situation } = change
  const { directory, service } = situation
  const about = `out-of-area:${situation.patient}`
  if (!found || found.person.died || found.referral?.status !== 'active' || situation.done.has(about)) return
  if (partners.some(({ partner }) => partner.kind === 'reconnect-service')) return
  const { district, city } = found.person.address ?? {}
  const home = [district, city].flatMap((one) => one?.trim().toLowerCase() || [])
  const covers = ({ homeAreas = [] }: { homeAreas?: readonly string[] }) => homeAreas.some((area) => home.includes(area.toLowerCase()))
  if (covers(service)) return
  const services = [...directory.services.values()].filter(({ id }) => id !== service.id)
  const there = [...directory.partners.values()].filter(({ kind, retired }) => kind === 'reconnect-service' && !retired)
  const other = [...there, ...services].find(covers)
  if (!other) return
  change.ask({
    about,
    reason: 'out-of-area',
    words: `The person’s home is in the area of ${other.name}. Speak with them about going on there; if they agree, ask it in the plan to take over.`,
  })
}
