/**
 * What each partner of a plan would be told now, and why: the one consideration that planning, `$why`, the dry run and the
 * command line all share. Pure: a situation in, an opinion out.
 */
import type { Consent, Resource } from '@medplum/fhirtypes'
import { v5 } from 'uuid'
import type { Adapter } from '../adapter.ts'
import { startOfDay, today } from '../domain/calendar.ts'
import type { Activity, Case, Custody, Source } from '../domain/case.ts'
import { type Category, categories, higher } from '../domain/categories.ts'
import { type Decision, decide } from '../domain/consent.ts'
import type { Partner } from '../domain/directory.ts'
import { givenAway } from '../domain/labels.ts'
import { type Missing, read } from '../domain/read.ts'
import { given, isUnsorted } from '../domain/resources.ts'
import { whyUnsigned } from '../domain/sign-off.ts'
import type { Filled, Scope } from '../mapping.ts'
import { type Grounds, groundsFor } from './doubt.ts'
import { fillFor } from './overriding.ts'
import { resourcesOf, type Situation, tasksOf } from './situation.ts'
import { cameToNothing, handoverKey, handoverKeyFor } from './task.ts'
import { holdingBack, type Telling, tellingOf, withReleaseOf } from './telling.ts'

/** An activity of the plan, and the partner who is to carry it out. */
export type Wanted = { activity: Activity; partner: Partner; adapter: Adapter }

export type Considered = {
  partner: Partner
  adapter: Adapter
  wanted: Wanted[]
  decision: Decision
  filled: Filled
  /** The instant from which this kind of partner may be asked; absent: now. 'unknown': nobody knows the release date. */
  opens?: string | 'unknown'
  /** Why no agreement counts for now: records were merged, or taken apart again (doubt.ts). */
  doubt?: Grounds['doubt']
  /** While the person has not confirmed (unconfirmed.ts): it would be told another release, were it told what the record says now. */
  outdated?: true
  /** Why nothing new may be told, whatever was agreed: nobody signed the mapping. */
  unsigned?: string
}

export type Understanding = {
  case?: Case
  missing: Missing[]
  consents: Consent[]
  partners: Considered[]
  /** Activities whose performer is no partner we know. */
  strangers: Activity[]
  /** Only one of two merged records had an agreement, and the person has not said anything since (unconfirmed.ts): custody as partners are told it. */
  unconfirmed?: { custody?: Custody }
}

export function consider(situation: Situation): Understanding {
  const resources = resourcesOf(situation.record)
  const { case: found, missing } = read(resources, situation.patient, today(situation.now))
  const consents = resources.filter(
    (resource: Resource): resource is Consent => resource.resourceType === 'Consent' && !isUnsorted(resource),
  )
  if (!found?.plan) return { ...(found ? { case: found } : {}), missing, consents, partners: [], strangers: [] }

  const wanted: Wanted[] = []
  const strangers: Activity[] = []
  for (const activity of found.plan.activities) {
    if (!activity.performer || /^(cancelled|stopped|entered-in-error)$/.test(activity.status)) continue
    const partner = partnerOf(situation, activity.performer)
    const adapter = partner && situation.adapters.get(partner.kind)
    if (partner && adapter && !partner.retired) wanted.push({ activity, partner, adapter })
    else if (activity.performer.partner !== situation.service.id) strangers.push(activity)
  }
  const asked = inOrder(situation, found.plan.id, wanted)
  const spare = new Set(wanted.filter((one) => !asked.includes(one)).map(({ activity }) => activity))
  // Who is only asked if somebody else says no is part of nobody's plan until then.
  const now = spare.size ? { ...found, plan: { ...found.plan, activities: found.plan.activities.filter((one) => !spare.has(one)) } } : found
  const byPartner = Map.groupBy(asked, ({ partner }) => partner)
  const telling = tellingOf(situation, now, consents)
  const partners = [...byPartner.values()].map((group) => considerPartner(situation, telling, consents, group))
  return {
    case: found,
    missing,
    consents,
    partners,
    strangers,
    ...(telling.confirmed ? { unconfirmed: given('custody', telling.case.custody) } : {}),
  }
}

/** Of partners of one kind that one activity names, the first that has not said no; when all have, the last. */
function inOrder(situation: Situation, plan: string, wanted: readonly Wanted[]): Wanted[] {
  if (wanted.every(({ activity }) => activity.choice === undefined)) return [...wanted]
  const no = new Set(tasksOf(situation).flatMap((task) => (cameToNothing(task) ? (handoverKey(task) ?? []) : [])))
  const saidNo = ({ partner, activity }: Wanted) => no.has(handoverKeyFor(plan, partner.id, activity.key))
  const groups = Map.groupBy(wanted, (one) => (one.activity.choice === undefined ? one : `${one.activity.choice} ${one.partner.kind}`))
  const chosen = new Set([...groups.values()].map((group) => group.find((one) => !saidNo(one)) ?? group.at(-1)))
  return wanted.filter((one) => chosen.has(one))
}

