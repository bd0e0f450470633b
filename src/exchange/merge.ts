/**
 * `Patient/$merge`: a person decided that two records are of one person. In one commit everything of the source becomes part of the
 * target's record: sealed anew with its key, its references set right, versions and audit left as they were. The source stays as an
 * inactive Patient that leads to the target. What was moved is kept, so that it can be undone (unmerge.ts).
 *
 * Partners keep the handovers they have; what they are told is planned anew from the one record. Where both records have an agreement, no
 * partner is told anything that not both permit (doubt.ts). Where only one has, it counts for the one person that somebody says they are.
 *
 * @see hl7.org/fhir/R5/patient-operation-merge.html
 */
import type { CarePlan, CareTeam, ParametersParameter, Resource } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { codeIn } from '../domain/resources.ts'
import { outcome, refuse } from '../fhir/outcome.ts'
import { ours } from '../fhir/systems.ts'
import { recordAudit } from '../store/audit.ts'
import { type Merge, recordMerge } from '../store/merges.ts'
import { newId } from '../store/random.ts'
import type { Stored } from '../store/resources.ts'
import { resolveWorkItemAbout } from '../store/work-items.ts'
import { aboutDuplicate } from './alike.ts'
import { commit, isRace } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import { rivalsOf } from './doubt.ts'
import type { Answer, Exchange } from './exchange.ts'
import { lookedAt } from './explain.ts'
import { isMergedAway, type MergeDetail } from './merge-detail.ts'
import { previewOf } from './merge-preview.ts'
import { saidIn } from './merge-said.ts'
import { joined } from './merged-patient.ts'
import { patientOf, twoOf } from './not-same.ts'
import { fingerprintOf, once } from './once.ts'
import { rewriteReferences } from './references.ts'
import { ofType, resourcesOf, type Situation, serviceShelf } from './situation.ts'
import { keepAsMerged, silentOf } from './unconfirmed.ts'

const attempts = 20

/** @param target of the address, when it names one: `Patient/{id}/$merge` */
export async function merge(exchange: Exchange, request: Request, target: string | undefined, body: unknown): Promise<Answer> {
  const said = saidIn(body, ['source-patient', 'target-patient', 'preview', 'reason'])
  const source = said.patient('source-patient', true)
  const named = said.patient('target-patient', target === undefined)
  const into = named ?? { patient: target as string, at: 'Patient' }
  const [preview, reason] = [said.flag('preview'), said.words('reason')]
  if (named && target !== undefined && named.patient !== target)
    said.issues.push({ code: 'value', text: 'The address names another target.', expression: named.at })
  if (source && source.patient === into.patient)
    said.issues.push({ code: 'value', text: 'A record is not merged into itself.', expression: source.at })
  said.end()
  const print = () => fingerprintOf('$merge', target, body)
  return once(exchange, request, print, async (inbox) => {
    for (let attempt = 1; ; attempt++) {
      const both = await twoOf(exchange, request, [source as NonNullable<typeof source>, into])
      mustBeFree(both, [source?.at as string, into.at])
      const row = newMerge(exchange, both)
      if (preview) {
        const shown = previewOf(both, actorOf(request), (from, to) => together(from, to, row, reason))
        await exchange.database.atomically([
          recordAudit(both.map(({ patient }) => lookedAt(exchange, request, 'dry-run', patient, `Patient/${patient}`))),
        ])
        return answerOf(shown, 'Nothing was changed: this is what would be.')
      }
      try {
        let kept: Resource | undefined
        await commit(
          exchange,
          both,
          actorOf(request),
          ([from, to]) => {
            kept = together(from as Change, to as Change, row, reason)
          },
          () => [
            recordMerge(row),
            resolveWorkItemAbout(row.source, aboutDuplicate(row.target), row.at),
            resolveWorkItemAbout(row.target, aboutDuplicate(row.source), row.at),
            ...inbox({ status: 200, body: outcome(200, [done]) }),
          ],
        )
        return answerOf([{ name: 'result', resource: kept as Resource }], done.text)
      } catch (error) {
        if (!isRace(error) || attempt === attempts) throw error
      }
    }
  })
}

const done = { code: 'informational', severity: 'information', text: 'The records are one now.' } as const

function mustBeFree(both: readonly [Situation, Situation], places: readonly [string, string]): void {
  for (const [n, situation] of both.entries())
    if (isMergedAway(situation)) throw refuse(409, 'conflict', 'This record is part of another one already.', places[n] as string)
}

const newMerge = (exchange: Exchange, [source, target]: readonly [Situation, Situation]): Merge => ({
  id: newId(),
  service: target.service.id,
  state: 'merged',
  source: source.patient,
  target: target.patient,
  at: exchange.now().toISOString(),
  detail: '{}',
})

const answerOf = (parts: ParametersParameter[], text: string): Answer => {
  const parameter = [{ name: 'outcome', resource: outcome(200, [{ ...done, text }]) }, ...parts]
  return { status: 200, body: { resourceType: 'Parameters', parameter } }
}

