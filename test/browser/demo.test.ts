/**
 * The demo's first page in a browser that installs from npm: somebody who has never seen it turns the clock and sees both sides move.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packed from '@sparticuz/chromium'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Demo, startDemo } from '../../src/demo/demo.ts'

/** A browser and a demo, started on a machine that may be busy. */
const hookMs = 40_000

const started = await open()
if (typeof started === 'string') process.stderr.write(`The page is not tested in a browser: Chromium can not start here (${started}).\n`)
const browser = typeof started === 'string' ? undefined : started

describe.skipIf(!browser)('the first page of the demo', () => {
  const folder = mkdtempSync(join(tmpdir(), 'demo-'))
  const troubles: string[] = []
  let demo: Demo
  let page: Page

  beforeAll(async () => {
    const running = await startDemo({ PORT: String(await freePort()), DATA_DIR: folder }, () => undefined)
    if ('faults' in running) throw new Error(running.faults.join(' '))
    demo = running.demo
    page = await (browser as Browser).newPage({ viewport: { width: 1440, height: 900 } })
    page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()))
    page.on('pageerror', (error) => troubles.push(error.message))
    await page.goto(demo.url)
  }, hookMs)
  afterAll(async () => {
    await browser?.close()
    await demo?.stop()
    rmSync(folder, { recursive: true, force: true })
  }, hookMs)

  const stateOf = (person: string, partner: string) =>
    page.locator(`#person-${person} .handover`, { hasText: partner }).locator('.state').innerText()

  test('shows eight people and their turns at a glance, six inboxes, and that the clock is not real', async () => {
    expect(await page.locator('.person h3').allInnerTexts()).toHaveLength(8)
    expect(await page.locator('.letters').count()).toBe(6)
    expect(await page.locator('#turns tbody tr').count()).toBe(8)
    expect(await page.locator('#clock .time').innerText()).toBe('The clock is not real: Monday 2 March 2026, 09:00')
    expect(await stateOf('leah', 'Elvet Riverside Surgery')).toBe('delivered, not yet opened')
    expect(await stateOf('leah', 'Wear Recovery')).toBe('ready, not yet fetched')
    expect(await stateOf('priya', 'RECONNECT South West')).toBe('arrived, not yet answered')
    expect(await page.locator('#person-marcus .needs').count()).toBe(3)
    expect(await page.locator('#turns td[data-label="What happens next"]').nth(5).innerText()).toContain(
      'Durham probation answers about Callum Reed',
    )
  })

  test('says in one click what is kept from whom, and why', async () => {
    const probation = page.locator('#person-daniel .handover', { hasText: 'Durham probation' })
    await probation.locator('summary').click()
    expect(await probation.locator('dl').innerText()).toMatch(
      /Substance misuse: the person said that this partner is not told about substance misuse/,
    )
  })

  test('“Next event” does what it says comes next, without closing what is open', async () => {
    const next = await page.locator('.next').innerText()
    expect(next).toContain('Wear Recovery drug team fetches its plans')
    await page.getByRole('button', { name: 'Next event' }).click()
    await page.locator('#letters-wear-recovery .letter').first().waitFor()
    expect(await stateOf('leah', 'Wear Recovery')).toBe('opened by the partner')
    expect(await page.locator('#person-daniel details[open]').count()).toBe(1)
  })

  test('“A week” moves the handovers on, and the inboxes with them', async () => {
    const letters = await page.locator('.letter').count()
    await page.getByRole('button', { name: 'A week' }).click()
    await page.locator('#clock', { hasText: 'Monday 9 March' }).waitFor()
    await page.locator('body:not(.turning)').waitFor()
    expect(await stateOf('leah', 'Elvet Riverside Surgery')).toBe('registered')
    expect(await page.locator('#person-sean .tag').innerText()).toBe('released')
    expect(await page.locator('.letter').count()).toBeGreaterThan(letters)
  })

  test('tells what the week brought, what somebody has to do, and the history of one person', async () => {
    expect(await page.locator('#journal h2').innerText()).toMatch(/^What has just happened\s+\d\d things, the newest first$/)
    expect(await page.locator('#journal .todo').first().innerText()).toMatch(
      /^To do for Amira Bell, about Priya Raman: Sound View Practice/,
    )
    expect(await page.locator('#announce').textContent()).toMatch(/^It is now Monday 9 March 2026, 09:30: \d\d things/)
    await page.locator('#person-sean-past summary').click()
    expect(await page.locator('#person-sean-past li').allInnerTexts()).toContainEqual(
      expect.stringMatching(/^Thursday 5 March, 15:40 A court releases Sean Gallagher without notice$/),
    )
  })

  test('everything to press is at least 44 pixels high', async () => {
    const heights = await page
      .locator('button, summary, #turns th a')
      .evaluateAll((all) => all.filter((one) => one.getClientRects().length).map((one) => one.getBoundingClientRect().height))
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(44)
  })

  test('can be read: every text stands out at least 4.5 to 1 from what it stands on, and no heading skips a level', async () => {
    expect(await page.evaluate(faintTexts)).toEqual([])
    const levels = (await page
      .locator('h1, h2, h3, h4, h5, h6')
      .evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])))) as number[]
    expect(levels.filter((level) => level === 1)).toHaveLength(1)
    expect(levels.filter((level, index) => level > (levels[index - 1] ?? 0) + 1)).toEqual([])
  })

  test('follows a clock that somebody else turns', async () => {
    const body = JSON.stringify({ to: '2026-03-17T09:00:00Z' })
    await fetch(`${demo.url}/clock`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    await page.locator('#person-tanya .tag', { hasText: 'back in custody' }).waitFor()
  })

  test('shows the message behind a letter, in words and as FHIR', async () => {
    const letter = page.locator('#letters-durham-probation .letter', { hasText: 'Tanya Brooks' }).first()
    await letter.getByText('Read it').click()
    expect(await letter.locator('dl').innerText()).toContain('Tanya Brooks')
    await letter.getByText('As FHIR').click()
    await letter.locator('pre', { hasText: '"resourceType": "MessageHeader"' }).waitFor()
  })

  test('is worked by keyboard: the buttons come first, and the focus stays where it was', async () => {
    await page.locator('#turn-day').focus()
    await page.keyboard.press('Enter')
    await page.locator('#clock', { hasText: 'Wednesday 18 March' }).waitFor()
    expect(await page.evaluate('document.activeElement.id')).toBe('turn-day')
  })

  test('fits a phone without scrolling sideways', async () => {
    await page.setViewportSize({ width: 375, height: 800 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375)
    // Nothing of the table is hidden at the side: each cell says what it is.
    expect(await page.evaluate("document.querySelector('#turns').scrollWidth <= document.querySelector('#turns').clientWidth")).toBe(true)
  })

  test('never troubled the browser: no error, nothing its policy had to stop', () => {
    expect(troubles).toEqual([])
  })
})

/** In the browser: elements whose own text is fainter than WCAG's 4.5 to 1. */
const faintTexts = `(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number)
  const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4)
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = numbers(getComputedStyle(element).backgroundColor)
      if (colour.length < 4 || colour[3] > 0) return colour
    }
    return [255, 255, 255]
  }
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())
  return [...document.querySelectorAll('body *')]
    .filter((element) => hasText(element) && element.getClientRects().length > 0)
    .filter((element) => {
      const [less, more] = [light(numbers(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => a - b)
      return (more + 0.05) / (less + 0.05) < 4.5
    })
    .map(({ tagName, className, textContent }) => [tagName, className, textContent.slice(0, 40)].join(' '))
})()`

/** Chromium, or why there is none. */
async function open(): Promise<Browser | string> {
  try {
    return await chromium.launch({ args: packed.args, executablePath: await packed.executablePath() })
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] as string) : 'unknown'
  }
}

/** A port nobody listens on. */
function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })
}
