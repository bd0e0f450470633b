/** The bank holidays we know of come to an end: somebody hears of it long before it matters. */
import { afterEach, expect, test } from 'vitest'
import { addDays, bankHolidaysKnownUntil } from '../../src/domain/calendar.ts'
import { longDate } from '../../src/domain/words.ts'
import { noticeHorizon } from '../../src/exchange/horizon.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'

let gateway: Gateway
afterEach(() => gateway.close())

test('each service is asked once, 300 days before the last day that is known, and no longer when a newer version knows more', async () => {
  gateway = await openGateway({ at: `${addDays(bankHolidaysKnownUntil, -301)}T12:00:00Z` })
  const open = async () =>
    [...(await gateway.work()), ...(await gateway.work('other-service'))].filter(({ reason }) => reason === 'bank-holidays')
  await gateway.turn('PT1H')
  expect(await open()).toEqual([])
  await gateway.turn('P2D')
  expect((await open()).map(({ words }) => words)).toEqual([expect.stringContaining(longDate(bankHolidaysKnownUntil)), expect.any(String)])
  await gateway.tick()
  expect(await open()).toHaveLength(2)
  // A newer version is one for which the end is farther away.
  await noticeHorizon({ ...gateway.exchange, now: () => new Date('2026-04-02T08:00:00Z') })
  expect(await open()).toEqual([])
})

test('how many days are left is a number to watch', async () => {
  gateway = await openGateway({ at: `${addDays(bankHolidaysKnownUntil, -10)}T12:00:00Z` })
  const page = await gateway.app.request('/metrics')
  expect(await page.text()).toContain('bank_holidays_known_days 10')
})
