/**
 * The rules broken one at a time, each by one line, and which test has to notice: the model property (`model`) or another one, by name.
 * `npm run mutants` breaks each and looks; `test/units/mutants.test.ts` keeps the lines findable.
 */
export const model = 'test/journeys/model.test.ts'

/** `from` stands exactly once in `file`. */
export type Mutant = { breaks: string; file: string; from: string; to: string; noticed: string }

const send = 'src/exchange/send.ts'
const attempt = 'src/exchange/attempt.ts'
const handovers = 'src/exchange/handovers.ts'
const change = 'src/exchange/change.ts'

export const mutants: readonly Mutant[] = [
  {
    breaks: 'what is sent is not decided about again',
    file: send,
    from: 'const no = refused ?? (await takenBack(exchange, message))',
    to: 'const no = undefined as typeof refused',
    noticed: model,
  },
  {
    breaks: 'a decision that was overtaken is not noticed',
    file: send,
    from: 'overtaken = watching.stale()',
    to: 'overtaken = false',
    noticed: 'test/journeys/interleaving.test.ts',
  },
  {
    breaks: 'what is read is not decided about again',
    file: 'src/exchange/viewing.ts',
    from: 'if (no) refused.set(row.patient as string, no.because)\n    else if',
    to: 'if (no) return true\n    else if',
    noticed: model,
  },
  {
    breaks: 'a blind repeat to a partner that can not tell',
    file: attempt,
    from: 'if (message.unanswered && !partner.deduplicates && number > 1) {',
    to: 'if (message.unanswered && number < 0) {',
    noticed: model,
  },
  {
    breaks: 'every attempt has a key of its own',
    file: send,
    from: 'key: message.id,',
    to: 'key: message.attempts > 1 ? crypto.randomUUID() : message.id,',
    noticed: model,
  },
  {
    breaks: 'a repeat is not the same bytes',
    file: send,
    from: 'body: message.body,',
    to: "body: message.body + ' '.repeat(message.attempts),",
    noticed: model,
  },
  {
    breaks: 'a message that had no answer counts as delivered',
    file: 'src/store/owed.ts',
    from: "unavailable: 'due', parked: 'parked'",
    to: "unavailable: 'delivered', parked: 'parked'",
    noticed: model,
  },
  {
    breaks: 'leases are not kept: two deliverers send the same',
    file: 'src/store/owed.ts',
    from: "where state = 'sending' and partner = ? and lease_until <= ? and",
    to: "where state = 'sending' and partner = ? and lease_until >= '' and '' <> ? and",
    noticed: 'test/journeys/two-deliverers.test.ts',
  },
  {
    breaks: 'messages of one handover overtake each other',
    file: 'src/store/owed.ts',
    from: "e.seq < o.seq and e.state in ('due', 'sending', 'parked'))`",
    to: "e.seq < o.seq and e.state in ('none'))`",
    noticed: 'test/contracts/store.test.ts',
  },
  {
    breaks: 'nothing in the audit says that a message was decided about',
    file: 'src/exchange/tell.ts',
    from: "action: 'owe',\n      entity,",
    to: "action: 'plan',\n      entity,",
    noticed: model,
  },
  {
    breaks: 'a withdrawal leaves what is in the outbox',
    file: 'src/exchange/recall.ts',
    from: 'if (/^(due|sending|parked)$/.test(row.state) && !isNotice(row)) change.void(row',
    to: "if (row.state === 'none' && !isNotice(row)) change.void(row",
    noticed: model,
  },
  {
    breaks: 'a withdrawal leaves the shelf as it is',
    file: handovers,
    from: '  else takeContentOff(change, partner)\n',
    to: '',
    noticed: 'test/journeys/withdrawal.test.ts',
  },
  {
    breaks: 'an agreement that has run out still counts',
    file: 'src/domain/consent.ts',
    from: "if (timely(when, now) !== 'yes') return { code: 'not-now' }",
    to: "if (timely(when, now) === 'unclear') return { code: 'not-now' }",
    noticed: model,
  },
  {
    breaks: 'an older agreement counts',
    file: 'src/domain/governing.ts',
    from: 'if (a.from >= b.until && a.until > b.from) return true',
    to: 'if (a.from <= b.until && a.until < b.from) return true',
    noticed: model,
  },
  {
    breaks: 'two records made one: one agreement is enough',
    file: 'src/exchange/doubt.ts',
    from: "if (each.some(({ told }) => told !== each[0]?.told)) return { consents: [], doubt: 'differ' }",
    to: "if (each.length < 0) return { consents: [], doubt: 'differ' }",
    noticed: model,
  },
  {
    breaks: 'two records taken apart: what was said meanwhile counts for either',
    file: 'src/exchange/doubt.ts',
    from: 'if (unsortedIn(merges).some(([ref]) => bound.has(ref))) return',
    to: 'if (unsortedIn(merges).some(([ref]) => !ref)) return',
    noticed: 'test/journeys/merge.test.ts',
  },
  {
    breaks: 'what was a mistake is told all the same',
    file: 'src/domain/read.ts',
    from: "(resource.status === 'entered-in-error' ||",
    to: "(resource.status === 'never' ||",
    noticed: 'test/units/read.test.ts',
  },
  {
    breaks: 'what has no label is told as if it were harmless',
    file: 'src/mapping.ts',
    from: "if (source.categories.length === 0) return { permitted: false, because: 'it is not labelled, so nothing says whether it may be told' }",
    to: "if (source.categories.length === 0) return { permitted: true, because: 'agreed' }",
    noticed: 'test/contracts/mappings.test.ts',
  },
  {
    breaks: 'whoever accepts after the end takes the person over',
    file: 'src/exchange/taken-over.ts',
    from: 'return phase && isFinal(phase) ? undefined : takenOver(situation, found)',
    to: 'return takenOver(situation, found)',
    noticed: 'test/journeys/cascade.test.ts',
  },
  {
    breaks: 'timers are not rewritten when their date moves',
    file: change,
    from: 'if (!situation.timers.some((row) => row.about === about && row.dueAt === dueAt))',
    to: 'if (!situation.timers.some((row) => row.about === about))',
    noticed: 'test/journeys/timers.test.ts',
  },
  {
    breaks: 'nobody looks again at a partner that does not answer',
    file: 'src/exchange/wait.ts',
    from: 'if (step.next) change.wait(',
    to: "if (step.next === 'never') change.wait(",
    noticed: model,
  },
  {
    breaks: 'an open referral with nothing to come is left alone',
    file: 'src/exchange/plan.ts',
    from: '  if (life) askWhatComesNext(under, life)\n',
    to: '',
    noticed: 'test/journeys/deciding.test.ts',
  },
  {
    breaks: 'two named workers',
    file: 'src/exchange/own-word.ts',
    from: 'if (!isOfUse(after) || !hasTwoWorkers(teams, today(situation.now))) return []',
    to: 'if (teams.length >= 0 || !isOfUse(after) || !hasTwoWorkers(teams, today(situation.now))) return []',
    noticed: model,
  },
  {
    breaks: 'a referral that is over begins again',
    file: 'src/domain/lifecycle.ts',
    from: 'if (was && isFinal(was)) return was',
    to: '',
    noticed: 'test/units/lifecycle.test.ts',
  },
  {
    breaks: 'a handover that is over is begun again',
    file: 'src/domain/handover.ts',
    from: 'if (!from.includes(status) || when ===',
    to: 'if ((isOpen(status) && !from.includes(status)) || when ===',
    noticed: model,
  },
  {
    breaks: 'a repeated request is done twice',
    file: 'src/exchange/once.ts',
    from: 'if (!request.requestIdGiven) return work(() => [])',
    to: 'if (request.requestId) return work(() => [])',
    noticed: model,
  },
  {
    breaks: 'an event of HMPPS that comes twice counts twice',
    file: 'src/exchange/hmpps.ts',
    from: 'event.content}`',
    to: 'event.content}` + newId()',
    noticed: 'test/journeys/hmpps.test.ts',
  },
  {
    breaks: 'partners are asked a day early',
    file: 'src/exchange/consider.ts',
    from: 'const opens = startOfDay(releaseDate, -adapter.window.opensDays)',
    to: 'const opens = startOfDay(releaseDate, -adapter.window.opensDays - 1)',
    noticed: model,
  },
  {
    breaks: 'who is held early is not woken',
    file: 'src/exchange/referrals.ts',
    from: 'if (verdict.wakeOn) change.wait(',
    to: 'if (verdict.wakeOn === today(situation.now)) change.wait(',
    noticed: model,
  },
  {
    breaks: 'referred a day too late, and taken',
    file: 'src/domain/calendar.ts',
    from: 'referralCloses: day.add({ days: 28 })',
    to: 'referralCloses: day.add({ days: 29 })',
    noticed: 'test/units/calendar.test.ts',
  },
  {
    breaks: 'six months are half a year of days',
    file: 'src/domain/calendar.ts',
    from: 'const ends = day.add({ months: 6 })',
    to: 'const ends = day.add({ days: 184 })',
    noticed: model,
  },
  {
    breaks: 'days begin at midnight UTC',
    file: 'src/domain/calendar.ts',
    from: "const zone = 'Europe/London'",
    to: "const zone = 'UTC'",
    noticed: model,
  },
  {
    breaks: 'an override goes on for ever',
    file: 'src/domain/override.ts',
    from: 'return when !== undefined && when.from <= at && at < when.until',
    to: 'return when !== undefined && when.from <= at',
    noticed: 'test/units/override.test.ts',
  },
]
