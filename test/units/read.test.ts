import type { Resource } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { acceptedCase, read } from '../../src/domain/read.ts'
import { actCode, BASE, confidentiality, consentScope, nhsNumber, nomsNumber, odsCode, ours } from '../../src/fhir/systems.ts'

const coded = (system: Parameters<typeof ours>[0], code: string, text?: string) => ({
  coding: [{ system: ours(system), code }],
  ...(text ? { text } : {}),
})
const subject = { reference: 'Patient/p' }
const custodyOf = (id: string, start: string, ...component: object[]) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: coded('observation', 'custody'),
  subject,
  effectivePeriod: { start },
  component,
})
const part = (name: string, value: object) => ({ code: coded('observation', name), ...value })

const patient = {
  resourceType: 'Patient',
  id: 'p',
  identifier: [
    { system: 'https://fhir.nhs.uk/id/nhs-number', value: '9990000379' },
    { system: nomsNumber, value: 'A1234BC' },
  ],
  name: [
    { use: 'maiden', family: 'Hazelwood' },
    { use: 'official', family: 'Wrenwood', given: ['Sam'] },
  ],
  gender: 'male',
  birthDate: '1990-05-17',
  telecom: [
    { system: 'phone', value: '01910000001' },
    { system: 'phone', use: 'mobile', value: '07700900123' },
    { system: 'phone', use: 'old', value: '07700900999' },
  ],
  address: [
    { use: 'old', city: 'Leeds' },
    { use: 'home', line: ['1 Some Row'], city: 'Durham', postalCode: 'ZZ99 3VZ' },
  ],
}
const practitioner = {
  resourceType: 'Practitioner',
  id: 'w',
  name: [{ family: 'Igator', given: ['Nav'] }],
  telecom: [{ system: 'email', value: 'nav@example.nhs.uk' }],
}
const role = {
  resourceType: 'PractitionerRole',
  id: 'r',
  practitioner: { reference: 'Practitioner/w' },
  organization: { reference: 'Organization/north-east' },
  telecom: [{ system: 'phone', value: '01910000000' }],
}
const team = {
  resourceType: 'CareTeam',
  id: 't',
  status: 'active',
  subject,
  participant: [{ role: [coded('team-role', 'named-worker')], member: { reference: 'PractitionerRole/r' } }],
}
const custody = custodyOf(
  'cu',
  '2025-09-01',
  part('establishment', { valueCodeableConcept: coded('prison', 'DMI', 'HMP Durham') }),
  part('custody-basis', { valueCodeableConcept: coded('custody-basis', 'sentenced') }),
  part('expected-release-date', { valueDateTime: '2026-03-20' }),
  part('release-date-type', { valueCodeableConcept: coded('release-date-type', 'CRD') }),
  part('release-date-confirmed', { valueBoolean: true }),
)
const activity = (code: string, performer?: object, rest = {}) => ({
  detail: {
    kind: 'ServiceRequest',
    code: coded('support-activity', code),
    status: 'not-started',
    ...(performer ? { performer: [performer] } : {}),
    ...rest,
  },
})
const plan = {
  resourceType: 'CarePlan',
  id: 'cp',
  status: 'active',
  intent: 'plan',
  title: 'Plan',
  subject,
  period: { start: '2026-03-01' },
  note: [{ text: 'Between us' }],
  activity: [activity('gp-registration', { reference: 'Organization/gp' }, { description: 'Register' })],
}
const referral = {
  resourceType: 'ServiceRequest',
  id: 'sr',
  status: 'active',
  intent: 'order',
  subject,
  authoredOn: '2026-03-01T10:00:00Z',
  reasonCode: [coded('need', 'mental-health')],
}
const consent = {
  resourceType: 'Consent',
  id: 'co',
  status: 'active',
  patient: subject,
  dateTime: '2026-03-01',
  category: [],
  scope: { coding: [{ system: consentScope, code: 'patient-privacy' }] },
}
const whole = [patient, practitioner, role, team, custody, plan, referral, consent]

