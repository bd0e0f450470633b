/**
 * `Patient/{id}/$unmerge`: two records were merged and are of two people. In one commit each has again what was theirs, from what the merge
 * kept. What was recorded while they were one stays with the target under a tag that lets nobody be told it, until a person has said whom
 * it is about; and an agreement recorded or changed meanwhile permits nothing until its person says it anew.
 *
 * Handovers are where they are now: what happened with a partner happened. Everything else that both records held then stands as it stood
 * then; later versions stay in its history and are listed for a person.
 */
import type { Resource } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { likenessOf } from '../domain/alike.ts'
import { isUnsorted, unsortedTag } from '../domain/resources.ts'
import { outcome, refuse } from '../fhir/outcome.ts'
import { type Merge, undoMerge } from '../store/merges.ts'
import { readVersions, type Stored } from '../store/resources.ts'
import { resolveWorkItemAbout } from '../store/work-items.ts'
import { commit, isRace } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { type At, detailOf, isMergedAway, type MergeDetail, onlyMoved } from './merge-detail.ts'
import { saidIn } from './merge-said.ts'
import { patientOf, twoOf } from './not-same.ts'
import { fingerprintOf, once } from './once.ts'
import { rewriteReferences } from './references.ts'
import { consentsOf, type Situation, serviceShelf, situationOf } from './situation.ts'
import { handoverKey, isHandoverRequest, isReferralAnswer } from './task.ts'

const attempts = 20

/** @param patient the one that stayed, or the one that was merged into it */
export async function unmerge(exchange: Exchange, request: Request, patient: string, body: unknown): Promise<Answer> {
  const said = saidIn(body ?? { resourceType: 'Parameters', parameter: [] }, ['source-patient', 'reason'])
  const source = said.patient('source-patient', false)
  const reason = said.words('reason')
  said.end()
  const print = () => fingerprintOf('$unmerge', patient, body)
  return once(exchange, request, print, async (inbox) => {
    for (let attempt = 1; ; attempt++) {
      const row = await mergeOf(exchange, request, patient, source)
      const both = await twoOf(exchange, request, [
        { patient: row.target, at: 'Patient' },
        { patient: row.source, at: 'Patient' },
      ])
      const before = await versionsOf(exchange, row)
      const answer = { status: 200, body: outcome(200, [{ code: 'informational', severity: 'information', text: words }]) }
      try {
        let detail = ''
        // The target first: what leaves a partner's shelf with it has gone when the other one comes to stand there.
        await commit(
          exchange,
          both,
          actorOf(request),
          ([from, to]) => {
            detail = JSON.stringify(apart(from as Change, to as Change, row, before, reason))
          },
          () => [
            undoMerge(row.id, exchange.now().toISOString(), detail),
            resolveWorkItemAbout(row.target, `merge:${row.id}`, exchange.now().toISOString()),
            ...inbox(answer),
          ],
        )
        return answer
      } catch (error) {
        if (!isRace(error) || attempt === attempts) throw error
      }
    }
  })
}

const words = 'The records are two again. What was recorded while they were one waits for a person to say whom it is about.'

async function mergeOf(
  exchange: Exchange,
  request: Request,
  patient: string,
  source: { patient: string; at: string } | undefined,
): Promise<Merge> {
  if (request.caller.role !== 'service') throw refuse(403, 'forbidden', 'Only a service decides about the records of its people.')
  const situation = await situationOf(exchange, patient)
  if (!situation || situation.service.id !== request.caller.service)
    throw refuse(404, 'not-found', 'There is no such Patient here.', 'Patient')
  const standing = situation.merges.filter(({ state, source, target }) => state === 'merged' && (source === patient || target === patient))
  const asked = isMergedAway(situation) ? standing.filter((one) => one.source === patient) : standing
  const some = source ? asked.filter((one) => one.source === source.patient) : asked
  if (some.length === 0) throw refuse(409, 'conflict', 'There is no such merge to undo.', source?.at ?? 'Patient')
  if (some.length > 1)
    throw refuse(422, 'business-rule', 'Several records are part of this one: name one as source-patient.', 'Parameters.parameter')
  const [row] = some as [Merge]
  const target = await situationOf(exchange, row.target)
  if (target && isMergedAway(target))
    throw refuse(409, 'conflict', 'The record it was merged into is part of another one: undo that first.', 'Patient')
  // What a later merge noted as standing there is of this one as well: it would come back with it.
  const later = target?.merges.find((one) => one.state === 'merged' && one.target === row.target && stoodAt(one) > stoodAt(row))
  if (later) throw refuse(409, 'conflict', `Patient/${later.source} was merged into this record later: undo that first.`, 'Patient')
  return row
}

