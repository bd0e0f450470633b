/**
 * The constraints of FHIR R4 (`pat-1`, `bdl-7`, ...), by key, for the types we serve.
 *
 * FHIR publishes them as FHIRPath. Evaluating that costs 5 to 40 microseconds each, more than all other checks of a resource;
 * as functions they cost next to nothing. `definitions.json` says where each applies, the definitions test that none is missing.
 */

export type Node = Readonly<Record<string, unknown>>

/** What stands around the node: the resource it is in, and the one that holds what is `contained`. */
export type Around = { resource: Node; container: Node }

export type Rule = {
  key: string
  /** One sentence, without the full stop. */
  says: string
  holds: (node: Node, around: Around) => boolean
}

/** The rule `key` of the element or type at `path`. */
export function ruleOf(path: string, key: string): Rule {
  const [says, holds] = rules[`${path} ${key}`] ?? rules[key] ?? []
  if (!says || !holds) throw new Error(`no rule for ${key} of ${path}`)
  return { key, says, holds }
}

const has = (node: Node, name: string) => node[name] !== undefined || node[`_${name}`] !== undefined
const hasChoice = (node: Node, name: string) => Object.keys(node).some((key) => key.startsWith(name) || key.startsWith(`_${name}`))
const list = (node: Node, name: string): readonly Node[] => {
  const value = node[name]
  return Array.isArray(value) ? value : []
}
const child = (node: Node, name: string): Node | undefined => node[name] as Node | undefined
const oneOf = (value: unknown, ...codes: string[]) => typeof value === 'string' && codes.includes(value)
const coded = (concept: Node | undefined, system: string, ...codes: string[]) =>
  concept !== undefined && list(concept, 'coding').some((coding) => coding.system === system && oneOf(coding.code, ...codes))
const distinct = (values: readonly unknown[]) => new Set(values).size === values.length

/** Two dates or moments in order. Compared as far as both go, so that a day counts as whole. */
function inOrder(first: unknown, second: unknown): boolean {
  if (typeof first !== 'string' || typeof second !== 'string') return true
  if (first.includes('T') && second.includes('T')) return Date.parse(first) <= Date.parse(second)
  const both = Math.min(first.length, second.length, 10)
  return first.slice(0, both) <= second.slice(0, both)
}

function lowFirst(low: Node | undefined, high: Node | undefined): boolean {
  if (typeof low?.value !== 'number' || typeof high?.value !== 'number') return true
  if (low.code !== high.code || low.unit !== high.unit) return true
  return low.value <= high.value
}

const ucum = 'http://unitsofmeasure.org'
/** A quantity with a value has a code, and its system is UCUM. */
const measured = (node: Node) => (has(node, 'code') || !has(node, 'value')) && (!has(node, 'system') || node.system === ucum)

const linkIds = (node: Node): unknown[] => list(node, 'item').flatMap((item) => [item.linkId, ...linkIds(item)])

/** Every string below a node that starts with '#': what it refers to inside its own resource. */
function local(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof value === 'string' && value.startsWith('#')) found.add(value)
  else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) local(inner, found)
  return found
}

const allowedTags = new Set(
  'a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd del dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q samp small span strong style sub sup table tbody td tfoot th thead tr tt ul var'.split(
    ' ',
  ),
)