/** The whole record, with these put in place of those of the same id. */
const reading = (...changes: object[]) => {
  const ids = new Set(changes.map((each) => (each as Resource).id))
  return read([...whole.filter(({ id }) => !ids.has(id)), ...changes] as unknown as Resource[], 'p', '2026-03-02')
}
const without = (...ids: string[]) => read(whole.filter(({ id }) => !ids.includes(id)) as unknown as Resource[], 'p', '2026-03-02')
const fact = (type: string, id: string, rest: object) => ({ resourceType: type, id, subject, ...rest })

describe('a whole record', () => {
  test('is an accepted case, in plain words', () => {
    const { case: found, missing, unknown } = reading()
    expect([missing, unknown]).toEqual([[], []])
    expect(found).toMatchObject({
      person: {
        id: 'p',
        family: 'Wrenwood',
        given: ['Sam'],
        birthDate: '1990-05-17',
        nhsNumber: '9990000379',
        nomsNumber: 'A1234BC',
        phone: '07700900123',
        address: { city: 'Durham' },
        aliases: [{ family: 'Hazelwood' }],
      },
      personSource: { ref: 'Patient/p', categories: [], confidentiality: 'N' },
      referral: { id: 'sr', status: 'active', reasons: [coded('need', 'mental-health')] },
      custody: {
        ref: 'Observation/cu',
        categories: ['release'],
        establishment: { code: 'DMI', name: 'HMP Durham' },
        basis: 'sentenced',
        releaseDate: '2026-03-20',
        releaseDateType: 'CRD',
        releaseDateConfirmed: true,
      },
      worker: {
        practitionerId: 'w',
        roleId: 'r',
        family: 'Igator',
        given: ['Nav'],
        phone: '01910000000',
        email: 'nav@example.nhs.uk',
        service: 'north-east',
      },
      plan: {
        id: 'cp',
        status: 'active',
        start: '2026-03-01',
        activities: [{ key: 'gp-registration', description: 'Register', performer: { partner: 'gp' } }],
      },
      findings: [],
    })
    expect(JSON.stringify(found)).not.toContain('Between us')
  })
  test.each([
    ['sr', ['referral']],
    ['cp', ['plan']],
    ['co', ['consent']],
    ['t', ['worker']],
    ['p', ['person']],
    ['cu', []],
  ])('without %s it lacks %s', (id, what) => {
    expect(without(id).missing.map((each) => each.what)).toEqual(what)
    expect(acceptedCase(whole.filter((each) => each.id !== id) as unknown as Resource[], 'p').accepted).toBe(what.length === 0)
  })
  test.each([
    ['a referral on hold', { ...referral, status: 'on-hold' }, 'referral'],
    ['a draft plan', { ...plan, status: 'draft' }, 'plan'],
    ['an agreement withdrawn', { ...consent, status: 'inactive' }, 'consent'],
    ['a worker whose part is over', { ...team, participant: [{ ...team.participant[0], period: { end: '2026-03-01' } }] }, 'worker'],
    ['a worker who has left', { ...role, active: false }, 'worker'],
    ['a team that is over', { ...team, status: 'inactive' }, 'worker'],
  ])('%s is not enough', (_, change, what) => expect(reading(change).missing.map((each) => each.what)).toEqual([what]))

  test('what is not known is said, and keeps nobody from being supported', () => {
    const { missing, unknown } = reading(
      { ...patient, birthDate: undefined, identifier: [{ system: nhsNumber, value: '9990000378' }] },
      { ...custody, component: [] },
      { ...referral, reasonCode: undefined },
    )
    expect(missing).toEqual([])
    expect(unknown.map(({ what }) => what)).toEqual(['birth-date', 'nhs-number', 'reason', 'establishment', 'release-date'])
  })
})

