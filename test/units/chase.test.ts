/**
 * Who is chased, when and by whom, day by day.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addDays, endOfDay } from '../../src/domain/calendar.ts'
import { chase, dueBy, type Step, usualPace, type Waiting } from '../../src/domain/chase.ts'

/** Asked on Monday 2 March 2026, so that an answer is expected by the end of Wednesday. */
const asked: Waiting = {
  status: 'requested',
  businessStatus: 'delivered',
  since: '2026-03-02T09:00:00.000Z',
  asked: '2026-03-02T09:00:00.000Z',
  answerBy: endOfDay('2026-03-04'),
  reminded: [],
  closesWith: ['registered'],
}
const at = (now: string, release?: string, waiting: Partial<Waiting> = {}, pace = usualPace) =>
  chase({ ...asked, ...waiting }, { now: `${now}:00.000Z`, ...(release ? { release } : {}) }, pace)
const brief = ({ remind, ask, chased }: Step) =>
  [remind ? 'remind' : '', chased ?? '', ask ? `${ask.of} ${ask.matter}` : ''].filter(Boolean).join(', ')
/** What is done on each day at nine, when a reminder goes out as soon as it is due; days on which nothing changes are left out. */
function story(days: number, release: string | undefined, waiting: Partial<Waiting> = {}, pace = usualPace): string[] {
  const reminded: string[] = []
  const lines: string[] = []
  let before = ''
  for (let n = 0, day = (waiting.asked ?? asked.asked).slice(0, 10); n <= days; n++, day = addDays(day, 1)) {
    const step = at(`${day}T09:00`, release, { ...waiting, reminded: [...reminded] }, pace)
    if (step.remind) reminded.push(`${day}T09:00:00.000Z`)
    if (brief(step) !== before && brief(step)) lines.push(`${day} ${brief(step)}`)
    before = brief({ ...step, remind: false })
  }
  return lines
}