/** The version of the target's Patient that a merge found. */
const stoodAt = (row: Merge): number => detailOf(row).patients?.find(([ref]) => ref === `Patient/${row.target}`)?.[1] ?? 0

/** What the merge found, as it stood then: by reference. What is no longer kept is left out. */
async function versionsOf({ database }: Exchange, row: Merge): Promise<Map<string, Resource>> {
  const { patients = [], stood = [], moved = [] } = detailOf(row)
  const wanted: At[] = [...patients, ...stood, ...moved.map(([ref, version]): At => [ref, version])]
  const found = await readVersions(database, serviceShelf(row.service), wanted)
  return new Map(found.flatMap(({ type, id, body }) => (body ? [[`${type}/${id}`, body]] : [])))
}

/** @param from the target, which gives back; `to` the source. Gives the detail of the merge as it is kept from now on */
function apart(from: Change, to: Change, row: Merge, before: ReadonlyMap<string, Resource>, reason: string | undefined) {
  const shelf = serviceShelf(row.service)
  const { moved = [], stood = [] } = detailOf(row)
  const alike = likenessOf(patientOf(to.situation), patientOf(from.situation))
  const theirs = new Map(moved.map(([ref, , version]) => [ref, version]))
  const own = new Map(stood)
  const back = (resource: Resource) =>
    rewriteReferences(resource, (reference) => (reference === `Patient/${row.target}` ? `Patient/${row.source}` : undefined))
  // The merge itself wrote one version of each.
  const changed = [...from.situation.record.values()].flatMap(({ type, id, version }) =>
    id === row.target && type === 'Patient' && version > stoodAt(row) + 1 ? [`${type}/${id}`] : [],
  )
  let agreed = false
  const returned: MergeDetail['back'] = []

  // Ours now, and of the plan that goes back: so do its handovers.
  const goesBack = ({ body }: Stored): boolean =>
    body !== undefined && isOfExchange(body) && planOf(body) !== undefined && theirs.has(planOf(body) as string)
  to.situation.asMerged = new Map([...(from.situation.asMerged ?? []), ...(to.situation.asMerged ?? [])])
  takeMessages(from, to, ({ type, id }) => theirs.has(`${type}/${id}`), goesBack)

  for (const stored of [...from.situation.record.values()]) {
    const ref = `${stored.type}/${stored.id}`
    const { body } = stored
    if (!body || stored.patient !== row.target || stored.id === row.target) continue
    const then = before.get(ref)
    const version = theirs.get(ref) ?? own.get(ref)
    const isConsent = stored.type === 'Consent'
    const asItWas = version !== undefined && onlyMoved(from.situation.merges, ref, version).has(stored.version)
    if (version !== undefined && !asItWas && !isOfExchange(body)) changed.push(ref)
    if (isConsent && !asItWas) agreed = true
    const kept = isOfExchange(body) || isConsent ? undefined : then
    if (theirs.has(ref) || goesBack(stored)) {
      from.situation.record.delete(ref)
      const { version: now } = to.adopt(stored, kept ?? back(body))
      const [, was] = moved.find(([one]) => one === ref) ?? []
      if ((kept || asItWas) && was !== undefined) returned.push([ref, was, now])
    } else if (own.has(ref)) {
      if (kept && !asItWas) from.put(shelf, kept)
    } else if (!isOfExchange(body) && !isUnsorted(body) && !isOfAnother(from.situation, row, ref)) {
      from.put(shelf, { ...body, meta: { ...body.meta, tag: [...(body.meta?.tag ?? []), unsortedTag] } })
    }
  }
  for (const [key, stored] of [...from.situation.told]) {
    const ref = `${stored.type}/${stored.id}`
    if (!stored.body || !to.situation.record.has(ref) || !isOfExchangeOrReferrer(stored)) continue
    from.situation.told.delete(key)
    to.adopt(stored, stored.shelf.startsWith('referrer:') ? stored.body : back(stored.body))
  }
  for (const { put, situation } of [from, to]) {
    const then = before.get(`Patient/${situation.patient}`)
    if (then) put(shelf, then)
  }
  const told = JSON.stringify({ source: `Patient/${row.source}`, target: `Patient/${row.target}`, ...(reason ? { because: reason } : {}) })
  for (const one of [from, to]) {
    one.audit({ action: 'unmerge', entity: `Patient/${one.situation.patient}`, detail: told })
    if (changed.length) one.ask({ about: `merge:undone-${row.id}`, reason: 'unmerged', words: changedWords(changed) })
  }
  const unsorted = agreed
    ? [from, to].flatMap(({ situation }) => consentsOf(situation).map((one): At => [`Consent/${one.id}`, Number(one.meta?.versionId)]))
    : []
  const detail: MergeDetail = { alike, back: returned, ...(unsorted.length ? { unsorted } : {}) }
  const undone: Merge = { ...row, state: 'undone', detail: JSON.stringify(detail) }
  for (const { situation } of [from, to]) situation.merges = situation.merges.map((one) => (one.id === row.id ? undone : one))
  return detail
}

