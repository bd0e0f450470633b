/**
 * What a person may be shown of who was told about them: from the audit what happened, from the plan as it stands what was kept back.
 * What was told under an override that is not safe to show is not in it.
 */
import type { Consent, Patient } from '@medplum/fhirtypes'
import type { Category } from '../domain/categories.ts'
import type { LegalBasis, legalBases } from '../domain/override.ts'
import type { ReasonCode } from '../domain/reasons.ts'
import type { Account, Happened } from '../pages/account.ts'
import { overridesOf } from '../store/overrides.ts'
import { readVersion } from '../store/resources.ts'
import { type Considered, consider } from './consider.ts'
import type { Exchange } from './exchange.ts'
import { type Told, toldAbout } from './explain.ts'
import { type Situation, serviceShelf, situationOf } from './situation.ts'

/** @returns undefined for somebody nobody knows */
export async function accountOf(exchange: Exchange, patient: string): Promise<Account | undefined> {
  const situation = await situationOf(exchange, patient)
  const person = situation?.record.get(`Patient/${patient}`)?.body as Patient | undefined
  if (!situation || !person) return undefined
  const told = (await toldAbout(exchange, patient)).filter((one) => !one.notForPerson)
  const why = await reasonsFor(exchange, situation, told)
  const byName = Map.groupBy(told.toReversed(), ({ name }) => name)
  return {
    person: nameOf(person),
    service: situation.service,
    at: exchange.now().toISOString(),
    told: [...byName].map(([name, some]) => ({ name, happened: onceADay(some.map((one) => happenedOf(one, why(one)))) })),
    // As if there were none: what is missing here must not give away what may not be shown.
    kept: consider({ ...situation, overrides: situation.overrides.filter(({ safeToShow }) => safeToShow) }).partners.flatMap(keptFrom),
  }
}

export function nameOf({ name }: Patient): string {
  const official = name?.find(({ use }) => use === 'official') ?? name?.[0]
  return official?.text ?? [...(official?.given ?? []), official?.family].filter(Boolean).join(' ') ?? ''
}

const hows = { revoke: 'stopped', rejected: 'perhaps', unavailable: 'perhaps' } as const

function happenedOf({ at, sent, recipient, waits, categories }: Told, why: Happened['why']): Happened {
  const how = sent
    ? (hows[sent.reason as 'revoke'] ?? hows[sent.outcome as 'rejected'] ?? (waits ? 'waiting' : 'sent'))
    : recipient === 'outside'
      ? 'document'
      : 'read'
  return { at, how, categories, why }
}

/** Somebody who looked ten times on one day looked that day. */
const onceADay = (happened: readonly Happened[]): Happened[] => [
  ...new Map(
    happened.map((one) => [one.how === 'read' ? `read ${one.at.slice(0, 10)}` : `${one.how} ${one.at} ${one.categories}`, one]),
  ).values(),
]

/** When the agreement something was told on was given, or the law it was told on. */
async function reasonsFor(
  { database }: Exchange,
  { patient, service }: Situation,
  told: readonly Told[],
): Promise<(one: Told) => Happened['why']> {
  const overrides = (await overridesOf(database, [patient])).get(patient) ?? []
  const known = new Map<string, Happened['why']>()
  for (const basis of new Set(told.flatMap(({ basis }) => basis ?? []))) {
    const [type, id, , version] = basis.split('/')
    if (type === 'Override') {
      const override = overrides.find((one) => one.id === id)
      known.set(basis, { law: override ? plainLaw[override.basis] : 'we can tell you which' })
    } else if (type === 'Consent') {
      const consent = (await readVersion(database, serviceShelf(service.id), 'Consent', id as string, Number(version)))?.body as
        | Consent
        | undefined
      known.set(basis, consent?.dateTime ? { agreedOn: consent.dateTime } : {})
    }
  }
  return ({ basis }) => (basis === undefined ? undefined : known.get(basis))
}

/** The table of the law (domain/override.ts) in words for the person. */
const plainLaw: Readonly<Record<LegalBasis, string>> = {
  'vital-interests': 'somebody’s life was in danger',
  'safeguarding-adult': 'a person had to be kept safe',
  'best-interests': 'you could not decide at the time, and it was best for you',
  'public-interest': 'others had to be kept safe',
  mappa: 'agencies have to work together to keep people safe',
  'crime-and-disorder': 'it helps to prevent crime',
  'legal-duty': 'a law says that we must',
  'court-order': 'a court said that we must',
} satisfies Record<keyof typeof legalBases, string>

type Kept = Account['kept'][number]

function keptFrom({ partner, filled, decision }: Considered): Kept[] {
  const reasonOf = (one: Parameters<typeof decision.permit>[0]): ReasonCode => decision.permit(one).reason.code
  if (filled.outcome === 'withheld') return [{ name: partner.name, everything: decision.reason.code, items: [] }]
  const groups = new Map<string, { categories: readonly Category[]; why: ReasonCode }>()
  for (const one of filled.withheld) groups.set(`${one.categories} ${reasonOf(one)}`, { categories: one.categories, why: reasonOf(one) })
  return groups.size ? [{ name: partner.name, items: [...groups.values()] }] : []
}
