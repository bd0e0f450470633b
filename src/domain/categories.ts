/**
 * The categories of information a person can agree to share, and the FHIR labels that mean each.
 *
 * One table: the labels on a resource, the labels in a consent and the words people read all go through it.
 * A label of a family stands for the whole family: who says "not my psychiatric information" has said "not my mental health".
 *
 * @see domain/consent.md B3 (HL7 sensitivity codes), CONTRACT.md 4 (our own codes)
 */
import { actCode, ours } from '../fhir/systems.ts'

type Row = {
  /** What a person reads. */
  words: string
  /** v3-ActCode sensitivity codes that mean this category. Our own code is always the category's name. */
  hl7: readonly string[]
  /** Confidentiality when the resource itself states none (v3-Confidentiality). */
  confidentiality: Confidentiality
}

/** v3-Confidentiality, from low to high. */
export const confidentialities = ['U', 'L', 'M', 'N', 'R', 'V'] as const
export type Confidentiality = (typeof confidentialities)[number]

const row = (words: string, confidentiality: Confidentiality, ...hl7: string[]): Row => ({ words, hl7, confidentiality })

export const categories = {
  identity: row('who the person is: name, date of birth, NHS number', 'N'),
  contact: row('how to reach the person', 'N'),
  address: row('where the person lives', 'N', 'LOCIS'),
  accommodation: row('the person’s housing', 'N', 'LIVARG'),
  worker: row('the named RECONNECT worker', 'N'),
  activity: row('what this partner is asked to do', 'N'),
  release: row('when and from where the person is released', 'N'),
  appointments: row('appointments', 'N'),
  adjustments: row('reasonable adjustments and communication needs', 'N'),
  practical: row('practical support such as benefits, work and clothing', 'N'),
  'physical-health': row('physical health', 'N'),
  allergies: row('allergies', 'N'),
  medication: row('medicines', 'N'),
  neurodiversity: row('neurodiversity and learning difficulties', 'R', 'COGN', 'DVD'),
  'mental-health': row('mental health', 'R', 'MH', 'PSY', 'BH', 'EMOTDIS'),
  'therapy-notes': row('therapy notes', 'V', 'PSYTHPN'),
  'substance-misuse': row('substance misuse', 'R', 'ETH', 'SUD', 'ETHUD', 'OPIOIDUD', 'SSP'),
  'sexual-health': row('sexual health and blood-borne viruses', 'R', 'HIV', 'STD', 'SEX'),
  abuse: row('abuse and violence suffered', 'R', 'SDV', 'VIO'),
  'risk-to-self': row('risk to self', 'R'),
  'risk-to-others': row('risk to others', 'R'),
  safeguarding: row('safeguarding', 'R'),
  offence: row('offences, sentence and supervision', 'R'),
} as const satisfies Record<string, Row>

export type Category = keyof typeof categories
export const allCategories = Object.keys(categories) as Category[]

const byLabel = new Map<string, Category>(
  allCategories.flatMap((category) => [
    [`${ours('category')}|${category}`, category] as const,
    ...categories[category].hl7.map((code) => [`${actCode}|${code}`, category] as const),
  ]),
)

/** The category a sensitivity label stands for, or undefined for a label we do not know. */
export const categoryOfLabel = (label: { system?: string; code?: string }): Category | undefined =>
  byLabel.get(`${label.system}|${label.code}`)

/** True when information marked `level` may go where information up to `ceiling` may. */
export const within = (level: Confidentiality, ceiling: Confidentiality): boolean =>
  confidentialities.indexOf(level) <= confidentialities.indexOf(ceiling)

/** The higher of two confidentialities. */
export const higher = (a: Confidentiality, b: Confidentiality): Confidentiality => (within(a, b) ? b : a)