/** Plain formatting only: known tags (none has a longer name than blockquote), no event handlers, no script in a link. */
function plainMarkup(div: string): boolean {
  const [before, ...pieces] = div.split('<')
  if (before!.trim() !== '' || !/^div[\s>/]/.test(pieces[0] ?? '')) return false
  return pieces.every((piece) => {
    if (piece.startsWith('!--')) return true
    const tag = /^\/?([A-Za-z][A-Za-z0-9]{0,9})(?![A-Za-z0-9])((?:"[^"]*"|'[^']*'|[^"'>])*)>/.exec(piece)
    if (!tag || !allowedTags.has(tag[1]!)) return false
    return !/(?:^|["'\s/])on[a-z]+\s*=|["'\s=](?:javascript|vbscript):/i.test(tag[2]!)
  })
}

const allergy = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-verification'
const verification = 'http://terminology.hl7.org/CodeSystem/condition-ver-status'
const clinical = 'http://terminology.hl7.org/CodeSystem/condition-clinical'

/** @see https://hl7.org/fhir/R4: the "Constraints" of each type */
export const rules: Readonly<Record<string, readonly [says: string, holds: Rule['holds']]>> = {
  // Data types
  'age-1': ['An age has a UCUM code and is more than nothing', (n) => measured(n) && (typeof n.value !== 'number' || n.value > 0)],
  'att-1': ['An attachment with data says its content type', (n) => !has(n, 'data') || has(n, 'contentType')],
  'cnt-3': [
    'A count is a whole number, its code is 1 and its system UCUM',
    (n) => measured(n) && (!has(n, 'code') || n.code === '1') && (typeof n.value !== 'number' || Number.isInteger(n.value)),
  ],
  'cpt-2': ['A contact point with a value says its system', (n) => !has(n, 'value') || has(n, 'system')],
  'dis-1': ['A distance has a UCUM code', measured],
  'drq-1': ['A code filter has either a path or a search parameter', (n) => has(n, 'path') !== has(n, 'searchParam')],
  'drq-2': ['A date filter has either a path or a search parameter', (n) => has(n, 'path') !== has(n, 'searchParam')],
  'drt-1': ['A duration with a code has a value and the UCUM system', (n) => !has(n, 'code') || (n.system === ucum && has(n, 'value'))],
  'exp-1': ['An expression has an expression or a reference', (n) => has(n, 'expression') || has(n, 'reference')],
  'ext-1': ['An extension has either a value or extensions, not both', (n) => has(n, 'extension') !== hasChoice(n, 'value')],
  'per-1': ['A period starts before it ends', (n) => inOrder(n.start, n.end)],
  'qty-3': ['A quantity with a code says the system of the code', (n) => !has(n, 'code') || has(n, 'system')],
  'rat-1': [
    'A ratio has both a numerator and a denominator, or an extension instead',
    (n) => has(n, 'numerator') === has(n, 'denominator') && (has(n, 'numerator') || has(n, 'extension')),
  ],
  'ref-1': [
    'A local reference is to a contained resource',
    (n, { container }) =>
      typeof n.reference !== 'string' ||
      !n.reference.startsWith('#') ||
      n.reference === '#' ||
      list(container, 'contained').some((one) => `#${one.id}` === n.reference),
  ],
  'rng-2': ['The low end of a range is not above its high end', (n) => lowFirst(child(n, 'low'), child(n, 'high'))],
  'tim-1': ['A duration has a unit', (n) => !has(n, 'duration') || has(n, 'durationUnit')],
  'tim-2': ['A period has a unit', (n) => !has(n, 'period') || has(n, 'periodUnit')],
  'tim-4': ['A duration is not negative', (n) => typeof n.duration !== 'number' || n.duration >= 0],
  'tim-5': ['A period is not negative', (n) => typeof n.period !== 'number' || n.period >= 0],
  'tim-6': ['A longest period goes with a period', (n) => !has(n, 'periodMax') || has(n, 'period')],
  'tim-7': ['A longest duration goes with a duration', (n) => !has(n, 'durationMax') || has(n, 'duration')],
  'tim-8': ['A highest count goes with a count', (n) => !has(n, 'countMax') || has(n, 'count')],
  'tim-9': [
    'An offset goes with a time of day that is not a meal',
    (n) => !has(n, 'offset') || (has(n, 'when') && !list(n, 'when').some((when) => oneOf(when, 'C', 'CM', 'CD', 'CV'))),
  ],
  'tim-10': ['There is a time of day or a when, not both', (n) => !has(n, 'timeOfDay') || !has(n, 'when')],
  'trd-1': ['A trigger has timing or data, not both', (n) => !has(n, 'data') || !hasChoice(n, 'timing')],
  'trd-2': ['A trigger with a condition has data', (n) => !has(n, 'condition') || has(n, 'data')],
  'trd-3': [
    'A named event has a name, a periodic one timing, a data one data',
    (n) =>
      (n.type !== 'named-event' || has(n, 'name')) &&
      (n.type !== 'periodic' || hasChoice(n, 'timing')) &&
      (!String(n.type).startsWith('data-') || has(n, 'data')),
  ],
  'txt-1': ['The narrative is one div of plain formatting, without scripts', (n) => plainMarkup(String(n))],
  'txt-2': ['The narrative says something', (n) => /<img|[^\s<>]/i.test(String(n).replace(/<(?!img)[^<>]*>/gi, ''))],

  // Every resource
  'dom-2': ['A contained resource contains no other', (n) => list(n, 'contained').every((one) => !has(one, 'contained'))],
  'dom-3': [
    'A contained resource is referred to by the resource, or refers to it',
    (n) => {
      const contained = list(n, 'contained')
      if (contained.length === 0) return true
      const used = local(n)
      return contained.every((one) => used.has(`#${one.id}`) || local(one).has('#'))
    },
  ],
  'dom-4': [
    'A contained resource has no version or time of change of its own',
    (n) =>
      list(n, 'contained').every((one) => !has(child(one, 'meta') ?? {}, 'versionId') && !has(child(one, 'meta') ?? {}, 'lastUpdated')),
  ],
  'dom-5': [
    'A contained resource has no security label of its own',
    (n) => list(n, 'contained').every((one) => !has(child(one, 'meta') ?? {}, 'security')),
  ],

  // By resource type
  'ait-1': [
    'An allergy has a clinical status unless it was entered in error',
    (n) => coded(child(n, 'verificationStatus'), allergy, 'entered-in-error') || has(n, 'clinicalStatus'),
  ],
  'ait-2': [
    'An allergy entered in error has no clinical status',
    (n) => !coded(child(n, 'verificationStatus'), allergy, 'entered-in-error') || !has(n, 'clinicalStatus'),
  ],
  'app-1': ['A participant has a type or an actor', (n) => has(n, 'type') || has(n, 'actor')],
  'app-2': ['An appointment has both a start and an end, or neither', (n) => has(n, 'start') === has(n, 'end')],
  'app-3': [
    'Only a proposed, cancelled or waiting appointment has no start and end',
    (n) => (has(n, 'start') && has(n, 'end')) || oneOf(n.status, 'proposed', 'cancelled', 'waitlist'),
  ],
  'app-4': [
    'Only a cancelled or missed appointment has a reason for cancelling',
    (n) => !has(n, 'cancelationReason') || oneOf(n.status, 'noshow', 'cancelled'),
  ],
  'sev-1': ['An audited entity has a name or a query, not both', (n) => !has(n, 'name') || !has(n, 'query')],
  'bdl-1': ['Only a search result or history has a total', (n) => !has(n, 'total') || oneOf(n.type, 'searchset', 'history')],
  'bdl-2': [
    'Only entries of a search result have search',
    (n) => n.type === 'searchset' || list(n, 'entry').every((one) => !has(one, 'search')),
  ],
  'bdl-3': [
    'Entries of a batch, transaction or history have a request, others have none',
    (n) => list(n, 'entry').every((one) => has(one, 'request') === oneOf(n.type, 'batch', 'transaction', 'history')),
  ],
  'bdl-4': [
    'Entries of a batch response, transaction response or history have a response, others have none',
    (n) => list(n, 'entry').every((one) => has(one, 'response') === oneOf(n.type, 'batch-response', 'transaction-response', 'history')),
  ],
  'bdl-5': ['An entry has a resource, a request or a response', (n) => has(n, 'resource') || has(n, 'request') || has(n, 'response')],
  'bdl-7': [
    'A full URL occurs once in a bundle, or once for each version',
    (n) =>
      n.type === 'history' ||
      distinct(
        list(n, 'entry')
          .filter((one) => one.fullUrl !== undefined)
          .map((one) => `${one.fullUrl} ${child(child(one, 'resource') ?? {}, 'meta')?.versionId}`),
      ),
  ],
  'bdl-8': ['A full URL names no version', (n) => !String(n.fullUrl).includes('/_history/')],
  'bdl-9': [
    'A document has an identifier with a system and a value',
    (n) => n.type !== 'document' || (has(child(n, 'identifier') ?? {}, 'system') && has(child(n, 'identifier') ?? {}, 'value')),
  ],
  'bdl-10': ['A document has a timestamp', (n) => n.type !== 'document' || n.timestamp !== undefined],
  'bdl-11': ['A document starts with a Composition', (n) => n.type !== 'document' || first(n) === 'Composition'],
  'bdl-12': ['A message starts with a MessageHeader', (n) => n.type !== 'message' || first(n) === 'MessageHeader'],
  'cpl-3': ['An activity has detail or a reference, not both', (n) => !has(n, 'detail') || !has(n, 'reference')],
  'cmp-1': ['A section has text, entries or sections', (n) => has(n, 'text') || has(n, 'entry') || has(n, 'section')],
  'cmp-2': ['A section with entries has no reason for being empty', (n) => !has(n, 'emptyReason') || !has(n, 'entry')],
  'con-1': ['A stage has a summary or an assessment', (n) => has(n, 'summary') || has(n, 'assessment')],
  'con-2': ['Evidence has a code or a detail', (n) => has(n, 'code') || has(n, 'detail')],
  'con-4': [
    'A condition that has abated is inactive, in remission or resolved',
    (n) => !hasChoice(n, 'abatement') || coded(child(n, 'clinicalStatus'), clinical, 'resolved', 'remission', 'inactive'),
  ],
  'con-5': [
    'A condition entered in error has no clinical status',
    (n) => !coded(child(n, 'verificationStatus'), verification, 'entered-in-error') || !has(n, 'clinicalStatus'),
  ],
  'ppc-1': ['A consent has a policy or a policy rule', (n) => has(n, 'policy') || has(n, 'policyRule')],
  'gol-1': ['A target with a detail says what is measured', (n) => !hasChoice(n, 'detail') || has(n, 'measure')],
  'lst-1': ['A list with entries has no reason for being empty', (n) => !has(n, 'emptyReason') || !has(n, 'entry')],
  'lst-2': [
    'Only a list of changes has deleted entries',
    (n) => n.mode === 'changes' || list(n, 'entry').every((one) => !has(one, 'deleted')),
  ],
  'lst-3': ['Only a working list has dated entries', (n) => n.mode === 'working' || list(n, 'entry').every((one) => !has(one, 'date'))],
  'obs-3': ['A reference range has a low end, a high end or text', (n) => has(n, 'low') || has(n, 'high') || has(n, 'text')],
  'obs-6': ['An observation with a value has no reason for its absence', (n) => !has(n, 'dataAbsentReason') || !hasChoice(n, 'value')],
  'obs-7': [
    'A component has another code than the observation that has a value',
    (n) => {
      if (!hasChoice(n, 'value')) return true
      const codes = list(child(n, 'code') ?? {}, 'coding').map((coding) => `${coding.system}|${coding.code}`)
      return list(n, 'component')
        .flatMap((one) => list(child(one, 'code') ?? {}, 'coding'))
        .every((coding) => !codes.includes(`${coding.system}|${coding.code}`))
    },
  ],
  'org-1': ['An organization has an identifier or a name', (n) => has(n, 'identifier') || has(n, 'name')],
  'org-2': ['An address of an organization is not a home', (n) => n.use !== 'home'],
  'org-3': ['A contact point of an organization is not at home', (n) => n.use !== 'home'],
  'Parameters.parameter inv-1': [
    'A parameter has exactly one of a value, a resource and parts',
    (n) => [hasChoice(n, 'value'), has(n, 'resource'), has(n, 'part')].filter(Boolean).length === 1,
  ],
  'pat-1': [
    'A contact has a name, a telecom, an address or an organization',
    (n) => has(n, 'name') || has(n, 'telecom') || has(n, 'address') || has(n, 'organization'),
  ],
  'que-1': [
    'A group has items and a display has none',
    (n) => (n.type !== 'group' || has(n, 'item')) && (n.type !== 'display' || !has(n, 'item')),
  ],
  'que-2': ['A link id occurs once in a questionnaire', (n) => distinct(linkIds(n))],
  'que-3': ['A display has no code', (n) => n.type !== 'display' || !has(n, 'code')],
  'que-4': [
    'A question has answer options or a value set of answers, not both',
    (n) => !has(n, 'answerOption') || !has(n, 'answerValueSet'),
  ],
  'que-5': [
    'Only a question with a choice of answers has options',
    (n) =>
      oneOf(n.type, 'choice', 'open-choice', 'decimal', 'integer', 'date', 'dateTime', 'time', 'string', 'quantity') ||
      (!has(n, 'answerValueSet') && !has(n, 'answerOption')),
  ],
  'que-6': ['A display is not required and does not repeat', (n) => n.type !== 'display' || (!has(n, 'required') && !has(n, 'repeats'))],
  'que-7': ['A question about existence is answered true or false', (n) => n.operator !== 'exists' || has(n, 'answerBoolean')],
  'que-8': ['A group or display has no initial value', (n) => !oneOf(n.type, 'group', 'display') || !has(n, 'initial')],
  'que-9': ['A display is not read-only', (n) => n.type !== 'display' || !has(n, 'readOnly')],
  'que-10': [
    'Only a question answered in text or a number has a longest length',
    (n) => oneOf(n.type, 'boolean', 'decimal', 'integer', 'string', 'text', 'url', 'open-choice') || !has(n, 'maxLength'),
  ],
  'que-11': ['A question has answer options or an initial value, not both', (n) => !has(n, 'answerOption') || !has(n, 'initial')],
  'que-12': ['More than two conditions say how they go together', (n) => list(n, 'enableWhen').length <= 2 || has(n, 'enableBehavior')],
  'que-13': ['Only a repeating question has several initial values', (n) => n.repeats === true || list(n, 'initial').length <= 1],
  'qrs-1': ['An item has answers or items, not both', (n) => !has(n, 'answer') || !has(n, 'item')],
  'prr-1': ['Order detail goes with a code', (n) => !has(n, 'orderDetail') || has(n, 'code')],
  'Task inv-1': ['A task was last changed after it was written', (n) => inOrder(n.authoredOn, n.lastModified)],
}

const first = (bundle: Node): unknown => child(list(bundle, 'entry')[0] ?? {}, 'resource')?.resourceType
