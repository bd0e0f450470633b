/**
 * The eight people of the demo, one for each turn of the story (CONTRACT.md 8). All invented: NHS numbers begin with 999, phone
 * numbers are of Ofcom's range for fiction, ZZ99 is no place. Dates go with a clock that starts on Monday 2 March 2026.
 */
import type { Category } from '../domain/categories.ts'
import type { PartnerId } from './directory.ts'

/** Where the demo's clock starts. */
export const beginning = '2026-03-02T09:00:00Z'

export type Fact = { words: string; labels: Category[]; code?: string; more?: string; until?: string; by?: PartnerId; on?: string }

export type DemoPerson = {
  key: string
  given: string
  family: string
  gender: 'female' | 'male'
  born: string
  nhsNumber: string
  nomsNumber: string
  crn?: string
  phone: string
  /** No line and no city: of no fixed abode. */
  address: { line?: string; city?: string; postalCode: string }
  worker: 'amira' | 'tom'
  custody: { prison: [code: string, name: string]; basis: 'sentenced' | 'remand'; since: string; release?: string }
  needs: (Fact & { code: string })[]
  medicines?: Fact[]
  allergies?: string[]
  flags?: (Fact & { code: string })[]
  findings?: (Fact & { code: string })[]
  /** What each partner is asked, in the words of the plan. */
  plan: { partner: PartnerId; code: string; words: string }[]
  /** Whom the person agreed to, and what that partner is not to be told. */
  agreed: { partner: PartnerId; except?: Category[] }[]
  /** Shown on the page: which turn of the story this is, and what to watch. */
  story: { title: string; words: string }
}

const durham: [string, string] = ['DMI', 'HMP Durham']
const lowNewton: [string, string] = ['LNI', 'HMP Low Newton']
const holmeHouse: [string, string] = ['HHI', 'HMP Holme House']

const register = (words: string, partner: PartnerId = 'elvet-surgery') => ({ partner, code: 'gp-registration', words })
const treat = (words: string) => ({ partner: 'wear-recovery' as const, code: 'substance-misuse', words })
const supervise = (words: string) => ({ partner: 'durham-probation' as const, code: 'probation-engagement', words })