describe('the person', () => {
  test('an NHS number with a wrong check digit is not theirs', () => {
    expect(reading({ ...patient, identifier: [{ system: nhsNumber, value: '9990000378' }] }).case?.person.nhsNumber).toBeUndefined()
  })
  test('a name in one piece is a family name', () =>
    expect(reading({ ...patient, name: [{ text: 'Sam Wrenwood' }] }).case?.person.family).toBe('Sam Wrenwood'))
  test.each([{ deceasedBoolean: true }, { deceasedDateTime: '2026-03-01' }])('who has died has died: %o', (died) =>
    expect(reading({ ...patient, ...died }).case?.person.died).toBe(true),
  )
  test('a restricted patient is restricted', () => {
    expect(reading({ ...patient, meta: { security: [{ system: confidentiality, code: 'R' }] } }).case?.personSource.confidentiality).toBe(
      'R',
    )
  })
})

describe('which of several counts', () => {
  const handover = {
    ...referral,
    id: 'h',
    authoredOn: '2026-03-02',
    identifier: [{ system: `${BASE}/Id/handover`, value: 'x' }],
    basedOn: [{ reference: 'CarePlan/cp' }],
  }
  test('a request to a partner is no referral', () => expect(reading(handover).case?.referral?.id).toBe('sr'))
  test('the open referral before one that ended later', () =>
    expect(reading({ ...referral, id: 'x', status: 'revoked', authoredOn: '2026-04-01' }).case?.referral?.id).toBe('sr'))
  test('the latest custody', () => expect(reading(custodyOf('new', '2026-02-01')).case?.custody?.ref).toBe('Observation/new'))
  test('not one entered in error', () =>
    expect(reading({ ...custodyOf('new', '2026-02-01'), status: 'entered-in-error' }).case?.custody?.ref).toBe('Observation/cu'))
  test('the latest active plan', () => {
    const [later, draft] = [
      { ...plan, id: 'b', period: { start: '2026-03-02' } },
      { ...plan, id: 'c', status: 'draft', period: { start: '2026-03-03' } },
    ]
    expect(reading(later, draft).case?.plan?.id).toBe('b')
  })
  test('without an active one the plan on hold, so that nothing under way is lost', () =>
    expect(reading({ ...plan, status: 'on-hold' }).case?.plan?.status).toBe('on-hold'))
  test('the worker whose part is not over', () => {
    const other = { ...role, id: 'r2', telecom: [{ system: 'phone', value: '01910000002' }] }
    const participant = (id: string, period: object) => ({
      ...team.participant[0],
      member: { reference: `PractitionerRole/${id}` },
      ...period,
    })
    expect(
      reading(other, { ...team, participant: [participant('r', { period: { end: '2026-02-01' } }), participant('r2', {})] }).case?.worker
        ?.roleId,
    ).toBe('r2')
  })
})

