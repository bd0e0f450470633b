/**
 * All the exchange knows of one person's episode, in plain typed words. Read from the FHIR resources of a service's record
 * by `read.ts`; never stored, never sent: only what `fill` takes from it through a mapping leaves.
 *
 * Dates are ISO calendar dates ('2026-03-20', Europe/London), instants are ISO instants. What is not known is absent.
 */
import type { Category, Confidentiality } from './categories.ts'

/** A coded statement, in the shape of a FHIR CodeableConcept. */
export type Coded = { text?: string; coding?: { system?: string; code?: string; display?: string }[] }

/** Where a piece of information stands in the record, and how it is labelled. */
export type Source = {
  /** 'Condition/0198...' on the service's shelf. */
  ref: string
  /** All of these must be allowed before any of it leaves. Empty: nothing says what it is, so nobody is told. */
  categories: readonly Category[]
  /** High-water mark of the resource's own label and of what its categories imply. */
  confidentiality: Confidentiality
  /** Calendar date the information is about or was recorded, for a consent limited to a period of data. */
  date?: string
  /** Its codes as 'system|code', wherever they stand in it, for a consent that names codes. HL7's own (a status, a kind) are left out. */
  codes?: readonly string[]
  /** What its categories come from when HL7 labels are among them: those labels, and our own word for what its codes say. */
  labels?: readonly string[]
  /** References to whoever recorded or asserted it, for a consent that names authors. */
  authors?: readonly string[]
  /** What single values of it give away besides, by path ('description', 'person.address'): such a value leaves only if that may leave too. */
  reveals?: Readonly<Record<string, readonly Category[]>>
}

/** One clinical or social fact: a source with what it says. */
export type Need = Source & { code: Coded; status?: string; onset?: string }
export type Medication = Source & { medication: Coded; status: string; dosage?: string; suppliedUntil?: string }
export type Allergy = Source & { substance: Coded; status?: string }
export type Flag = Source & { code: Coded; status: string }
/** `value` holds exactly one of its words. */
export type Finding = Source & {
  code: Coded
  status: string
  effective?: string
  value: { text?: string; coded?: Coded; truth?: boolean; date?: string; quantity?: { value: number; unit?: string } }
}
export type Meeting = Source & { start?: string; end?: string; status: string; description?: string; kind?: Coded }

export type Person = {
  /** Logical id of the Patient. */
  id: string
  family: string
  given?: string[]
  birthDate?: string
  gender?: 'male' | 'female' | 'other' | 'unknown'
  /** Only a number whose check digit is right. */
  nhsNumber?: string
  /** These as well only in the form they are compared in (identifiers.ts); PNC and CRO may have a check letter that does not fit. */
  nomsNumber?: string
  crn?: string
  pnc?: string
  cro?: string
  aliases?: { family?: string; given?: string[] }[]
  phone?: string
  email?: string
  address?: { line?: string[]; city?: string; district?: string; postalCode?: string; text?: string }
  /** BCP-47. */
  language?: string
  interpreterNeeded?: boolean
  /** Set when the person has died. */
  died?: true
}

export type CustodyBasis = 'sentenced' | 'remand' | 'recall' | 'rotl' | 'immigration-detention'

/** Where somebody is who is, or was, in custody. `unexplained`: out of prison, and no code says why. */
export type Whereabouts = (typeof whereabouts)[number]
export const whereabouts = [
  'in-prison',
  'court',
  'temporary-absence',
  'between-prisons',
  'hospital',
  'immigration',
  'at-large',
  'released',
  'died',
  'unexplained',
] as const

export type Custody = Source & {
  /** Absent: nobody said more than that the person is in custody, or has left it. */
  where?: Whereabouts
  establishment?: { code?: string; name?: string }
  basis?: CustodyBasis
  /** Expected release, calendar date. Absent: not known, which is a fact and no error. */
  releaseDate?: string
  releaseDateType?: string
  releaseDateConfirmed?: boolean
  /** Since when the sentence is served, where somebody said so. */
  sentencedOn?: string
  /** The day the person left custody; set means released. */
  left?: string
  /** The day the person came back into custody while RECONNECT supports them; see returned.ts. */
  returned?: string
}

export type Worker = {
  practitionerId?: string
  roleId?: string
  family?: string
  given?: string[]
  phone?: string
  email?: string
  /** Id of the RECONNECT service the worker belongs to. */
  service?: string
}

export type Activity = {
  code?: Coded
  /** From `BASE/CodeSystem/support-activity`; tells handovers of one plan to one partner apart. */
  key: string
  description?: string
  status: string
  /** Ids of the goals it is for. */
  goals?: string[]
  /** What the plan says about who does it: a partner's id, or an ODS code still to be looked up. */
  performer?: { partner?: string; ods?: string }
  /** Shared by the performers of one activity. Those of one kind are asked one after the other, in the plan's order. */
  choice?: number
}

export type Plan = { id: string; status: string; title?: string; start?: string; activities: Activity[] }

export type Referral = { id: string; status: string; authoredOn?: string; priority?: string; reasons: Coded[]; requester?: string }

export type Case = {
  person: Person
  /** How the Patient resource itself is labelled: a restricted patient raises everything read from it. */
  personSource: Source
  referral?: Referral
  custody?: Custody
  worker?: Worker
  plan?: Plan
  needs: Need[]
  medications: Medication[]
  allergies: Allergy[]
  /** Reasonable adjustments, risks, safeguarding: what a FHIR Flag says. */
  flags: Flag[]
  findings: Finding[]
  meetings: Meeting[]
}

/** The lists of a case whose items carry their own label. */
export type FactList = 'needs' | 'medications' | 'allergies' | 'flags' | 'findings' | 'meetings'