function considerPartner(situation: Situation, telling: Telling, all: readonly Consent[], group: Wanted[]): Considered {
  const { partner, adapter } = group[0] as Wanted
  const { found, confirmed } = telling
  const asConfirmed = confirmed ? group.flatMap((one) => confirmed.asked(one) ?? []) : group
  const wanted = asConfirmed.length ? asConfirmed : group
  const scope = scopeOf(telling.case, wanted)
  const decideOn = (some: readonly Consent[]) => {
    const decision = decide({
      consents: some,
      overrides: situation.overrides,
      recipient: { partner: partner.id, kind: partner.kind, ...(partner.ods ? { ods: partner.ods } : {}) },
      purposeOfUse: adapter.mapping.purposeOfUse,
      now: situation.now,
    })
    return confirmed ? holdingBack(decision, confirmed.holds) : decision
  }
  const { doubt, ...grounds } = groundsFor(situation, all, (some) => {
    const on = decideOn(some)
    const told = fillFor(adapter.mapping, scope, on)
    return {
      told: told.outcome === 'ready' ? JSON.stringify(told.disclosures) : '',
      ...(on.changesAt ? { changesAt: on.changesAt } : {}),
    }
  })
  // Asked for nothing in what was confirmed, it is told nothing.
  const decided = decideOn(asConfirmed.length ? grounds.consents : [])
  const changesAt = [decided.changesAt, grounds.changesAt].filter((at) => at !== undefined).sort()[0]
  const decision = changesAt ? { ...decided, changesAt } : decided
  const filled = fillFor(adapter.mapping, scope, decision)
  const outdated =
    confirmed &&
    JSON.stringify(fillFor(adapter.mapping, scopeOf(withReleaseOf(found, telling.case), wanted), decision)) !== JSON.stringify(filled)
  const unsigned = whyUnsigned(situation.signOffs, adapter.mapping)
  // What can not wait for an agreement does not wait for a window.
  const opens = decision.overridden ? undefined : opening(found, adapter, situation.now)
  return {
    partner,
    adapter,
    wanted,
    decision,
    filled,
    ...(opens ? { opens } : {}),
    ...(outdated ? { outdated } : {}),
    ...(unsigned ? { unsigned } : {}),
    ...(doubt ? { doubt } : {}),
  }
}

/** A case as one partner's mapping sees it: the plan's activities are its own only. */
export function scopeOf(found: Case, wanted: readonly Wanted[]): Scope {
  const { plan, worker, ...about } = found
  const own = (id: string | undefined) => (id ? v5(`${found.person.id}/${id}`, v5.URL) : undefined)
  // A worker is told once for each person they look after, and goes with that person's information.
  const ids = worker && { practitionerId: own(worker.practitionerId), roleId: own(worker.roleId) }
  const rest = { ...about, ...(worker ? { worker: { ...worker, ...withoutGaps(ids ?? {}) } } : {}) }
  const activities = wanted.map(({ activity, adapter }): Activity & Source => {
    const besides = (part: unknown) => givenAway(part).filter((category) => !adapter.mapping.knows?.includes(category))
    return {
      ...activity,
      ref: `CarePlan/${plan?.id}#${activity.key}`,
      categories: ['activity'],
      confidentiality: 'N',
      ...codesOf(activity),
      reveals: { code: besides(activity.code), description: besides(activity.description) },
    }
  })
  if (!plan) return { ...rest, activities, others: [] }
  const { activities: all, ...outline } = plan
  const mine = new Set(wanted.map(({ activity }) => activity))
  const others = all.filter((activity) => !mine.has(activity)).map((activity) => otherActivity(plan.id, activity))
  return { ...rest, plan: outline, activities, others }
}

/** As every partner who is not asked for it sees an activity. */
const othersSeen = new WeakMap<Activity, Activity & Source>()
function otherActivity(plan: string, activity: Activity): Activity & Source {
  const seen = othersSeen.get(activity) ?? asOther(plan, activity)
  othersSeen.set(activity, seen)
  return seen
}

/** What the plan asks of somebody else: about all that its code and words say, and of nobody we name. */
function asOther(plan: string, activity: Activity): Activity & Source {
  const { performer: _nobody, ...rest } = activity
  const about = [...new Set<Category>(['activity', ...givenAway([activity.code, activity.description])])]
  const confidentiality = about.map((category) => categories[category].confidentiality).reduce(higher)
  return {
    ...rest,
    ref: `CarePlan/${plan}#other-${activity.key}-${activity.performer?.partner ?? activity.performer?.ods ?? ''}`,
    categories: about,
    confidentiality,
  }
}

/** For an agreement that names codes. */
function codesOf({ code }: Activity): Pick<Source, 'codes'> {
  const codes = code?.coding?.flatMap((one) => (one.system && one.code ? [`${one.system}|${one.code}`] : [])) ?? []
  return codes.length ? { codes } : {}
}

/** Before its window a partner is not asked. Most kinds open with RECONNECT itself and need no date; a GP practice does not. */
function opening(found: Case, adapter: Adapter, now: Date): string | undefined {
  const { releaseDate, left } = found.custody ?? {}
  if (left) return undefined
  if (!releaseDate) return adapter.window.opensDays < 84 ? 'unknown' : undefined
  const opens = startOfDay(releaseDate, -adapter.window.opensDays)
  return today(now) >= opens.date ? undefined : opens.instant
}

function partnerOf(situation: Situation, performer: NonNullable<Activity['performer']>): Partner | undefined {
  const { partners } = situation.directory
  const named = performer.partner && partners.get(performer.partner)
  if (named) return named
  return performer.ods ? [...partners.values()].find((partner) => partner.ods === performer.ods && !partner.retired) : undefined
}

const withoutGaps = <T extends object>(some: T) =>
  Object.fromEntries(Object.entries(some).filter(([, value]) => value !== undefined)) as { [K in keyof T]-?: NonNullable<T[K]> }