describe('custody', () => {
  test.each([
    ['a moment is its London day', { valueDateTime: '2026-06-30T23:30:00Z' }, '2026-07-01'],
    ['a month is no date', { valueDateTime: '2026-03' }, undefined],
    ['unknown with a reason is unknown', { dataAbsentReason: { coding: [{ code: 'unknown' }] } }, undefined],
  ])('the release date: %s', (_, value, date) => {
    expect(reading({ ...custody, component: [part('expected-release-date', value)] }).case?.custody?.releaseDate).toBe(date)
  })
  test('the end of the period is the day the person left', () => {
    expect(reading({ ...custody, effectivePeriod: { start: '2025-09-01', end: '2026-03-19' } }).case?.custody?.left).toBe('2026-03-19')
  })
  test('an old shape, codes without their system, is still read', () => {
    const bare = JSON.parse(JSON.stringify(custody).replaceAll(/"system":"[^"]*",/g, ''))
    expect(reading(bare).case?.custody).toMatchObject({
      establishment: { code: 'DMI' },
      releaseDate: '2026-03-20',
      categories: ['release'],
    })
  })
})

describe('activities', () => {
  const keys = (...all: object[]) =>
    reading({ ...plan, activity: all }).case?.plan?.activities.map(({ key, performer }) => [key, performer])
  const gp = { reference: 'Organization/gp' }
  test('two of a kind for one partner are told apart, for two partners they need not be', () => {
    expect(
      keys(activity('gp-registration', gp), activity('gp-registration', gp), activity('gp-registration', { reference: 'Organization/b' })),
    ).toEqual([
      ['gp-registration', { partner: 'gp' }],
      ['gp-registration-2', { partner: 'gp' }],
      ['gp-registration', { partner: 'b' }],
    ])
  })
  test('one for two partners is two', () =>
    expect(keys({ detail: { ...activity('housing').detail, performer: [gp, { reference: 'Organization/b' }] } })?.length).toBe(2))
  test('a partner can be named by ODS code', () => {
    expect(keys(activity('housing', { identifier: { system: odsCode.replace('/Id/', '/id/'), value: 'a81001' } }))).toEqual([
      ['housing', { ods: 'A81001' }],
    ])
  })
  test('staff and the person are no partners, and words make a key where there is no code', () => {
    expect(
      keys({
        detail: {
          status: 'not-started',
          description: 'Ring the hostel!',
          performer: [{ reference: 'PractitionerRole/r' }, { reference: 'Patient/p' }],
        },
      }),
    ).toEqual([['ring-the-hostel', undefined]])
  })
  test('what is not to be done, or was written in error, is not there', () => {
    expect(keys(activity('housing', gp, { doNotPerform: true }), activity('housing', gp, { status: 'entered-in-error' }))).toEqual([])
  })
})

describe('facts', () => {
  test('each carries its own label, state and value', () => {
    const { case: found } = reading(
      fact('Condition', '1', {
        meta: {
          security: [
            { system: confidentiality, code: 'R' },
            { system: actCode, code: 'PSY' },
          ],
        },
        code: { text: 'Low mood' },
        clinicalStatus: { coding: [{ code: 'resolved' }] },
      }),
      fact('MedicationStatement', '2', {
        status: 'active',
        medicationReference: { reference: '#m' },
        contained: [{ resourceType: 'Medication', id: 'm', code: { text: 'Methadone' } }],
        effectivePeriod: { end: '2026-04-03' },
      }),
      fact('Observation', '3', { status: 'final', code: { text: 'Score' }, valueQuantity: { value: 5, unit: 'points', comparator: '<' } }),
      fact('Flag', '4', { status: 'active', code: coded('flag', 'reasonable-adjustment') }),
      { resourceType: 'AllergyIntolerance', id: '5', patient: subject, code: { text: 'Nuts' } },
      { resourceType: 'Appointment', id: '6', status: 'booked', start: '2026-03-23T10:00:00Z', participant: [{ actor: subject }] },
    )
    expect(found?.needs).toEqual([
      {
        ref: 'Condition/1',
        categories: ['mental-health'],
        confidentiality: 'R',
        labels: ['PSY'],
        code: { text: 'Low mood' },
        status: 'resolved',
      },
    ])
    expect(found?.medications).toMatchObject([
      { medication: { text: 'Methadone' }, categories: ['medication', 'substance-misuse'], suppliedUntil: '2026-04-03' },
    ])
    expect(found?.findings).toMatchObject([{ value: { text: '< 5 points' }, categories: [] }])
    expect(found?.flags).toMatchObject([{ categories: ['adjustments'] }])
    expect(found?.allergies).toMatchObject([{ substance: { text: 'Nuts' }, categories: ['allergies'] }])
    expect(found?.meetings).toMatchObject([{ status: 'booked', categories: ['appointments'], date: '2026-03-23' }])
  })
  test.each([
    ['entered in error', fact('Flag', '1', { status: 'entered-in-error', code: {} }), 'flags'],
    ['refuted', fact('Condition', '1', { verificationStatus: { coding: [{ code: 'refuted' }] } }), 'needs'],
    ['cancelled', fact('Observation', '1', { status: 'cancelled', code: {} }), 'findings'],
    ['another person’s', { ...fact('Condition', '1', {}), subject: { reference: 'Patient/q' } }, 'needs'],
    [
      'another person’s appointment',
      { resourceType: 'Appointment', id: '1', status: 'booked', participant: [{ actor: { reference: 'Patient/q' } }] },
      'meetings',
    ],
  ] as const)('one that is %s is not read', (_, one, list) => expect(reading(one).case?.[list]).toEqual([]))
})
