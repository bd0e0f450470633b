/**
 * Why somebody is told something or not, and who was told what: the decision in plain words, for a navigator and for the person.
 */
import type { Parameters, ParametersParameter, Task } from '@medplum/fhirtypes'
import { v7 as newId } from 'uuid'
import type { Request } from '../access/caller.ts'
import { type Category, categories } from '../domain/categories.ts'
import { stateWords } from '../domain/handover-words.ts'
import { mappingRemedy, remedyWords } from '../domain/reasons.ts'
import { refuse } from '../fhir/outcome.ts'
import type { Disclosure, Filled } from '../mapping.ts'
import { accountPage } from '../pages/account.ts'
import { type AuditRow, auditOf, recordAudit } from '../store/audit.ts'
import { mergedInto } from '../store/merges.ts'
import { owedOfPatient } from '../store/owed.ts'
import { readResource } from '../store/resources.ts'
import { accountOf } from './account.ts'
import { actorOf } from './change.ts'
import { type Considered, consider } from './consider.ts'
import { triggerWords } from './enhanced.ts'
import type { Answer, Exchange } from './exchange.ts'
import { outside } from './override-document.ts'
import { type Situation, situationOf } from './situation.ts'
import { isHandover, stateOf } from './task.ts'
import { provisionOf, whyItem } from './why-item.ts'

const text = (name: string, valueString: string): ParametersParameter => ({ name, valueString })
const part = (name: string, ...inside: ParametersParameter[]): ParametersParameter => ({ name, part: inside })
const answer = (parameter: ParametersParameter[]): Answer => ({
  status: 200,
  body: { resourceType: 'Parameters', parameter } as Parameters,
})

/**
 * Task/{id}/$why: what this partner is told and what not, each with its reason, as it would be decided now.
 *
 * @param item 'Condition/12' of the record: rule by rule, for this alone
 */
export async function why(exchange: Exchange, request: Request, id: string, item?: string): Promise<Answer> {
  const { situation, task } = await handover(exchange, request, id)
  await exchange.database.atomically([recordAudit([lookedAt(exchange, request, 'why', situation.patient, `Task/${id}`)])])
  const partner = task.owner?.reference?.replace('Organization/', '') as string
  const considered = consider(situation).partners.find((one) => one.partner.id === partner)
  const [state, trigger] = [stateOf(task), triggerWords(task)]
  const parameters = [
    text('handover', `${partnerName(situation, partner)}: ${stateWords(state)}`),
    ...(task.statusReason?.text ? [text('reason', task.statusReason.text)] : []),
    ...(trigger ? [text('asked-because', trigger)] : []),
  ]
  const work = situation.work.filter((item) => item.task === id).map((item) => text('waits-for', item.words))
  const waits = situation.timers.filter((timer) => timer.about.endsWith(`:${id}`)).map((timer) => text('looked-at-again', timer.dueAt))
  if (!considered)
    return answer([
      ...parameters,
      text('decision', 'The plan no longer asks this partner for anything, so it is told nothing.'),
      ...work,
      ...waits,
    ])
  if (item !== undefined) return answer([...parameters, ...oneItem(situation, considered, item)])
  return answer([...parameters, ...decisionOf(considered), ...work, ...waits])
}

function oneItem({ record, patient }: Situation, considered: Considered, item: string): ParametersParameter[] {
  const found = whyItem(considered, item)
  if (found.length) return found
  if (!record.has(item) && item !== `Patient/${patient}`)
    throw refuse(404, 'not-found', 'There is no such item in the record of this person.', 'item')
  return [text('decision', 'Nothing of it is part of what this kind of partner is ever told.')]
}

/** CarePlan/{id}/$handover?dryRun=true: what each partner would be told, what is withheld, and why. Nothing is written but that it was asked. */
export async function dryRun(exchange: Exchange, request: Request, id: string): Promise<Answer> {
  // A partner has a copy of the plan on its shelf, and is not told what the whole of it says of others.
  const own = request.caller.role === 'service'
  const stored = own ? await readResource(exchange.database, request.caller.shelf, 'CarePlan', id) : undefined
  const situation = stored?.patient ? await situationOf(exchange, stored.patient) : undefined
  if (!stored?.body || !situation) throw refuse(404, 'not-found', 'There is no such CarePlan here.', 'CarePlan')
  await exchange.database.atomically([recordAudit([lookedAt(exchange, request, 'dry-run', situation.patient, `CarePlan/${id}`)])])
  return answer(outlook(situation))
}