/** Everything of `from` under `to`. Sets `row.detail`. */
function together(from: Change, to: Change, row: Merge, reason: string | undefined): Resource {
  const shelf = serviceShelf(row.service)
  const [source, target] = [patientOf(from.situation), patientOf(to.situation)]
  const rivals = rivalsOf([from.situation, to.situation])
  const silent = silentOf([from.situation, to.situation])
  keepAsMerged(from.situation, to.situation)
  const detail: MergeDetail = {
    patients: [from, to].map(({ situation }) => at(situation.record.get(`Patient/${situation.patient}`) as Stored)),
    stood: [...to.situation.record.values()].filter(({ patient, id }) => patient === row.target && id !== row.target).map(at),
    moved: [],
  }
  const bothPlanned = activePlans(from.situation).length > 0 && activePlans(to.situation).length > 0
  const waits = aside(from.situation, to.situation)

  takeMessages(from, to)
  for (const stored of [...from.situation.record.values()]) {
    if (stored.patient !== row.source || stored.id === row.source || !stored.body) continue
    from.situation.record.delete(`${stored.type}/${stored.id}`)
    const moved = to.adopt(stored, rehomed(waits(stored.body), row.source, row.target))
    detail.moved?.push([`${stored.type}/${stored.id}`, stored.version, moved.version])
  }
  for (const [key, stored] of [...from.situation.told]) {
    from.situation.told.delete(key)
    if (!stored.body) continue
    // A referrer keeps what it told as it told it: it does not learn that the person was known already.
    const same = stored.shelf.startsWith('referrer:')
    to.adopt(stored, same ? stored.body : rehomed(stored.body, row.source, row.target))
  }
  const left = from.put(shelf, {
    ...source,
    active: false,
    link: [...(source.link ?? []), { other: { reference: `Patient/${row.target}` }, type: 'replaced-by' }],
  })
  const kept = to.put(shelf, joined(source, target))
  if (rivals) detail.rivals = rivals
  if (silent) detail.silent = silent
  row.detail = JSON.stringify(detail)
  const told = JSON.stringify({ source: `Patient/${row.source}`, target: `Patient/${row.target}`, ...(reason ? { because: reason } : {}) })
  from.audit({ action: 'merge', entity: `Patient/${row.source}/_history/${left.version}`, detail: told })
  to.audit({ action: 'merge', entity: `Patient/${row.target}/_history/${kept.version}`, detail: told })
  if (bothPlanned) to.ask({ about: `merge:${row.id}`, reason: 'merge-plans', words: plansWords })
  // What was decided about either holds for the one record, at once.
  const known = new Map([...from.situation.merges, ...to.situation.merges, row].map((one) => [one.id, one]))
  from.situation.merges = to.situation.merges = [...known.values()]
  return kept.body as Resource
}

const plansWords =
  'Two records were merged and both had a plan. The plan of the record that stays goes on, the other one is a draft again and its partners are told to stop. Take over into the one plan what the person still needs.'

const at = ({ type, id, version }: Stored): [string, number] => [`${type}/${id}`, version]

const rehomed = (resource: Resource, from: string, to: string): Resource =>
  rewriteReferences(resource, (reference) => (reference === `Patient/${from}` ? `Patient/${to}` : undefined))

/** What has not left yet is written again from the one record; a notice to stop goes as it is. */
function takeMessages(from: Change, to: Change): void {
  for (const owed of from.situation.owed)
    if (/^(due|parked)$/.test(owed.state) && owed.basis !== '[]') from.void(owed, 'the record was merged into another one')
  // Records that were one before know of each other's messages: the same rows, as they stand now.
  const mine = new Map(from.situation.owed.map((one) => [one.id, one]))
  to.situation.owed = to.situation.owed.map((one) => mine.get(one.id) ?? one)
  const known = new Set(to.situation.owed.map(({ id }) => id))
  to.situation.owed.push(...from.situation.owed.filter(({ id }) => !known.has(id)))
}

const activePlans = (situation: Situation) =>
  ofType(resourcesOf(situation.record), 'CarePlan').filter(({ status, intent }) => status === 'active' && intent !== 'proposal')
const namesWorker = ({ status, participant }: CareTeam) =>
  status !== 'inactive' &&
  participant?.some(({ role }) => role?.some((each) => codeIn(each, ours('team-role')) === 'named-worker')) === true

/** One plan and one named worker: where the target has its own, the source's stand back. */
function aside(from: Situation, to: Situation): (resource: Resource) => Resource {
  const planned = activePlans(to).length > 0
  const worker = ofType(resourcesOf(to.record), 'CareTeam').some(namesWorker)
  const plans = new Set<CarePlan>(activePlans(from))
  return (resource) => {
    if (planned && resource.resourceType === 'CarePlan' && plans.has(resource)) return { ...resource, status: 'draft' }
    if (worker && resource.resourceType === 'CareTeam' && namesWorker(resource)) return { ...resource, status: 'inactive' }
    return resource
  }
}
