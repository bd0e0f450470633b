import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Refusal } from '../../src/fhir/outcome.ts'
import { cursorText, parseSearch, type SearchQuery } from '../../src/fhir/search.ts'
import { keptAs as kept, type Page, searchBundle } from '../../src/fhir/search-bundle.ts'
import { fold, indexRows, instantsOf, referencesIn } from '../../src/fhir/search-parameters.ts'
import { askedFor, fits, termsOf } from '../../src/fhir/search-terms.ts'

const parse = (type: string, text: string, lenient = false) =>
  parseSearch(type, new URLSearchParams(text), { lenient, bases: ['https://gate.example/fhir'] })
const refusal = (type: string, text: string): Refusal => {
  try {
    parse(type, text)
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('a search that is not understood is refused', () => {
  test.each([
    ['Task', 'colour=red'],
    ['Task', 'status:fuzzy=requested'],
    ['Task', 'status:not:not=requested'],
    ['Task', 'owner:Practitioner2=12'],
    ['Task', 'patient:Group=12'],
    ['Task', 'status='],
    ['Task', 'status=a,,b'],
    ['Task', 'status= '],
    ['Task', 'patient.colour=red'],
    ['Task', 'status.identifier=1'],
    ['Task', 'code:missing=maybe'],
    ['Task', 'authored-on=yesterday'],
    ['Task', 'authored-on=ap2026-01-01'],
    ['Task', 'authored-on=2026-02-30'],
    ['Task', '_lastUpdated=2026-13'],
    ['Task', '_count=many'],
    ['Task', '_count=-1'],
    ['Task', '_count=5&_count=6'],
    ['Task', '_sort=status'],
    ['Task', '_sort=authored-on,_id'],
    ['Patient', '_sort=birthdate'],
    ['Task', '_include=*'],
    ['Task', '_include=Task:status'],
    ['Task', '_include=CarePlan:patient'],
    ['Task', '_include:iterate=Task:patient'],
    ['Task', '_revinclude=Nothing:patient'],
    ['Task', '_summary=text'],
    ['Task', '_total=all'],
    ['Task', '_elements=status;drop'],
    ['Task', '_format=xml'],
    ['Task', '_page=nonsense'],
    ['Task', '_has:Provenance:target:agent=1'],
    ['Task', 'toString=1'],
    ['Binary', ''],
    ['Task', Array.from({ length: 21 }, (_, n) => `code=${n}`).join('&')],
    ['Task', `code=${Array.from({ length: 51 }, (_, n) => n).join(',')}`],
  ])('%s?%s', (type, text) => {
    const { status, issues } = refusal(type, text)
    expect(status).toBe(400)
    expect(issues[0]?.text).toMatch(/\.$/)
  })

  test('by the name of the parameter, never by its value, and only a name that looks like one', () => {
    expect(refusal('Task', 'family=scarlet').message).toBe('family is not supported for Task.')
    expect(refusal('Task', 'authored-on=scarlet').message).not.toContain('scarlet')
    expect(refusal('Task', 'Wrenfield=scarlet').message).toBe('A search parameter is not supported for Task.')
    expect(refusal('Task', '9990000379=scarlet').message).toBe('A search parameter is not supported for Task.')
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (name, value) => {
        try {
          parse('Task', new URLSearchParams([[name, `secret-${value}`]]).toString())
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal)
          expect((error as Refusal).message).not.toContain('secret-')
        }
      }),
    )
  })

  test('unless the caller is lenient: then it is left out, of the links too', () => {
    const query = parse('Task', 'colour=red&status=requested', true)
    expect(query.conditions).toHaveLength(1)
    expect(query.asked).toEqual([['status', 'requested']])
    expect(() => parse('Task', 'authored-on=yesterday', true)).toThrow(Refusal)
  })
})

describe('what is asked is read', () => {
  test('commas and bars that are escaped belong to the value', () => {
    expect(parse('Task', 'code=a\\,b').conditions).toMatchObject([{ codes: ['a,b|'] }])
    expect(parse('Task', 'code=s|a\\|b').conditions).toMatchObject([{ exact: ['a\\|b|s'] }])
  })

  test('an absolute reference to us is one of ours, another stays what it is', () => {
    expect(parse('Task', 'patient=https://gate.example/fhir/Patient/12').conditions).toMatchObject([{ exact: ['Patient/12'] }])
    expect(parse('Task', 'subject=https://else.example/Patient/12').conditions).toMatchObject([
      { exact: ['https://else.example/Patient/12'] },
    ])
  })

  test('a page is never larger than 200', () => {
    expect(parse('Task', '_count=100000').count).toBe(200)
  })

  test('a page token comes back as the place it stands for', () => {
    const cursor = { id: 'a-1', value: '2026-03-02T09:00:00.000Z' }
    expect(parse('Task', `_page=${cursorText(cursor)}`).after).toEqual(cursor)
    expect(parse('Task', `_page=${cursorText({ id: 'a-1' })}`).after).toEqual({ id: 'a-1' })
  })
})