/** What would happen for each partner of the plan, for a dry run and the command line. */
export function outlook(situation: Situation): ParametersParameter[] {
  const known = consider(situation)
  return [
    ...known.missing.map(({ words }) => text('missing', words)),
    ...known.strangers.map(({ key }) =>
      text('unknown-partner', `The plan gives “${key}” to an organisation that is not in the directory.`),
    ),
    ...known.partners.map((considered) =>
      part(
        'partner',
        { name: 'organization', valueReference: { reference: `Organization/${considered.partner.id}`, display: considered.partner.name } },
        ...(considered.opens ? [text('opens', considered.opens === 'unknown' ? 'once the release date is known' : considered.opens)] : []),
        ...decisionOf(considered),
      ),
    ),
  ]
}

function decisionOf({ decision, filled, adapter, unsigned }: Considered): ParametersParameter[] {
  const byAgreement = new Map(
    filled.withheld.map((one) => {
      const { because, reason } = decision.permit(one)
      return [because, [...provisionOf(reason), text('would-change', remedyWords(reason))]]
    }),
  )
  const consent = decision.consent
    ? [{ name: 'consent', valueReference: { reference: `Consent/${decision.consent.id}/_history/${decision.consent.version}` } }]
    : []
  return [
    text('decision', decisionWords(filled, decision.because)),
    ...(unsigned ? [text('unsigned', `Nothing new is told: ${unsigned}.`)] : []),
    ...consent,
    text('purpose', adapter.mapping.purpose),
    text('legal-basis', adapter.mapping.legalBasis),
    ...(filled.outcome === 'ready'
      ? grouped(filled.disclosures).map(([words, refs]) => part('told', text('what', words), ...refs.map((ref) => text('from', ref))))
      : []),
    ...grouped(filled.withheld).map(([words, refs, because]) =>
      part(
        'withheld',
        text('what', words),
        text('because', because as string),
        ...refs.map((ref) => text('from', ref)),
        ...(byAgreement.get(because as string) ?? [text('would-change', mappingRemedy)]),
      ),
    ),
  ]
}

const decisionWords = (filled: Filled, because: string): string =>
  filled.outcome === 'ready'
    ? `May be told what is listed: ${because}.`
    : filled.outcome === 'withheld'
      ? `Is told nothing: ${filled.because}.`
      : `Can not be told yet: the record does not say ${filled.missing.join(', ')}.`

/** Items of the same categories and reason in one line: words, where they stand in the record, why. */
function grouped(items: readonly (Disclosure & { because?: string })[]): [words: string, refs: string[], because?: string][] {
  const groups = new Map<string, { words: string; refs: Set<string>; because?: string }>()
  for (const { categories: of, ref, because } of items) {
    const words = of.length ? of.map((category) => categories[category].words).join(' and ') : 'information without a label'
    const key = `${words}|${because}`
    const group = groups.get(key) ?? { words, refs: new Set<string>(), ...(because ? { because } : {}) }
    groups.set(key, group)
    if (ref.includes('/')) group.refs.add(ref.split('#')[0] as string)
  }
  return [...groups.values()].map(
    ({ words, refs, because }) => [words, [...refs], ...(because ? [because] : [])] as [string, string[], string?],
  )
}

/** Patient/{id}/$who-was-told: each partner, when, which categories, on which basis, by message or by reading. */
export async function whoWasTold(exchange: Exchange, request: Request, id: string): Promise<Answer> {
  const stored = await readResource(exchange.database, request.caller.shelf, 'Patient', id)
  if (request.caller.role !== 'service' || !stored?.body) throw refuse(404, 'not-found', 'There is no such Patient here.', 'Patient')
  const [told, account] = await Promise.all([toldAbout(exchange, id), accountOf(exchange, id)])
  await exchange.database.atomically([recordAudit([handedOut(exchange, request, 'account', id)])])
  return {
    ...answer(told.map(toldPart)),
    ...(account ? { page: accountPage(account) } : {}),
  }
}

/** Asked for by or for the person it is about. */
export const handedOut = (
  exchange: Pick<Exchange, 'now'>,
  request: Request,
  action: 'account' | 'subject-access',
  patient: string,
): AuditRow => ({
  ...lookedAt(exchange, request, action, patient, `Patient/${patient}`),
  detail: JSON.stringify({ purposeOfUse: 'PATRQT' }),
})

/** Somebody looked at what is decided about a person. */
export const lookedAt = (exchange: Pick<Exchange, 'now'>, request: Request, action: string, patient: string, entity: string): AuditRow => ({
  id: newId(),
  at: exchange.now().toISOString(),
  ...actorOf(request),
  action,
  ...(request.caller.service ? { service: request.caller.service } : {}),
  patient,
  entity,
})

const toldPart = (told: Told): ParametersParameter =>
  part(
    'told',
    {
      name: 'recipient',
      valueReference: { ...(told.recipient === outside ? {} : { reference: `Organization/${told.recipient}` }), display: told.name },
    },
    { name: 'when', valueInstant: told.at },
    text('how', told.how),
    ...told.what.map((words) => text('what', words)),
    ...(told.basis ? [text('basis', told.basis)] : []),
    ...(told.notForPerson ? [{ name: 'not-for-person', valueBoolean: true }] : []),
  )

