import { array, assert, constantFrom, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Actor, beginning, closesLoop, type HandoverState, isOpen, move, moves } from '../../src/domain/handover.ts'
import { type BusinessStatus, type HandoverStatus, stateWords } from '../../src/domain/handover-words.ts'

const at = (state: string): HandoverState => {
  const [status, businessStatus] = state.split('/')
  return { status: status as HandoverStatus, ...(businessStatus ? { businessStatus: businessStatus as BusinessStatus } : {}) }
}
const because = { text: 'because' }
const go = (from: string, to: string, actor: Actor, reason?: { code?: string; text?: string }) =>
  move(at(from), { ...at(to), ...(reason ? { reason } : {}) }, actor, ['engaged'])

describe('every row of the table', () => {
  test.each([
    ['2', 'draft/preparing', 'navigator', 'requested', 'requested/queued'],
    ['2', 'draft/consent-blocked', 'gateway', 'requested/queued', 'requested/queued'],
    ['2b', 'draft/preparing', 'gateway', 'draft/consent-blocked', 'draft/consent-blocked'],
    ['3', 'requested/queued', 'gateway', 'requested/delivered', 'requested/delivered'],
    ['4', 'requested/delivered', 'recipient', 'received', 'received/acknowledged'],
    ['5', 'requested/delivered', 'recipient', 'accepted', 'accepted/accepted'],
    ['5', 'received/chasing', 'recipient', 'accepted', 'accepted/accepted'],
    ['6', 'requested/delivered', 'recipient', 'rejected', 'rejected/rejected'],
    ['6', 'in-progress/attended', 'recipient', 'rejected', 'rejected/rejected'],
    ['7', 'accepted/accepted', 'recipient', 'in-progress', 'in-progress/in-progress'],
    ['8', 'accepted/accepted', 'recipient', 'in-progress/appointment-booked', 'in-progress/appointment-booked'],
    ['8', 'in-progress/did-not-attend', 'recipient', 'in-progress/appointment-booked', 'in-progress/appointment-booked'],
    ['9', 'in-progress/appointment-booked', 'navigator', 'in-progress/did-not-attend', 'in-progress/did-not-attend'],
    ['9', 'in-progress/appointment-booked', 'recipient', 'in-progress/attended', 'in-progress/attended'],
    ['10', 'in-progress/in-progress', 'recipient', 'on-hold', 'on-hold/awaiting-information'],
    ['11', 'on-hold/awaiting-information', 'navigator', 'in-progress', 'in-progress/in-progress'],
    ['12', 'in-progress/attended', 'recipient', 'completed/engaged', 'completed/engaged'],
    ['12', 'in-progress/attended', 'navigator', 'completed/engaged', 'completed/engaged'],
    ['13', 'in-progress/attended', 'recipient', 'failed', 'failed/not-engaged'],
    ['13', 'in-progress/attended', 'recipient', 'failed/no-contact', 'failed/no-contact'],
    ['14', 'requested/delivered', 'navigator', 'cancelled', 'cancelled/recalled-message'],
    ['15', 'received/acknowledged', 'navigator', 'received/cancellation-requested', 'received/cancellation-requested'],
    ['15', 'on-hold/awaiting-information', 'gateway', 'on-hold/cancellation-requested', 'on-hold/cancellation-requested'],
    ['16', 'accepted/cancellation-requested', 'recipient', 'cancelled', 'cancelled/cancelled'],
    ['17', 'accepted/cancellation-requested', 'recipient', 'completed/engaged', 'completed/engaged'],
    ['18', 'accepted/cancellation-requested', 'supervisor', 'cancelled', 'cancelled/cancelled-unconfirmed'],
    ['19', 'requested/queued', 'gateway', 'on-hold', 'on-hold/suspended-custody'],
    ['19b', 'on-hold/suspended-custody', 'gateway', 'requested', 'requested/queued'],
    ['19c', 'on-hold/suspended-custody', 'gateway', 'received', 'received/acknowledged'],
    ['19d', 'on-hold/suspended-custody', 'gateway', 'accepted', 'accepted/accepted'],
    ['19e', 'on-hold/suspended-custody', 'gateway', 'in-progress', 'in-progress/in-progress'],
    ['19e', 'on-hold/suspended-custody', 'gateway', 'in-progress/attended', 'in-progress/attended'],
    ['19f', 'on-hold/suspended-custody', 'gateway', 'on-hold/awaiting-information', 'on-hold/awaiting-information'],
    ['20', 'received/acknowledged', 'gateway', 'received/chasing', 'received/chasing'],
    ['20', 'requested/chasing', 'gateway', 'requested/escalated', 'requested/escalated'],
    ['21', 'accepted/cancellation-requested', 'supervisor', 'entered-in-error', 'entered-in-error'],
  ] as [string, string, Actor, string, string][])('row %s: from %s the %s says %s', (_, from, actor, to, next) => {
    expect(go(from, to, actor, because)).toEqual({ next: at(next) })
  })
  test('all rows of the table are here, once the first is made', () => {
    expect(beginning).toEqual(at('draft/preparing'))
    const rows = [
      '2',
      '2b',
      '3',
      '4',
      '5',
      '6',
      '7',
      '8',
      '9',
      '10',
      '11',
      '12',
      '13',
      '14',
      '15',
      '16',
      '17',
      '18',
      '19',
      '19b',
      '19c',
      '19d',
      '19e',
      '19f',
      '20',
      '21',
    ]
    expect(moves.map(({ row }) => row)).toEqual(rows)
  })
})