const changedWords = (changed: readonly string[]): string =>
  `Two records were taken apart again. These were changed while they were one, and stand as they stood before: ${changed.join(', ')}. Look at their history, and write again what is right.`

/** Handovers and answers to referrers are the exchange's own: they go on from where they are. */
const isOfExchange = (resource: Resource): boolean =>
  (resource.resourceType === 'Task' && (handoverKey(resource) !== undefined || isReferralAnswer(resource))) ||
  (resource.resourceType === 'ServiceRequest' && isHandoverRequest(resource))

const isOfExchangeOrReferrer = ({ shelf, type }: Stored): boolean =>
  shelf.startsWith('referrer:') || type === 'Task' || type === 'ServiceRequest'

/** The plan a handover came from. */
function planOf(resource: Resource): string | undefined {
  if (resource.resourceType === 'Task') return resource.basedOn?.[0]?.reference
  return resource.resourceType === 'ServiceRequest' ? resource.basedOn?.[0]?.reference : undefined
}

/** Came with another record that is still part of this one. */
const isOfAnother = ({ merges }: Situation, row: Merge, ref: string): boolean =>
  merges.some((one) => one.state === 'merged' && one.id !== row.id && detailOf(one).moved?.some(([moved]) => moved === ref))

/** Nothing leaves that was written about both; what is known of a handover's messages goes with it. */
function takeMessages(
  from: Change,
  to: Change,
  isTheirs: (one: { type: string; id: string }) => boolean,
  goesBack: (stored: Stored) => boolean,
): void {
  for (const owed of from.situation.owed)
    if (/^(due|parked)$/.test(owed.state) && owed.basis !== '[]') from.void(owed, 'the records are two again')
  const known = new Map(from.situation.owed.map((one) => [one.id, one]))
  const tasks = new Set(
    [...from.situation.record.values()].filter((one) => one.type === 'Task' && (isTheirs(one) || goesBack(one))).map(({ id }) => id),
  )
  // The same rows, as they stand now.
  to.situation.owed = to.situation.owed.map((one) => known.get(one.id) ?? one)
  const has = new Set(to.situation.owed.map(({ id }) => id))
  to.situation.owed.push(...from.situation.owed.filter(({ id, task }) => tasks.has(task) && !has.has(id)))
}
