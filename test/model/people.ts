/**
 * The synthetic people of the model, and what is said of them as FHIR. Every word of a person's record ends in their name, so that it can be
 * known again wherever it turns up.
 */
import type { Bundle, CarePlan, Consent } from '@medplum/fhirtypes'
import { consentFrom } from '../../src/fhir/consent-from.ts'
import { actCode } from '../../src/fhir/systems.ts'
import { caseBundle, coded, custodyOf, places, words } from '../fixtures/case-bundle.ts'
import { referral } from '../fixtures/referral.ts'
import type { Agreement, Kind, Level, Recipient } from './agreement.ts'
import { idOf } from './partners.ts'

export const names = ['Ada', 'Bo', 'Cy', 'Di', 'Ed', 'Flo'] as const
export const kinds = Object.keys(words) as Kind[]
/** The word by which one kind of information about this person is known. */
export const wordOf = (person: number, kind: Kind): string =>
  kind === 'contact' ? `0770090${4510 + person}` : `${words[kind]}${names[person]}`

/** NHS numbers of the test range with a right check digit, and prison numbers. */
export const numbersOf = (person: number) => {
  const nine = `99900${4000 + person * 7}`
  const check = (11 - ([...nine].reduce((sum, digit, place) => sum + Number(digit) * (10 - place), 0) % 11)) % 11
  return { nhsNumber: check < 10 ? `${nine}${check}` : '9990004013', noms: `B135${person}CD` }
}

const asked: Record<Recipient, [code: string, words: string]> = {
  practice: ['gp-registration', 'Register near the hostel before release'],
  recovery: ['substance-misuse', 'Be seen on the first working day after release'],
  probation: ['probation-engagement', 'Know who the named worker is'],
  enhanced: ['enhanced-support', 'Agree one plan between the two teams'],
  wellbeing: ['mental-health', 'Be seen in the first week'],
  elsewhere: ['reconnect-transfer', 'Take over support where the person will live'],
}
export const planFor = (given: { patient: string; team: string; plan: readonly Recipient[]; id?: string }): CarePlan => ({
  resourceType: 'CarePlan',
  ...(given.id ? { id: given.id } : {}),
  status: 'active',
  intent: 'plan',
  subject: { reference: given.patient },
  period: { start: '2026-04-01' },
  careTeam: [{ reference: given.team }],
  activity: given.plan.map((name) => ({
    detail: {
      kind: 'ServiceRequest',
      code: coded('support-activity', asked[name][0]),
      status: 'not-started',
      description: asked[name][1],
      performer: [{ reference: `Organization/${idOf[name]}` }],
    },
  })),
})

const act = (code: string) => ({ system: actCode, code })
/** What the person keeps back from this one, whatever else is agreed. */
const except: Partial<Record<Recipient, ReturnType<typeof act>[]>> = { practice: [act('ETH')], probation: [act('ETH'), act('PSY')] }
export const consentFor = (given: { patient: string; service: string; agreement: Agreement; id?: string }): Consent =>
  consentFrom({
    ...(given.id ? { id: given.id } : {}),
    patient: given.patient,
    organization: `Organization/${given.service}`,
    choices: (Object.entries(given.agreement.to) as [Recipient, Level][]).map(([to, level]) => ({
      to: { partner: idOf[to] },
      upTo: to === 'probation' ? ('N' as const) : level,
      ...(except[to] ? { except: except[to] } : {}),
    })),
    dateTime: given.agreement.at,
    period: { start: '2026-01-01', end: given.agreement.until },
    // The number is the model's own: which of the agreements it is.
    source: { display: `Said to the named worker, who wrote it down: ${given.agreement.n}` },
  })

/** A case as the service's own system hands it in. */
export function caseOf(person: number, given: { releaseDate: string; plan: readonly Recipient[]; agreement: Agreement }): Bundle {
  const bundle = caseBundle({ ...numbersOf(person), plan: [], agreed: null, releaseDate: given.releaseDate })
  const plan = bundle.entry?.find(({ fullUrl }) => fullUrl === places.plan)
  if (plan)
    plan.resource = { ...planFor({ patient: places.patient, team: places.team, plan: given.plan }), note: [{ text: words.unlabelled }] }
  bundle.entry?.push({
    fullUrl: places.consent,
    resource: consentFor({ patient: places.patient, service: 'tees-valley', agreement: given.agreement }),
    request: { method: 'POST', url: 'Consent' },
  })
  return withTheirWords(person, bundle)
}

/** The same person as somebody outside refers them; `known`: under the number of a person who is known already. */
export function referralOf(person: number, given: { id: string; release: string; left?: string; known?: number }): Bundle {
  const custody = custodyOf({ patient: 'x', releaseDate: given.release, ...(given.left ? { left: given.left } : {}) })
  const bundle = referral({ id: given.id, family: words.identity, known: true, without: ['Consent'], more: [custody] })
  for (const { resource } of bundle.entry ?? [])
    if (resource?.resourceType === 'Patient' && given.known !== undefined)
      resource.identifier = [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: numbersOf(given.known).nhsNumber }]
  return withTheirWords(person, bundle)
}

function withTheirWords<Resource>(person: number, resource: Resource): Resource {
  let text = JSON.stringify(resource)
  for (const kind of kinds) text = text.replaceAll(words[kind], wordOf(person, kind))
  return JSON.parse(text) as Resource
}