describe('a date covers', () => {
  test.each([
    ['2026', '2026-01-01T00:00:00.000Z', '2026-12-31T23:59:59.999Z'],
    ['2026-02', '2026-02-01T00:00:00.000Z', '2026-02-28T23:59:59.999Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z', '2028-02-29T23:59:59.999Z'],
    ['2026-03-02T09:00', '2026-03-02T09:00:00.000Z', '2026-03-02T09:00:59.999Z'],
    ['2026-03-02T09:00:00+01:00', '2026-03-02T08:00:00.000Z', '2026-03-02T08:00:00.999Z'],
    ['2026-03-02T09:00:00.1234567Z', '2026-03-02T09:00:00.123Z', '2026-03-02T09:00:00.123Z'],
    ['9999-12-31', '9999-12-31T00:00:00.000Z', '9999-12-31T23:59:59.999Z'],
  ])('%s: from %s to %s', (text, from, upto) => {
    expect(instantsOf(text)).toEqual({ from, upto })
  })

  test.each(['', '26', '2026-02-29', '2026-04-31', '2026-00', '2026-03-02T25:00:00Z', '02/03/2026'])('%j: nothing', (text) => {
    expect(instantsOf(text)).toBeUndefined()
  })
})

describe('a resource is found by', () => {
  const rows = (resource: object) => indexRows(resource as Resource).map(({ param, value }) => `${param}=${value}`)

  test('every part of its names, folded, and as written for :exact', () => {
    const found = rows({ resourceType: 'Patient', name: [{ family: 'Ó  Néill', given: ['Zoë'] }] })
    expect(found).toContain('family=o neill')
    expect(found).toContain('family:exact=Ó  Néill')
    expect(found).toContain('name=zoe')
    expect(fold('O’Neill')).toBe("o'neill")
  })

  test('its phone numbers, not its e-mail addresses, as a phone', () => {
    const telecom = [
      { system: 'phone', value: '07700 900001' },
      { system: 'email', value: 'a@example.org' },
    ]
    expect(rows({ resourceType: 'Patient', telecom })).toEqual(['phone=07700 900001|', 'email=a@example.org|'])
  })

  test('its references without version; not by contained ones', () => {
    const resource = {
      resourceType: 'Task',
      for: { reference: 'Patient/1/_history/3' },
      owner: { reference: '#me' },
      basedOn: [{ reference: 'ServiceRequest/2' }],
    }
    expect(rows(resource)).toEqual(['subject=Patient/1', 'based-on=ServiceRequest/2'])
    expect(referencesIn(resource as Resource, 'patient')).toEqual(['Patient/1'])
  })

  test('periods with an open end', () => {
    expect(indexRows({ resourceType: 'CarePlan', period: { start: '2026-03-01' } } as Resource)).toEqual([
      { param: 'date', value: '2026-03-01T00:00:00.000Z', upto: '9999-12-31T23:59:59.999Z' },
    ])
  })

  test('nothing, when there is nothing', () => {
    expect(rows({ resourceType: 'Task' })).toEqual([])
  })
})

