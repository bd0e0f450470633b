/**
 * “Who have you told about me?”: the answer on paper and on a screen, for the person.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { caseBundle, partners, usual, words } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'
import { code, overriding, toPartner, toPolice } from '../fixtures/override.ts'

let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway({
    directory: (file) =>
      Object.assign(file.services[0] as object, { contact: { phone: '07700 900123', address: '1 Test Street, Testham' } }),
  })
  const { probation: _, ...agreed } = usual
  at = await gateway.handIn(caseBundle({ agreed, releaseDate: '2026-04-20' }))
  await gateway.as('practice').find('Patient')
  await gateway.as('practice').find('MedicationStatement')
})
afterEach(() => gateway.close())

/** As an HTML page, without its tags. */
async function page(query = '', headers: Record<string, string> = { accept: 'text/html' }) {
  const { status, headers: sent, text } = await gateway.service.raw('GET', `/fhir/${at.Patient}/$who-was-told${query}`, headers)
  return {
    status,
    type: sent.get('content-type'),
    policy: sent.get('content-security-policy'),
    html: text,
    text: text.replace(/<style>[\s\S]*?<\/style>|<[^>]+>/g, ' '),
  }
}

describe('the page', () => {
  test('says who was told what, when and why, in words for the person', async () => {
    const { status, type, text } = await page()
    expect([status, type]).toEqual([200, 'text/html; charset=utf-8'])
    for (const name of ['practice', 'recovery', 'enhanced']) expect(text).toContain(`Partner ${name}`)
    expect(text).toMatch(/2 April 2026\s+We told them:\s+• your name, date of birth and NHS number/)
    expect(text).toMatch(/You agreed to it on \d+ \w+ 2026/)
    expect(text.match(/They looked at what we told them/g)).toHaveLength(1)
    expect(text).toMatch(/Partner probation\s+We told them nothing\. You have not said that we may tell them this\./)
    expect(text).toContain('07700 900123')
    expect(text).toContain('ico.org.uk')
  })

  test('has no code, no id and no word of our own house in it', async () => {
    const { text } = await page()
    for (const one of Object.values(at)) expect(text).not.toContain(one.split('/')[1])
    expect(text).not.toMatch(/Consent|FHIR|handover|shelf|_history|gp-registration|withheld|disclos|recipient|undefined|null|\[object/i)
    const { identity: _, ...said } = words
    for (const word of Object.values(said)) expect(text).not.toContain(word)
  })

  test('can be read by everybody: language, headings in order, tables with heads, nothing loaded, nothing run', async () => {
    const { html, policy } = await page()
    expect(html).toMatch(/^<!doctype html>\n<html lang="en-GB">/)
    expect(html.match(/<h1>/g)).toHaveLength(1)
    const levels = [...html.matchAll(/<h([1-6])>/g)].map(([, level]) => Number(level))
    for (const [n, level] of levels.entries()) expect(level - (levels[n - 1] ?? 0)).toBeLessThanOrEqual(1)
    expect(html.match(/<table>/g)?.length).toBe(html.match(/<caption>/g)?.length)
    expect(html.match(/<table>/g)?.length).toBeLessThan(html.match(/<th scope="col"/g)?.length ?? 0)
    expect(html).not.toMatch(/<script|src=|href=|url\(/)
    expect(policy).toMatch(/default-src 'none'; style-src 'sha256-/)
  })

  test('in large print it is larger', async () => {
    expect((await page()).html).toContain('<body>')
    expect((await page('?print=large')).html).toContain('<body class="large">')
  })
})

describe('what is not safe to show', () => {
  test('is in what staff see and not in what the person gets, and nothing that is missing gives it away', async () => {
    const before = (await page()).text
    const desk = gateway.client('safeguarding-desk')
    const hidden = { name: 'safe-to-show', valueBoolean: false }
    for (const to of [toPartner('probation'), toPolice]) {
      const said = overriding(...to, code('item', 'risk-to-others'), hidden)
      expect((await desk.call('POST', `/fhir/${at.Patient}/$override`, said)).status).toBe(200)
    }
    await gateway.deliverer.idle()
    await gateway.as('probation').find('Flag')
    expect(gateway.partner('probation').received).toHaveLength(1)
    expect((await page()).text).toBe(before)
    const { text } = await gateway.service.call('GET', `/fhir/${at.Patient}/$who-was-told`)
    expect(text).toContain('Durham Constabulary')
  })

  test('what is safe to show says that it was the law, in plain words', async () => {
    const said = overriding(...toPolice, code('item', 'risk-to-others'), { name: 'safe-to-show', valueBoolean: true })
    expect((await gateway.client('safeguarding-desk').call('POST', `/fhir/${at.Patient}/$override`, said)).status).toBe(200)
    const { text } = await page()
    expect(text).toMatch(/Durham Constabulary/)
    expect(text).toMatch(/The law let us do this without asking you: others had to be kept safe\./)
  })
})

describe('forms', () => {
  test('JSON unless asked otherwise; _format goes before Accept', async () => {
    expect((await page('', {})).type).toMatch(/fhir\+json/)
    expect((await page('', { accept: 'application/fhir+json, text/html' })).type).toMatch(/fhir\+json/)
    expect((await page('?_format=html', { accept: 'application/json' })).type).toMatch(/text\/html/)
    expect((await page('?_format=json', { accept: 'text/html' })).type).toMatch(/fhir\+json/)
    expect((await page('?_format=xml')).status).toBe(406)
  })

  test('a PDF: tagged, in English, with its title and its fonts in it', async () => {
    const { status, type, html } = await page('?_format=pdf')
    expect([status, type]).toEqual([200, 'application/pdf'])
    expect(html).toMatch(/^%PDF-1\.7/)
    expect(html).toMatch(/\/MarkInfo|\/StructTreeRoot/)
    expect(html).toMatch(/\/Lang \(en-GB\)/)
    expect(html).toMatch(/\/DisplayDocTitle true/)
    expect(html).toMatch(/\/FontFile2/)
  })

  test('other types have no page, and other callers nothing at all', async () => {
    expect((await gateway.service.raw('GET', `/fhir/${at.Patient}`, { accept: 'text/html' })).status).toBe(406)
    const partner = gateway.client(partners.practice)
    expect((await partner.raw('GET', `/fhir/${at.Patient}/$who-was-told`, { accept: 'text/html' })).status).toBe(404)
  })

  test('having asked is in the audit, for the person’s own sake', async () => {
    await page()
    const { text } = await gateway.service.call('GET', `/fhir/AuditEvent?patient=${at.Patient}&subtype=account`)
    expect(text).toContain('PATRQT')
  })
})
