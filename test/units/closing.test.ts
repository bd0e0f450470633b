import type { Goal, ServiceRequest } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { type Loop, looseEnds, mayPropose } from '../../src/domain/closing.ts'
import {
  decisionsOf,
  keepingDecisions,
  latestOf,
  phaseOn,
  type ReferralDecision,
  withDecision,
  withPhase,
} from '../../src/domain/decisions.ts'

const loop = (task: string, status: string, activity = 'gp-registration'): Loop => ({ task, partner: 'dene', activity, status })
const goal = (more: Partial<Goal> = {}): Goal => ({
  resourceType: 'Goal',
  id: 'g',
  lifecycleStatus: 'active',
  description: {},
  subject: {},
  ...more,
})
const none = new Map<string, string>()
const what = (...given: Parameters<typeof looseEnds>) => looseEnds(...given).map((one) => `${one.what} ${one.ref}`)

describe('what keeps support from ending', () => {
  test('a goal without an achievement; one that was given up does not', () => {
    expect(what([goal(), goal({ id: 'h', lifecycleStatus: 'cancelled' })], [], none)).toEqual(['goal Goal/g'])
    expect(what([goal({ achievementStatus: { coding: [{ code: 'not-achieved' }] } })], [], none)).toEqual([])
  })
  test('accepted closes no loop: only an outcome does, or a reason', () => {
    expect(what([], [loop('1', 'accepted')], none)).toEqual(['open Task/1'])
    expect(what([], [loop('1', 'accepted')], new Map([['1', 'The practice has closed']]))).toEqual([])
    expect(what([], [loop('1', 'completed'), loop('2', 'cancelled')], none)).toEqual([])
  })
  test('a refusal without another in its place; one before it, one for something else or one taken back is none', () => {
    const refused = loop('2', 'rejected')
    for (const other of [loop('1', 'completed'), loop('3', 'completed', 'substance-misuse'), loop('3', 'cancelled')])
      expect(what([], [refused, other], none)).toEqual(['unreplaced Task/2'])
    expect(what([], [refused, loop('3', 'completed')], none)).toEqual([])
    expect(what([], [refused, loop('3', 'failed')], none)).toEqual(['unreplaced Task/3'])
  })
  test('nothing was asked of anybody: nobody proposes to end it', () => {
    expect(mayPropose([], [], none)).toBe(false)
    expect(mayPropose([], [loop('1', 'cancelled')], none)).toBe(false)
    expect(mayPropose([], [loop('1', 'completed')], none)).toBe(true)
  })
})

describe('what was decided', () => {
  const bare: ServiceRequest = { resourceType: 'ServiceRequest', id: '1', status: 'active', intent: 'order', subject: {} }
  const by = { name: 'Nav Igator', role: 'care navigator' }
  const decided: ReferralDecision[] = [
    { kind: 'triage', code: 'ask', at: '2026-04-01T09:00:00.000Z', by, reason: 'Not clear', question: 'Which prison?' },
    {
      kind: 'extension',
      code: 'extended',
      at: '2026-09-01T09:00:00.000Z',
      by,
      reason: 'Moved',
      until: '2026-12-31',
      approver: { name: 'Sue', role: 'supervisor' },
    },
    { kind: 'closure', code: 'needs-met', at: '2026-12-01T09:00:00.000Z', by, reason: 'Done' },
  ]
  const request = withPhase(decided.reduce(withDecision, bare), 'closed')

  test('is read as it was written, in its order', () => {
    expect(decisionsOf(request)).toEqual(decided)
    expect([latestOf(request, 'extension')?.until, phaseOn(request)]).toEqual(['2026-12-31', 'closed'])
  })
  test('is neither lost nor made by whoever writes the resource', () => {
    expect(keepingDecisions(bare, request)).toEqual(request)
    expect(keepingDecisions(request, undefined)).toEqual(bare)
    const theirs = { url: 'https://example.org/theirs', valueString: 'kept' }
    expect(keepingDecisions({ ...request, extension: [theirs, ...(request.extension ?? [])] }, bare).extension).toEqual([theirs])
  })
})
