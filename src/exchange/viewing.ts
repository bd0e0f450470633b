/**
 * What a partner may see now of what stands on its shelf, decided anew for each person each time it looks, and each look in the audit
 * (promises 2, 3 and 7).
 */
import type { Caller, Request } from '../access/caller.ts'
import { decide } from '../domain/consent.ts'
import type { Disclosure } from '../mapping.ts'
import { type AuditRow, recordAuditRows } from '../store/audit.ts'
import { newId } from '../store/random.ts'
import type { Stored } from '../store/resources.ts'
import { lookAgain } from './amend.ts'
import { actorOf } from './change.ts'
import type { Exchange } from './exchange.ts'
import { watch } from './fence.ts'
import { groundsOf, noGrounds } from './grounds.ts'
import { basisOf, permittedStill } from './overriding.ts'
import { neverSigned } from './signed.ts'

/** What may be seen now; for each person what that was decided on; and whom nothing, or not all, is told of any more, and why. */
export type Decided = { seen: Stored[]; basis: ReadonlyMap<string, ReturnType<typeof basisOf>>; refused: ReadonlyMap<string, string> }
export const undecided = (rows: readonly Stored[]): Decided => ({ seen: [...rows], basis: new Map(), refused: new Map() })

/**
 * Looks at a partner's rows whose every disclosure is permitted now. What no longer is, is looked at again, so that the shelf follows.
 * A service reads its own record and a referrer its own referrals: nothing to decide.
 *
 * @param look is given the rows, and `lasting` to ask for them once more right before it answers: when somebody withdrew meanwhile,
 *   they are decided again
 */
export async function viewing<T>(
  exchange: Exchange,
  { caller }: Request,
  rows: readonly Stored[],
  look: (decided: Decided, lasting: () => Promise<Stored[]>) => Promise<T>,
): Promise<T> {
  if (caller.role !== 'partner' || !rows.length) return look(undecided(rows), async () => [...rows])
  const people = [...new Set(rows.flatMap(({ patient, basis }) => (patient && basis !== '[]' ? [patient] : [])))]
  const decideAnew = async () => {
    const watching = watch(exchange.database, people)
    try {
      return { watching, ...(await stillAllowed(exchange, caller, people, rows)) }
    } catch (error) {
      watching.end()
      throw error
    }
  }
  let decided = await decideAnew()
  try {
    for (const patient of decided.refused.keys()) await lookAgain(exchange, patient)
    return await look(decided, async () => {
      while (decided.watching.stale()) {
        decided.watching.end()
        decided = await decideAnew()
      }
      return decided.seen
    })
  } finally {
    decided.watching.end()
  }
}

async function stillAllowed(exchange: Exchange, caller: Caller, people: readonly string[], rows: readonly Stored[]): Promise<Decided> {
  const partner = exchange.directory().partners.get(caller.partner as string)
  const adapter = partner && exchange.adapters.get(partner.kind)
  if (!partner || !adapter) return undecided([])
  if (neverSigned(exchange, partner.kind)) return undecided(rows.filter(({ basis }) => basis === '[]'))
  const grounds = await groundsOf(exchange.database, people)
  const decisions = new Map(
    people.map((patient) => [
      patient,
      decide({
        ...noGrounds,
        ...grounds.get(patient),
        recipient: { partner: partner.id, kind: partner.kind, ...(partner.ods ? { ods: partner.ods } : {}) },
        purposeOfUse: adapter.mapping.purposeOfUse,
        now: exchange.now(),
        // What stands on its shelf it has been told.
        alreadyTold: true,
      }),
    ]),
  )
  const basis = new Map<string, ReturnType<typeof basisOf>>()
  const refused = new Map<string, string>()
  const under = new Map<string, Disclosure>()
  const seen = rows.filter((row) => {
    if (row.basis === '[]') return true
    const decision = row.patient === undefined ? undefined : decisions.get(row.patient)
    if (!decision || row.basis === undefined) return false
    const told = JSON.parse(row.basis) as Disclosure[]
    const no = told.map((one) => permittedStill(decision, one)).find(({ permitted }) => !permitted)
    const override = told.find((one) => one.override)
    if (no) refused.set(row.patient as string, no.because)
    else if (override) under.set(row.patient as string, override)
    return !no
  })
  for (const [patient, decision] of decisions) {
    const override = under.get(patient)
    basis.set(patient, basisOf(decision, override ? [override] : [], grounds.get(patient)?.overrides ?? []))
  }
  return { seen, basis, refused }
}

/**
 * One row for each person seen, and one for each whom something was kept back of, in the commit that makes the reading known; the
 * answer waits for it.
 *
 * @param asked a search as it was understood
 */
export async function auditRead(
  exchange: Exchange,
  request: Request,
  action: string,
  { seen, basis, refused }: Decided,
  asked?: string,
): Promise<void> {
  const { caller } = request
  const common = {
    at: exchange.now().toISOString(),
    ...actorOf(request),
    ...(caller.service ? { service: caller.service } : {}),
    ...(caller.partner ? { recipient: caller.partner } : {}),
  }
  const about = (patient: string | undefined, said: object = asked === undefined ? {} : { asked }) => {
    const { basis: on, detail: more } = (patient && basis.get(patient)) || {}
    const detail = { ...said, ...more }
    return {
      id: newId(),
      ...common,
      ...(patient ? { patient } : {}),
      ...(on ? { basis: on } : {}),
      ...(Object.keys(detail).length ? { detail: JSON.stringify(detail) } : {}),
    }
  }
  const entries: AuditRow[] = [...Map.groupBy(seen, ({ patient }) => patient)].map(([patient, rows]) => ({
    ...about(patient),
    action,
    entity:
      rows.length === 1
        ? `${rows[0]?.type}/${rows[0]?.id}/_history/${rows[0]?.version}`
        : [...new Set(rows.map(({ type }) => type))].join(','),
  }))
  const withheld: AuditRow[] = [...refused].map(([patient, because]) => ({
    ...about(patient, { because, when: 'read' }),
    action: 'withhold',
  }))
  const rows = entries.length + withheld.length ? [...entries, ...withheld] : [{ ...about(undefined), action }]
  await exchange.database.atomically(recordAuditRows(rows))
}