export const people: readonly DemoPerson[] = [
  {
    key: 'leah',
    given: 'Leah',
    family: 'Okafor',
    gender: 'female',
    born: '1991-08-14',
    nhsNumber: '9990128472',
    nomsNumber: 'A1001ZZ',
    crn: 'X990101',
    phone: '07700900101',
    address: { line: '14 Larkspur Row', city: 'Durham', postalCode: 'ZZ99 4DH' },
    worker: 'amira',
    custody: { prison: lowNewton, basis: 'sentenced', since: '2025-06-11', release: '2026-03-19' },
    needs: [
      { code: 'substance-misuse', words: 'Opioid dependence, stable on methadone', labels: ['substance-misuse'] },
      { code: 'mental-health', words: 'Depression', labels: ['mental-health'] },
      { code: 'physical-health', words: 'Asthma', labels: ['physical-health'] },
    ],
    medicines: [
      {
        words: 'Methadone 1 mg/ml oral solution',
        more: '40 ml once a day, supervised',
        until: '2026-03-21',
        labels: ['medication', 'substance-misuse'],
      },
      { words: 'Salbutamol 100 micrograms inhaler', more: 'when needed', until: '2026-04-16', labels: ['medication'] },
    ],
    allergies: ['Penicillin'],
    flags: [{ code: 'reasonable-adjustment', words: 'Please write in large print and phone before letters', labels: ['adjustments'] }],
    findings: [
      { code: 'naloxone', words: 'Naloxone kit packed for release', labels: ['substance-misuse'] },
      { code: 'offence', words: 'Theft', labels: ['offence'] },
    ],
    plan: [
      register('Register Leah before release, so that her inhaler and her other care go on.'),
      treat('Take over methadone without a missed day. First appointment on the day of release.'),
      supervise('Know who Leah’s RECONNECT worker is and plan appointments together.'),
    ],
    agreed: [{ partner: 'elvet-surgery' }, { partner: 'wear-recovery' }, { partner: 'durham-probation' }],
    story: {
      title: 'Everything agreed',
      words:
        'Leah has agreed that her GP, her drug team and probation are each told what they need. Watch three handovers go from asked to done. When all three are, her navigator sees her through three months and ends the support.',
    },
  },
  {
    key: 'daniel',
    given: 'Daniel',
    family: 'Hartley',
    gender: 'male',
    born: '1984-11-02',
    nhsNumber: '9991947302',
    nomsNumber: 'A1002ZZ',
    crn: 'X990102',
    phone: '07700900102',
    address: { line: '3 Saddler Yard', city: 'Durham', postalCode: 'ZZ99 4DH' },
    worker: 'tom',
    custody: { prison: durham, basis: 'sentenced', since: '2025-09-30', release: '2026-03-26' },
    needs: [
      { code: 'substance-misuse', words: 'Alcohol dependence, sober since October', labels: ['substance-misuse'] },
      { code: 'mental-health', words: 'Post-traumatic stress after military service', labels: ['mental-health'] },
    ],
    medicines: [
      {
        words: 'Acamprosate 333 mg tablets',
        more: 'two tablets three times a day',
        until: '2026-04-23',
        labels: ['medication', 'substance-misuse'],
      },
      { words: 'Sertraline 100 mg tablets', more: 'one in the morning', until: '2026-04-23', labels: ['medication', 'mental-health'] },
    ],
    flags: [{ code: 'reasonable-adjustment', words: 'A seat near the door and no crowded waiting room', labels: ['adjustments'] }],
    plan: [
      register('Register Daniel and go on with his medicines.'),
      treat('Relapse prevention group, first meeting in the week of release.'),
      supervise('Agree times for supervision that leave room for his treatment.'),
    ],
    agreed: [
      { partner: 'elvet-surgery' },
      { partner: 'wear-recovery' },
      { partner: 'durham-probation', except: ['substance-misuse', 'mental-health'] },
    ],
    story: {
      title: 'Treatment kept from probation',
      words:
        'Daniel wants his GP and the drug team to know about his treatment, and probation not to. Probation still learns who his navigator is and how best to meet him.',
    },
  },
  {
    key: 'marcus',
    given: 'Marcus',
    family: 'Webb',
    gender: 'male',
    born: '1999-02-23',
    nhsNumber: '9992873167',
    nomsNumber: 'A1003ZZ',
    crn: 'X990103',
    phone: '07700900103',
    address: { line: '22 Gilesgate Court', city: 'Durham', postalCode: 'ZZ99 4DH' },
    worker: 'tom',
    custody: { prison: durham, basis: 'sentenced', since: '2025-11-17', release: '2026-03-24' },
    needs: [
      { code: 'mental-health', words: 'Hears voices when under stress', labels: ['mental-health'] },
      { code: 'substance-misuse', words: 'Uses cannabis most days', labels: ['substance-misuse'] },
    ],
    plan: [
      register('Register Marcus with a practice he feels safe to go to.'),
      treat('Offer a first conversation, without pressure.'),
      supervise('Know who Marcus’s RECONNECT worker is.'),
    ],
    agreed: [],
    story: {
      title: 'Has not agreed to anything yet',
      words:
        'Marcus wants nobody told about him. So nothing leaves: every handover waits, and his navigator is asked to talk with him again. Four weeks after release he still says no: his support ends, and nobody was ever told.',
    },
  },
  {
    key: 'priya',
    given: 'Priya',
    family: 'Raman',
    gender: 'female',
    born: '1978-06-30',
    nhsNumber: '9993504920',
    nomsNumber: 'A1004ZZ',
    phone: '07700900104',
    address: { line: '8 Fore Quay', city: 'Plymouth', postalCode: 'ZZ99 5PL' },
    worker: 'amira',
    custody: { prison: lowNewton, basis: 'sentenced', since: '2024-12-02', release: '2026-03-17' },
    needs: [
      { code: 'physical-health', words: 'Type 2 diabetes', labels: ['physical-health'] },
      { code: 'mental-health', words: 'Low mood', labels: ['mental-health'] },
    ],
    medicines: [{ words: 'Metformin 500 mg tablets', more: 'one twice a day with meals', until: '2026-04-14', labels: ['medication'] }],
    plan: [
      register('Register Priya in Plymouth, where she will live with her sister.', 'sound-view'),
      {
        partner: 'reconnect-south-west',
        code: 'reconnect-transfer',
        words: 'Take over Priya’s support in Plymouth, from before release on.',
      },
    ],
    agreed: [{ partner: 'sound-view' }, { partner: 'reconnect-south-west' }],
    story: {
      title: 'Going home out of area',
      words:
        'Priya leaves a prison in the north east for Plymouth. The RECONNECT service there is asked to take over, and until it says yes her navigator here stays responsible. A practice in Plymouth is asked as well; it is slow to answer, so it is reminded and then phoned.',
    },
  },
  {
    key: 'joseph',
    given: 'Joseph',
    family: 'Mensah',
    gender: 'male',
    born: '1972-01-09',
    nhsNumber: '9994612832',
    nomsNumber: 'A1005ZZ',
    crn: 'X990105',
    phone: '07700900105',
    address: { line: '5 Tannery Lane', city: 'Stockton-on-Tees', postalCode: 'ZZ99 6ST' },
    worker: 'tom',
    custody: { prison: holmeHouse, basis: 'sentenced', since: '2021-03-08', release: '2026-03-31' },
    needs: [
      { code: 'mental-health', words: 'Schizophrenia, well on monthly injections', labels: ['mental-health'] },
      { code: 'physical-health', words: 'High blood pressure', labels: ['physical-health'] },
    ],
    medicines: [
      { words: 'Paliperidone 100 mg injection', more: 'every four weeks, next due 7 April', labels: ['medication', 'mental-health'] },
      { words: 'Amlodipine 5 mg tablets', more: 'one a day', until: '2026-04-29', labels: ['medication'] },
    ],
    flags: [
      { code: 'risk-to-others', words: 'Can be a risk to others when unwell and off medicine', labels: ['risk-to-others'] },
      { code: 'reasonable-adjustment', words: 'Meet two to one, in the same room each time', labels: ['adjustments'] },
    ],
    findings: [
      { code: 'offence', words: 'Wounding', labels: ['offence'] },
      { code: 'risk-of-serious-harm', words: 'HIGH', labels: ['risk-to-others'], by: 'durham-probation', on: '2026-02-20' },
    ],
    plan: [
      register('Register Joseph, and take over his injections from the day he is out.'),
      { partner: 'er-north-east', code: 'enhanced-support', words: 'Work with Joseph intensively, from before release on.' },
      supervise('Plan release day together with the Enhanced RECONNECT team.'),
    ],
    agreed: [{ partner: 'elvet-surgery' }, { partner: 'er-north-east' }, { partner: 'durham-probation' }],
    story: {
      title: 'High risk: Enhanced RECONNECT',
      words:
        'Probation rates Joseph’s risk as high, and his health needs are complex: that is for the Enhanced RECONNECT team. It alone is told about risk. When it says yes, it takes him over; what his GP and probation are at goes on. His GP may be asked from four weeks before release, 3 March.',
    },
  },
  {
    key: 'callum',
    given: 'Callum',
    family: 'Reed',
    gender: 'male',
    born: '2001-04-17',
    nhsNumber: '9996394158',
    nomsNumber: 'A1006ZZ',
    crn: 'X990106',
    phone: '07700900106',
    address: { line: '61 Ropery Walk', city: 'Seaham', postalCode: 'ZZ99 7SE' },
    worker: 'tom',
    custody: { prison: holmeHouse, basis: 'sentenced', since: '2025-08-04', release: '2026-04-27' },
    needs: [
      { code: 'substance-misuse', words: 'Ketamine, stopped in custody', labels: ['substance-misuse'] },
      { code: 'adhd', words: 'ADHD', labels: ['neurodiversity'] },
    ],
    medicines: [
      { words: 'Atomoxetine 40 mg capsules', more: 'one in the morning', until: '2026-05-25', labels: ['medication', 'neurodiversity'] },
    ],
    flags: [{ code: 'reasonable-adjustment', words: 'One question at a time; send a text on the day', labels: ['adjustments'] }],
    plan: [
      register('Register Callum and go on with his medicine.'),
      treat('Harm reduction and bladder check, appointment in the week of release.'),
      supervise('Send appointments by text as well as by letter.'),
    ],
    agreed: [{ partner: 'elvet-surgery' }, { partner: 'wear-recovery' }, { partner: 'durham-probation' }],
    story: {
      title: 'Release brought forward',
      words:
        'Callum’s release is eight weeks away, too early to ask a GP. On 9 March the prison brings it forward to 23 March: his GP is asked at once, and the others are told the new date.',
    },
  },
  {
    key: 'sean',
    given: 'Sean',
    family: 'Gallagher',
    gender: 'male',
    born: '1988-12-05',
    nhsNumber: '9997462084',
    nomsNumber: 'A1007ZZ',
    phone: '07700900107',
    address: { postalCode: 'ZZ99 3VZ' },
    worker: 'amira',
    custody: { prison: durham, basis: 'remand', since: '2026-01-12' },
    needs: [
      { code: 'substance-misuse', words: 'Heroin dependence, started on buprenorphine', labels: ['substance-misuse'] },
      { code: 'physical-health', words: 'Leg ulcer, dressed twice a week', labels: ['physical-health'] },
    ],
    medicines: [
      { words: 'Buprenorphine 8 mg tablets', more: 'one a day under the tongue, supervised', labels: ['medication', 'substance-misuse'] },
    ],
    findings: [{ code: 'accommodation', words: 'No fixed abode', labels: ['accommodation'] }],
    plan: [
      register('Register Sean without an address, and see to the dressing on his leg.'),
      treat('Go on with buprenorphine. He may be released any day.'),
    ],
    agreed: [{ partner: 'elvet-surgery' }, { partner: 'wear-recovery' }],
    story: {
      title: 'On remand, released from court without notice',
      words:
        'Nobody knows when Sean will be released, so his GP can not be asked yet and his navigator is asked to watch for the date. On 5 March a court lets him go: everything starts at once.',
    },
  },
  {
    key: 'tanya',
    given: 'Tanya',
    family: 'Brooks',
    gender: 'female',
    born: '1995-09-21',
    nhsNumber: '9998155371',
    nomsNumber: 'A1008ZZ',
    crn: 'X990108',
    phone: '07700900108',
    address: { line: '2 Hawthorn Terrace', city: 'Bishop Auckland', postalCode: 'ZZ99 8BA' },
    worker: 'amira',
    custody: { prison: lowNewton, basis: 'sentenced', since: '2025-10-06', release: '2026-03-05' },
    needs: [
      { code: 'substance-misuse', words: 'Crack cocaine, cut down in custody', labels: ['substance-misuse'] },
      { code: 'mental-health', words: 'Anxiety and trouble sleeping', labels: ['mental-health'] },
    ],
    medicines: [{ words: 'Mirtazapine 15 mg tablets', more: 'one at night', until: '2026-04-02', labels: ['medication', 'mental-health'] }],
    plan: [
      register('Register Tanya and go on with her medicine.'),
      treat('Key worker to meet Tanya in her first week out.'),
      supervise('Plan supervision around her appointments.'),
    ],
    agreed: [{ partner: 'elvet-surgery' }, { partner: 'wear-recovery' }, { partner: 'durham-probation' }],
    story: {
      title: 'Returned to custody',
      words:
        'Tanya is released on 5 March. On 16 March she is recalled to prison: what is still open is put on hold, and partners are told once. A week later her new release date is known, and it all goes on: she leaves again on 13 April, and everything after release is counted from then.',
    },
  },
]