describe('what is refused', () => {
  test.each([
    ['completed before it was accepted', 'requested/delivered', 'completed/engaged', 'recipient'],
    ['started before it was accepted', 'requested/delivered', 'in-progress', 'recipient'],
    ['back to requested', 'accepted/accepted', 'requested', 'recipient'],
    ['accepted by its own sender', 'requested/delivered', 'accepted', 'navigator'],
    ['marked as delivered by the partner', 'requested/queued', 'requested/delivered', 'recipient'],
    ['taken back after it was opened', 'received/acknowledged', 'cancelled', 'navigator'],
    ['cancelled by a partner nobody asked to', 'accepted/accepted', 'cancelled', 'recipient'],
    ['going on after being asked to stop', 'accepted/cancellation-requested', 'in-progress', 'recipient'],
    ['suspended after being asked to stop', 'accepted/cancellation-requested', 'on-hold', 'gateway'],
    ['woken by the partner while the person is in custody', 'on-hold/suspended-custody', 'in-progress', 'recipient'],
    ['a status that does not exist', 'accepted/accepted', 'ready', 'recipient'],
    ['a business status that does not exist', 'accepted/accepted', 'in-progress/finished', 'recipient'],
    ['the outcome of another kind of partner', 'in-progress/attended', 'completed/registered', 'recipient'],
    ['an outcome without completion', 'in-progress/attended', 'in-progress/engaged', 'recipient'],
  ] as [string, string, string, Actor][])('%s', (_, from, to, actor) => expect(go(from, to, actor, because)).toHaveProperty('refused'))

  test('completed without an outcome, and it says which there are', () => {
    expect(go('in-progress/in-progress', 'completed', 'recipient')).toMatchObject({ refused: expect.stringContaining('engaged') })
  })
  test('with the moves that are allowed', () => {
    expect(go('requested/delivered', 'completed', 'recipient')).toMatchObject({
      allowed: [at('received/acknowledged'), at('accepted/accepted'), at('rejected/rejected')],
    })
    expect(go('completed/engaged', 'in-progress', 'recipient')).toMatchObject({
      allowed: [],
      refused: expect.stringContaining('closed for good'),
    })
  })
  test.each([
    ['a partner that rejects', 'received/acknowledged', 'rejected', 'recipient'],
    ['a partner that can not do it', 'in-progress/in-progress', 'failed', 'recipient'],
    ['a partner that needs information', 'in-progress/in-progress', 'on-hold', 'recipient'],
    ['a navigator who closes it on their own evidence', 'in-progress/in-progress', 'completed/engaged', 'navigator'],
    ['a navigator who takes it back', 'requested/delivered', 'cancelled', 'navigator'],
    ['whoever says that it was made in error', 'requested/delivered', 'entered-in-error', 'supervisor'],
  ] as [string, string, string, Actor][])('%s without a reason', (_, from, to, actor) => {
    expect(go(from, to, actor)).toMatchObject({ refused: expect.stringContaining('reason') })
    expect(go(from, to, actor, { text: ' ' })).toHaveProperty('refused')
    expect(go(from, to, actor, { code: 'other' })).toHaveProperty('next')
  })
})