describe('unanswered', () => {
  test('release far off: a reminder after two working days, a phone call two later, the supervisor after ten more', () => {
    expect(story(30, '2026-05-20')).toEqual([
      '2026-03-05 remind, chasing',
      '2026-03-07 chasing, worker no-answer',
      '2026-03-21 escalated, supervisor no-answer',
    ])
  })

  test('release in a week: phoned by two days before, the supervisor on the day', () => {
    expect(story(10, '2026-03-11', { answerBy: endOfDay('2026-03-06') })).toEqual([
      '2026-03-07 remind, chasing',
      '2026-03-09 chasing, worker no-answer',
      '2026-03-11 escalated, supervisor no-answer',
    ])
  })

  test('two days before release is a Sunday, a Saturday or a bank holiday: phoned on the last working day before it', () => {
    const slow = { answerBy: endOfDay('2026-04-20') }
    const phoned = (release: string) =>
      story(60, release, slow)
        .find((line) => line.includes('worker'))
        ?.slice(0, 10)
    expect(phoned('2026-03-17')).toBe('2026-03-13') // a Tuesday
    expect(phoned('2026-03-16')).toBe('2026-03-13') // a Monday
    expect(phoned('2026-04-08')).toBe('2026-04-02') // the Wednesday after Easter Monday
    expect(phoned('2026-03-18')).toBe('2026-03-16') // a Wednesday: two days are two days
  })

  test('a Friday release may come two working days early: everything counts from the first day on which they may walk out', () => {
    const slow = { ...asked, answerBy: endOfDay('2026-03-30') }
    const on = (now: string) => brief(chase(slow, { now: `${now}:00.000Z`, release: '2026-03-20', earliest: '2026-03-18' }))
    expect(on('2026-03-15T23:59')).toBe('')
    expect(on('2026-03-16T00:00')).toBe('chasing, worker no-answer')
    expect(on('2026-03-17T23:59')).toBe('chasing, worker no-answer')
    expect(on('2026-03-18T00:00')).toBe('escalated, supervisor no-answer')
  })

  test('a day that nobody works is no release day to wait for: the supervisor before it', () => {
    expect(story(10, '2026-03-08').at(-1)).toBe('2026-03-07 escalated, supervisor no-answer')
  })

  test('looked at for the first time after three weeks: the supervisor is asked, and neither the reminder nor the phone call is made up for', () => {
    expect(brief(at('2026-03-25T09:00', '2026-05-20'))).toBe('escalated, supervisor no-answer')
    expect(brief(at('2026-03-08T09:00', '2026-05-20'))).toBe('chasing, worker no-answer')
  })

  test('asked on the eve of release: phoned the next day, without waiting for two working days', () => {
    expect(story(4, '2026-03-03')).toEqual([
      '2026-03-03 chasing, worker no-answer',
      '2026-03-04 escalated, supervisor no-answer',
      '2026-03-05 remind, escalated, supervisor no-answer',
    ])
  })

  test('asked after release: the supervisor after two working days', () => {
    expect(story(10, '2026-02-20').at(-1)).toBe('2026-03-11 escalated, supervisor no-answer')
  })

  test('release brought forward past two days before: somebody phones at once', () => {
    expect(brief(at('2026-03-03T09:00', '2026-05-20'))).toBe('')
    expect(brief(at('2026-03-03T09:00', '2026-03-04'))).toBe('chasing, worker no-answer')
  })

  test('opened, and neither yes nor no: the same, in other words', () => {
    expect(story(8, undefined, { status: 'received', businessStatus: 'acknowledged' })).toEqual([
      '2026-03-05 remind, chasing',
      '2026-03-07 chasing, worker not-accepted',
    ])
  })

  test('not arrived: nobody is reminded of what is not there, and somebody phones all the same', () => {
    expect(story(8, '2026-03-08', { businessStatus: 'queued' })).toEqual([
      '2026-03-06 worker not-arrived',
      '2026-03-07 supervisor not-arrived',
    ])
  })

  test('Easter: four days without an office are not counted', () => {
    // Asked on Maundy Thursday, 2 April 2026: an answer is due by the end of Wednesday.
    expect(story(12, '2026-06-01', { asked: '2026-04-02T08:00:00.000Z', answerBy: endOfDay('2026-04-08') })).toEqual([
      '2026-04-09 remind, chasing',
      '2026-04-11 chasing, worker no-answer',
    ])
  })

  test('a day begins in London: on the morning the clocks go forward it is an hour earlier by UTC', () => {
    const monday = { asked: '2026-03-27T10:00:00.000Z', answerBy: endOfDay('2026-03-31') }
    expect(at('2026-03-27T12:00', '2026-06-01', monday).next).toBe('2026-03-31T23:00:00.000Z')
  })
})