describe('the index', () => {
  const person = { resourceType: 'Patient', id: 'p1', name: [{ family: 'Ashgrove-Wintersmith' }], birthDate: '1990-05-17' } as Resource
  const terms = termsOf('service:ne', person)
  const ask = (text: string, type = 'Patient') => {
    const [condition] = parse(type, text).conditions
    return askedFor('service:ne', type, condition as Parameters<typeof askedFor>[2])
  }

  const fitsFor = (text: string, one: Resource) => fits(parse(one.resourceType, text).conditions[0] as Parameters<typeof fits>[0], one)

  test.each([
    ['family=a', true],
    ['family=as', true],
    ['family=ashgrove-', false],
    ['family=ASH', true],
    ['family=ashgrove-wintersm', false],
    ['family:exact=Ashgrove-Wintersmith', false],
    ['birthdate=1990-05-17', false],
    ['birthdate=1990-05', false],
  ])('has a term for %s; it decides alone: %s', (text, decides) => {
    const asked = ask(text)
    expect(asked?.decides).toBe(decides)
    expect(terms).toEqual(expect.arrayContaining(asked?.terms ?? ['none']))
  })

  test.each(['family:contains=grove', 'birthdate=1990', 'birthdate=ge1990-05-01', 'identifier=http://x|'])('is no help for %s', (text) => {
    expect(ask(text)).toBeUndefined()
  })

  test('finds a token by its code alone and with its system, whatever bars they have', () => {
    const task = {
      resourceType: 'Task',
      id: 't',
      businessStatus: { coding: [{ system: 'http://s|s', code: 'a|b' }, { code: 'c' }] },
    } as Resource
    const found = termsOf('service:ne', task)
    for (const [text, there] of [
      ['business-status=a\\|b', true],
      ['business-status=http://s\\|s|a\\|b', true],
      ['business-status=c', true],
      ['business-status=|c', true],
      ['business-status=a', false],
      ['business-status=|a\\|b', false],
      ['business-status=http://s|a\\|b', false],
    ] as const)
      expect([text, ask(text, 'Task')?.terms.some((term) => found.includes(term)) && fitsFor(text, task)]).toEqual([text, there])
  })

  test('narrows to no less than what fits: a resource that fits a condition has one of its terms', () => {
    const start = fc.integer({ min: 1, max: 20 }).map((length) => 'Ashgrove-Wintersmith'.slice(0, length))
    const word = fc.oneof(fc.constantFrom('a', 'Ash', 'ashgrove', 'Ashgrove-Wintersmith', 'O’Neill', 'Zoë', 'x|y'), start)
    const day = fc.constantFrom('1990', '1990-05', '1990-05-17', '1990-06-01')
    const name = fc.constantFrom('family', 'family:exact', 'given', 'birthdate', 'identifier', 'gender')
    fc.assert(
      fc.property(name, word, day, word, day, (param, asked, askedDay, family, birthDate) => {
        const value = param === 'birthdate' ? askedDay : asked.replaceAll('|', '\\|')
        const [condition] = parse('Patient', new URLSearchParams([[param, value]]).toString()).conditions
        const one = {
          resourceType: 'Patient',
          id: 'p',
          name: [{ family, given: [family] }],
          birthDate,
          identifier: [{ system: 's', value: family }],
          gender: 'female',
        } as Resource
        const narrowed = askedFor('service:ne', 'Patient', condition as Parameters<typeof askedFor>[2])
        const there = narrowed?.terms.some((term) => termsOf('service:ne', one).includes(term)) ?? true
        if (fits(condition as Parameters<typeof fits>[0], one)) expect(there).toBe(true)
        else if (narrowed?.decides) expect(there).toBe(false)
      }),
      { numRuns: 500 },
    )
  })
})

test('a page is a searchset Bundle: what matched, what came along, and where it goes on', () => {
  const query = parse('Task', '_count=1&status=requested')
  const task = { resourceType: 'Task', id: 't1', status: 'requested', intent: 'order' } as const
  const bundle = bundleOf(query, { matches: [kept(task)], included: [kept({ resourceType: 'Patient', id: 'p1' })], next: 'abc' })
  expect(bundle.link).toEqual([
    { relation: 'self', url: 'https://gate.example/fhir/Task?_count=1&status=requested' },
    { relation: 'next', url: 'https://gate.example/fhir/Task?_count=1&status=requested&_page=abc' },
  ])
  expect(bundle.entry?.map(({ fullUrl, search }: BundleEntry) => [fullUrl, search?.mode])).toEqual([
    ['https://gate.example/fhir/Task/t1', 'match'],
    ['https://gate.example/fhir/Patient/p1', 'include'],
  ])
  expect(bundle).not.toHaveProperty('total')
})

test('the texts of resources stand in the Bundle as they were kept, whatever is in them', () => {
  const query = parse('Task', 'status=requested')
  const anything = fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), { maxLength: 4 })
  fc.assert(
    fc.property(anything, anything, fc.option(fc.nat(), { nil: undefined }), (matches, included, total) => {
      const named = (each: object, n: number) => ({ ...each, resourceType: 'Task', id: `t${n}` }) as Resource
      const page = { matches: matches.map(named), included: included.map(named), ...(total === undefined ? {} : { total }) }
      const bundle = bundleOf(query, { ...page, matches: page.matches.map(kept), included: page.included.map(kept) })
      // What JSON keeps of them: no undefined, no minus zero.
      const inJson = JSON.parse(JSON.stringify([...page.matches, ...page.included]))
      expect(bundle.entry?.map(({ resource }: BundleEntry) => resource) ?? []).toEqual(inJson)
      expect(bundle.entry?.filter(({ search }: BundleEntry) => search?.mode === 'match').length ?? 0).toBe(matches.length)
      expect(bundle.total).toBe(total)
    }),
  )
})

test('_elements takes a match apart, and leaves what came along whole', () => {
  const query = parse('Task', '_elements=status')
  const one = { resourceType: 'Task', id: 't1', status: 'requested', intent: 'order', meta: { versionId: '2' } } as Resource
  const bundle = bundleOf(query, { matches: [kept(one)], included: [kept(one)] })
  expect(bundle.entry?.[0]?.resource).not.toHaveProperty('intent')
  expect(bundle.entry?.[0]?.resource?.meta?.tag?.[0]?.code).toBe('SUBSETTED')
  expect(bundle.entry?.[1]?.resource).toEqual(one)
})

const bundleOf = (query: SearchQuery, page: Page) =>
  JSON.parse(searchBundle('https://gate.example', query, page, '2026-03-02T09:00:00.000Z')) as Bundle