/** `notForPerson`: told under an override that is not safe to show to the person; staff see it. */
export type Told = {
  recipient: string
  name: string
  at: string
  how: string
  what: string[]
  categories: Category[]
  basis?: string
  notForPerson?: true
  /** A message, and how it went; else it was read, or handed over. */
  sent?: Sent
  /** It was not sent but waits to be read. */
  waits?: true
}

type Handed = { organisation: string; officer?: string; how: string; what: Disclosure[]; safeToShow: boolean }
const handed = (row: AuditRow): Told => {
  const { organisation, officer, how, what, safeToShow } = JSON.parse(row.detail as string) as Handed
  return {
    recipient: outside,
    name: officer ? `${organisation} (${officer})` : organisation,
    at: row.at,
    how: `was given a document: ${how}`,
    what: grouped(what).map(([words]) => words),
    categories: categoriesOf(what),
    ...(row.basis ? { basis: row.basis } : {}),
    ...(safeToShow ? {} : { notForPerson: true as const }),
  }
}

/** One line for each time a partner was told something, the oldest first; from the audit. */
export async function toldAbout(exchange: Pick<Exchange, 'database' | 'directory'>, patient: string): Promise<Told[]> {
  // What was told of a record that is part of this one now was told about this person.
  const people = [patient, ...(await mergedInto(exchange.database, patient))]
  const rows = (await Promise.all(people.map((one) => auditOf(exchange.database, one, 10_000)))).flat()
  rows.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
  const owed = (await Promise.all(people.map((one) => owedOfPatient(exchange.database, one)))).flat()
  const { partners } = exchange.directory()
  const basis = new Map(
    rows.flatMap((row) =>
      row.action === 'owe' && row.detail ? [[(JSON.parse(row.detail) as { message: string }).message, row.basis] as const] : [],
    ),
  )
  const hidden = new Set(
    rows.flatMap((row) => (row.action === 'owe' && isHidden(row) ? [(JSON.parse(row.detail as string) as Sent).message] : [])),
  )
  return rows
    .filter((row) => row.recipient && /^(deliver|attempt|read|vread|search|history|disclose)$/.test(row.action))
    .map((row): Told => {
      if (row.action === 'disclose') return handed(row)
      const recipient = row.recipient as string
      const message = /^(deliver|attempt)$/.test(row.action) && row.detail ? (JSON.parse(row.detail) as Sent) : undefined
      const sent = owed.find((one) => one.id === message?.message)
      const because = message && basis.get(message.message)
      const disclosed = sent ? (JSON.parse(sent.basis) as Disclosure[]) : []
      const pulls = partners.get(recipient)?.channel.name === 'pull'
      return {
        recipient,
        name: partners.get(recipient)?.name ?? recipient,
        at: row.at,
        how: message ? sentWords(message, pulls) : `read ${row.entity ?? 'its list'}`,
        what: grouped(disclosed).map(([words]) => words),
        categories: categoriesOf(disclosed),
        ...((because ?? row.basis) ? { basis: because ?? (row.basis as string) } : {}),
        ...((message && hidden.has(message.message)) || isHidden(row) ? { notForPerson: true as const } : {}),
        ...(message ? { sent: message, ...(pulls ? { waits: true as const } : {}) } : {}),
      }
    })
    .reverse()
}

const isHidden = ({ detail }: AuditRow): boolean =>
  detail !== undefined && (JSON.parse(detail) as { safeToShow?: boolean }).safeToShow === false
const categoriesOf = (disclosed: readonly Disclosure[]): Category[] => [...new Set(disclosed.flatMap((one) => one.categories))]

type Sent = { message: string; reason: string; outcome: string }

function sentWords({ reason, outcome }: Sent, pulls: boolean): string {
  if (reason === 'end') return 'was told that the support has ended, without content'
  if (reason.startsWith('answer-')) return 'was told whether the person is taken on, without content'
  if (reason === 'revoke') return 'was told to stop, without content'
  if (outcome === 'rejected') return 'was sent a message, which it rejected'
  if (outcome === 'unavailable') return 'may have received a message: it gave no good answer'
  return pulls ? 'found it on its shelf to read' : 'by a message'
}

async function handover(exchange: Exchange, request: Request, id: string): Promise<{ situation: Situation; task: Task }> {
  const stored = request.caller.role === 'service' ? await readResource(exchange.database, request.caller.shelf, 'Task', id) : undefined
  const situation = stored?.patient ? await situationOf(exchange, stored.patient) : undefined
  const task = stored?.body as Task | undefined
  if (!situation || !task || !isHandover(task)) throw refuse(404, 'not-found', 'There is no such handover here.', 'Task')
  return { situation, task }
}

const partnerName = ({ directory }: Situation, id: string): string => directory.partners.get(id)?.name ?? id