describe('waiting for information', () => {
  test.each([
    ['in-progress', 'in-progress/in-progress'],
    ['completed/engaged', 'completed/engaged'],
    ['failed/not-engaged', 'failed/not-engaged'],
    ['rejected', 'rejected/rejected'],
    ['in-progress/appointment-booked', 'in-progress/appointment-booked'],
    ['in-progress/attended', 'in-progress/attended'],
  ])('%s needs no word before it', (to, next) =>
    expect(go('on-hold/awaiting-information', to, 'recipient', because)).toEqual({ next: at(next) }),
  )
})

test('a partner is not told how often it was chased', () => {
  expect(go('requested/escalated', 'completed', 'recipient')).toMatchObject({ refused: expect.stringContaining('from “asked”') })
  expect(go('requested/escalated', 'completed', 'navigator')).toMatchObject({ refused: expect.stringContaining('escalated') })
})

describe('saying things twice', () => {
  test.each(['completed/engaged', 'accepted/accepted', 'in-progress/attended', 'requested/delivered'])('%s again is no move', (state) => {
    expect(go(state, state, 'recipient')).toEqual({ next: at(state) })
    expect(go(state, state.split('/')[0] as string, 'recipient')).toEqual({ next: at(state) })
  })
  test('a business status left as it was does not stand in the way of a new status', () => {
    expect(go('requested/delivered', 'accepted/delivered', 'recipient')).toEqual({ next: at('accepted/accepted') })
  })
  test('a business status alone moves the status with it', () => {
    expect(move(at('accepted/accepted'), { businessStatus: 'appointment-booked' }, 'recipient', ['engaged'])).toEqual({
      next: at('in-progress/appointment-booked'),
    })
  })
})

describe('closing the loop', () => {
  test.each([
    ['completed/engaged', true],
    ['completed/registered', false],
    ['accepted/accepted', false],
    ['cancelled/cancelled', false],
  ])('%s: %s', (state, closed) => expect(closesLoop(at(state), ['engaged'])).toBe(closed))

  test('whatever anybody says in whatever order, a closed handover stays as it is and no loop closes without an outcome', () => {
    const step = constantFrom(
      ...moves.flatMap(({ to, as, by }) =>
        by.flatMap((actor) =>
          (as === 'outcome' ? ['engaged', 'registered', undefined] : [...as, undefined]).map((businessStatus) => ({
            status: to,
            businessStatus,
            actor,
          })),
        ),
      ),
    )
    assert(
      property(array(step, { minLength: 20, maxLength: 60 }), (steps) => {
        let state: HandoverState = beginning
        for (const { status, businessStatus, actor } of steps) {
          const asked = { ...(status ? { status } : {}), ...(businessStatus ? { businessStatus } : {}), reason: because }
          const moved = move(state, asked, actor, ['engaged'])
          if (!('next' in moved)) continue
          if (!isOpen(state.status)) expect(moved.next).toEqual(state)
          state = moved.next
          if (state.status === 'completed') expect(closesLoop(state, ['engaged'])).toBe(true)
        }
      }),
    )
  })
  test('every state has words', () => {
    expect(stateWords(at('requested/delivered'))).toBe('delivered, not yet opened')
    expect(stateWords(at('entered-in-error'))).toBe('made in error')
  })
})