describe('accepted', () => {
  const books = { ...usualPace, readyDaysBeforeRelease: 7 }
  const accepted = { status: 'accepted', businessStatus: 'accepted', closesWith: ['engaged'] } as const

  test('no appointment a week before release: a reminder, then a phone call, then the supervisor', () => {
    expect(story(30, '2026-03-20', accepted, books).slice(0, 3)).toEqual([
      '2026-03-13 remind',
      '2026-03-18 worker not-booked',
      '2026-03-20 supervisor not-booked',
    ])
    expect(story(30, '2026-03-20', { ...accepted, businessStatus: 'appointment-booked' }, books)).toEqual([])
  })

  test('nobody came: somebody asks why at once, and the supervisor after five working days without another appointment', () => {
    expect(story(9, '2026-02-20', { status: 'in-progress', businessStatus: 'did-not-attend', closesWith: ['engaged'] })).toEqual([
      '2026-03-02 worker did-not-attend',
      '2026-03-05 remind, worker did-not-attend',
      '2026-03-10 supervisor did-not-attend',
    ])
  })

  test('nobody came, and release is near: the supervisor by release day', () => {
    expect(
      story(12, '2026-03-04', { status: 'in-progress', businessStatus: 'did-not-attend', closesWith: ['engaged'] }).slice(0, 2),
    ).toEqual(['2026-03-02 worker did-not-attend', '2026-03-04 supervisor did-not-attend'])
  })

  test('a practice that accepted registers before release: reminded a week before, phoned two days before, the supervisor on the day', () => {
    const pace = { ...usualPace, readyDaysBeforeRelease: 7, outcomeDaysAfterRelease: 7, quietDays: 7 }
    const practice = { ...accepted, closesWith: ['registered'] } as const
    expect(story(60, '2026-03-20', practice, pace)).toEqual([
      '2026-03-13 remind',
      '2026-03-18 worker not-registered',
      '2026-03-20 supervisor not-registered',
      // A last reminder, while the supervisor is at it.
      '2026-03-25 remind, supervisor not-registered',
    ])
  })

  test('a week after release and not registered: the practice is reminded two working days before somebody asks it', () => {
    const pace = { ...usualPace, outcomeDaysAfterRelease: 7, quietDays: 7 }
    const practice = { ...accepted, closesWith: ['registered'] } as const
    expect(story(30, '2026-03-09', practice, pace)).toEqual([
      '2026-03-12 remind',
      '2026-03-16 worker not-registered',
      '2026-03-31 supervisor not-registered',
    ])
  })
})

test('asked to stop: the supervisor is asked once five working days are over without an answer, and never the worker', () => {
  const stopping = { status: 'accepted', businessStatus: 'cancellation-requested', since: '2026-04-01T10:00:00.000Z' } as const
  // Wednesday before Easter: Thursday, Tuesday, Wednesday, Thursday, Friday.
  expect(brief(at('2026-04-10T22:59', '2026-04-03', stopping))).toBe('')
  expect(brief(at('2026-04-10T23:00', '2026-04-03', stopping))).toBe('supervisor cancellation-unconfirmed')
})

test('the day a partner should have been asked by is over at midnight', () => {
  expect(dueBy('2026-04-12', 14)).toEqual({ day: '2026-03-29', overFrom: '2026-03-29T23:00:00.000Z' })
})

describe('whenever it is looked at', () => {
  const days = fc.integer({ min: 0, max: 120 })
  const state = fc.constantFrom(
    ['requested', 'delivered'],
    ['received', 'acknowledged'],
    ['accepted', 'accepted'],
    ['in-progress', 'did-not-attend'],
    ['in-progress', 'appointment-cancelled'],
    ['in-progress', 'cancellation-requested'],
    ['on-hold', 'awaiting-information'],
  )

  test('there is always a time to look again, or somebody was asked', () => {
    fc.assert(
      fc.property(state, days, fc.option(days), ([status, businessStatus], later, release) => {
        const now = `${addDays('2026-03-02', later)}T12:00`
        const step = at(now, release === null ? undefined : addDays('2026-02-20', release), { status, businessStatus } as never)
        expect(step.next !== undefined || step.ask !== undefined).toBe(true)
        if (step.next) expect(step.next > `${now}:00.000Z`).toBe(true)
      }),
    )
  })

  test('nothing changes between one look and the next one it asks for', () => {
    fc.assert(
      fc.property(state, days, fc.option(days), ([status, businessStatus], later, release) => {
        const now = `${addDays('2026-03-02', later)}T12:00`
        const reminded = [`${now}:00.000Z`]
        const on = release === null ? undefined : addDays('2026-02-20', release)
        const step = at(now, on, { status, businessStatus, reminded } as never)
        const until = step.next
          ? new Date(new Date(step.next).getTime() - 60_000).toISOString().slice(0, 16)
          : addDays(now.slice(0, 10), 400).concat('T12:00')
        expect(brief(at(until, on, { status, businessStatus, reminded } as never))).toBe(brief({ ...step, remind: false }))
      }),
    )
  })
})
