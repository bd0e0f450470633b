/**
 * What somebody says when they override, and when they look at an override: FHIR Parameters, every mandatory field of consent.md A5
 * asked for by name.
 */
import type { ParametersParameter } from '@medplum/fhirtypes'
import { type Category, categories, categoryOfLabel } from '../domain/categories.ts'
import { consentSought, type LegalBasis, legalBases, mostHours, type Override, type Someone } from '../domain/override.ts'
import { type Issue, Refusal } from '../fhir/outcome.ts'
import { BASE } from '../fhir/systems.ts'
import { fault, reader } from './parameters.ts'

export type Said = Omit<Override, 'id' | 'patient' | 'service' | 'recordedAt' | 'review'>
export type Looked = { override: string; approved: boolean; by: Someone; note?: string }

/** @throws Refusal 400 when it is no Parameters, 422 naming everything that is missing or wrong */
export function overrideSaid(body: unknown): Said {
  const { issues, one, text, code, flag, someone, all } = reader(body)
  const recipient = recipientSaid(one('recipient'), text, issues)
  const items = itemsSaid(all('item'), issues)
  const hours = one('hours')?.valueInteger ?? one('hours')?.valueDecimal
  if (typeof hours !== 'number' || !(hours > 0) || hours > mostHours)
    issues.push(fault('hours', `Say for how many hours it is to hold: more than 0 and at most ${mostHours}.`))
  const informed = code('person-informed', ['yes', 'not-yet'])
  const note = text('person-informed-note', informed === 'not-yet', 'Say why the person was not told yet, or when they will be.')
  const said: Said = {
    recipient,
    items,
    basis: code('basis', Object.keys(legalBases)) as LegalBasis,
    reason: text('reason', true, 'Say why, in words.') as string,
    atRisk: text('at-risk', true, 'Say who is at risk.') as string,
    consentSought: code('consent-sought', consentSought) as Said['consentSought'],
    ...(informed === 'yes' ? { informed: true as const } : {}),
    ...(note ? { informedNote: note } : {}),
    proportionality: text('proportionality', true, 'Say why no less would do.') as string,
    hours: hours as number,
    decidedBy: someone('decided-by'),
    secondApprover: someone('second-approver'),
    emergency: flag('emergency') ?? false,
    safeToShow: flag('safe-to-show') ?? true,
  }
  if (issues.length) throw new Refusal(422, issues)
  return said
}

/** @throws Refusal as above */
export function reviewSaid(body: unknown): Looked {
  const { issues, text, flag, someone } = reader(body)
  const approved = flag('approved')
  if (approved === undefined) issues.push(fault('approved', 'Say whether it was right: true or false.'))
  const note = text('note', approved === false, 'Say why it was not right.')
  const looked = { override: text('override', true, 'Name the override by its id.') as string, approved: approved as boolean }
  const by = someone('by')
  if (issues.length) throw new Refusal(422, issues)
  return { ...looked, by, ...(note ? { note } : {}) }
}

type Text = ReturnType<typeof reader>['text']

/** A partner by reference, or an organisation outside by name: then who there, and how they are handed the document. */
function recipientSaid(parameter: ParametersParameter | undefined, text: Text, issues: Issue[]): Override['recipient'] {
  const { reference, display } = parameter?.valueReference ?? {}
  const partner =
    typeof reference === 'string' ? reference.replace(`${BASE}/`, '').match(/^Organization\/([A-Za-z0-9.-]{1,64})$/)?.[1] : undefined
  if (partner) return { partner }
  const organisation = parameter?.valueString ?? (reference === undefined ? display : undefined)
  if (typeof organisation !== 'string' || organisation.trim() === '') {
    issues.push(fault('recipient', 'Name the recipient: a partner by reference (Organization/id), or an organisation outside by its name.'))
    return { partner: '' }
  }
  const officer = text('officer', false, '')
  const how = text('how', true, 'Say how the document is handed over.') ?? ''
  return { organisation: organisation.trim(), ...(officer ? { officer } : {}), how }
}

function itemsSaid(given: readonly ParametersParameter[], issues: Issue[]): Override['items'] {
  const refs: string[] = []
  const about: Category[] = []
  for (const [index, { valueReference, valueCode, valueCoding }] of given.entries()) {
    const ref = valueReference?.reference
    const category =
      typeof valueCode === 'string' && Object.hasOwn(categories, valueCode)
        ? (valueCode as Category)
        : valueCoding && categoryOfLabel(valueCoding)
    if (typeof ref === 'string' && /^[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/.test(ref)) refs.push(ref)
    else if (category) about.push(category)
    else issues.push(fault('item', 'An item is a reference to something in the record, or a category.', index))
  }
  if (!given.length) issues.push(fault('item', 'List what is to be told: references to the record, or categories.'))
  return { refs, categories: about }
}
