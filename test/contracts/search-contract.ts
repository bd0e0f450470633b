/**
 * What a search answers, on every database: run on SQLite (search.test.ts) and on D1 (d1.test.ts).
 */
import type { Resource } from '@medplum/fhirtypes'
import { beforeEach, describe, expect, test } from 'vitest'
import { patientOf } from '../../src/exchange/references.ts'
import { parseSearch } from '../../src/fhir/search.ts'
import type { Database } from '../../src/store/database.ts'
import { createResource, deleteResource, type Stored, takeOffShelf } from '../../src/store/resources.ts'
import { searchShelf } from '../../src/store/search.ts'

const nhs = 'https://fhir.nhs.uk/Id/nhs-number'
const at = (minute: number): string => new Date(Date.UTC(2026, 2, 2, 9, minute)).toISOString()
const shelf = 'service:ne'

const person = (id: string, nhsNumber: string, family: string, given: string, birthDate?: string) => ({
  resourceType: 'Patient',
  id,
  identifier: [{ system: nhs, value: nhsNumber }],
  name: [{ family, given: [given] }],
  ...(birthDate ? { birthDate } : {}),
  telecom: [{ system: 'phone', value: '07700 900001' }],
})
const task = (id: string, who: string, status: string, more: object = {}) => ({
  resourceType: 'Task',
  id,
  intent: 'order',
  status,
  for: { reference: `Patient/${who}` },
  focus: { reference: `ServiceRequest/sr-${who}` },
  owner: { reference: 'Organization/gp', identifier: { system: 'https://fhir.nhs.uk/Id/ods-organization-code', value: 'A81001' } },
  ...more,
})

const resources: object[] = [
  person('p1', '9990000379', 'Ashgrove', 'Zoë', '1990-05-17'),
  person('p2', '9990000387', 'Ash', 'Tom', '1988'),
  person('p3', '9990000395', 'O’Neill', 'Mary Jane'),
  { resourceType: 'ServiceRequest', id: 'sr-p1', status: 'active', intent: 'order', subject: { reference: 'Patient/p1' } },
  {
    resourceType: 'CarePlan',
    id: 'cp1',
    status: 'active',
    intent: 'plan',
    subject: { reference: 'Patient/p1' },
    period: { start: '2026-03-10', end: '2026-03-20' },
    activity: [{ detail: { status: 'scheduled', performer: [{ reference: 'Organization/gp' }] } }],
  },
  {
    resourceType: 'CarePlan',
    id: 'cp2',
    status: 'active',
    intent: 'plan',
    subject: { reference: 'Patient/p2' },
    period: { start: '2026-03-15' },
  },
  { resourceType: 'CarePlan', id: 'cp3', status: 'draft', intent: 'plan', subject: { reference: 'Patient/p1' } },
  task('t1', 'p1', 'requested', { code: { coding: [{ system: 'http://x', code: 'fulfill' }] }, authoredOn: '2026-03-02T09:00:00Z' }),
  task('t2', 'p1', 'completed', { code: { coding: [{ code: 'fulfill' }] }, authoredOn: '2026-03-01' }),
  task('t3', 'p2', 'requested', { authoredOn: '2026-03-03T00:30:00+01:00' }),
]

export function searchContract(name: string, open: () => Promise<Database>): void {
  describe(`${name}: a search`, () => {
    let database: Database
    beforeEach(async () => {
      database = await open()
      await put(shelf, resources)
    })
    const put = (onto: string, these: object[]) =>
      database.atomically(
        these.flatMap((each, n) => {
          const body = each as Resource
          const patient = patientOf(body)
          return createResource({
            shelf: onto,
            type: body.resourceType,
            id: body.id!,
            version: 1,
            lastUpdated: at(n),
            ...(patient ? { patient } : {}),
            body,
          })
        }),
      )
    const search = (text: string, on = shelf) => {
      const [type = '', params] = text.split('?')
      return searchShelf(database, on, parseSearch(type, new URLSearchParams(params)))
    }
    const ids = async (text: string, on = shelf) => (await search(text, on)).matches.map(({ id }) => id)

    test.each<[string, string[]]>([
      ['Task', ['t1', 't2', 't3']],
      // tokens
      ['Task?status=requested', ['t1', 't3']],
      ['Task?status=requested,completed&patient=p1', ['t1', 't2']],
      ['Task?status:not=requested', ['t2']],
      ['Task?status:not=requested,completed', []],
      ['Task?code=fulfill', ['t1', 't2']],
      ['Task?code=http://x|fulfill', ['t1']],
      ['Task?code=|fulfill', ['t2']],
      ['Task?code=http://x|', ['t1']],
      ['Task?code=http://y|fulfill', []],
      ['Task?code:missing=true', ['t3']],
      ['Task?code:missing=false', ['t1', 't2']],
      [`Patient?identifier=${nhs}|9990000379`, ['p1']],
      [`Patient?identifier=${nhs}|9990000379,${nhs}|9990000387`, ['p1', 'p2']],
      ['Patient?phone=07700 900001&family=ash', ['p1', 'p2']],
      // strings
      ['Patient?family=ash', ['p1', 'p2']],
      ['Patient?family=ASHGR', ['p1']],
      ['Patient?family:exact=Ash', ['p2']],
      ['Patient?family:exact=ash', []],
      ['Patient?family:contains=hgro', ['p1']],
      ['Patient?given=zoe', ['p1']],
      ['Patient?given=mary  jane', ['p3']],
      ["Patient?family=o'neill", ['p3']],
      ['Patient?name=tom,zo', ['p1', 'p2']],
      ['Patient?name=ash&name=tom', ['p2']],
      // references
      ['Task?patient=Patient/p1', ['t1', 't2']],
      ['Task?patient=p1', ['t1', 't2']],
      ['Task?patient=https://reconnect.example/fhir/Patient/p1', ['t1', 't2']],
      ['Task?subject:Patient=p2', ['t3']],
      ['Task?owner:identifier=https://fhir.nhs.uk/Id/ods-organization-code|A81001', ['t1', 't2', 't3']],
      ['CarePlan?performer=Organization/gp', ['cp1']],
      // chains
      [`CarePlan?patient.identifier=${nhs}|9990000379&status=active`, ['cp1']],
      [`CarePlan?subject:Patient.identifier=${nhs}|9990000387`, ['cp2']],
      ['Task?patient.family=ash&status=requested', ['t1', 't3']],
      ['Task?patient.family:exact=Ash', ['t3']],
      ['Task?patient.birthdate=lt1989', ['t3']],
      // dates
      ['Patient?birthdate=1990-05-17', ['p1']],
      ['Patient?birthdate=1990', ['p1']],
      ['Patient?birthdate=1990-05-18', []],
      ['Patient?birthdate=ne1990', ['p2']],
      ['Patient?birthdate=ge1988,eq1990-05', ['p1', 'p2']],
      ['Patient?birthdate=ge1989&birthdate=le1991', ['p1']],
      ['Patient?birthdate=1988-06', []],
      ['CarePlan?date=2026-03', ['cp1']],
      ['CarePlan?date=gt2026-03-31', ['cp2']],
      ['CarePlan?date=lt2026-03-12', ['cp1']],
      ['CarePlan?date=sa2026-03-12', ['cp2']],
      ['CarePlan?date=eb2026-03-21', ['cp1']],
      ['CarePlan?date=ge2026-03-20&date=le2026-03-10', ['cp1']],
      ['Task?authored-on=2026-03-02', ['t1', 't3']],
      ['Task?authored-on=gt2026-03-02T09:00:00Z', ['t3']],
      ['Task?authored-on=gt2026-03-02T10:00:00%2B01:00', ['t3']],
      // columns
      ['Task?_id=t1,t3', ['t1', 't3']],
      ['Task?_id=t1&status=completed', []],
      [`Task?_lastUpdated=gt${at(7)}`, ['t2', 't3']],
      [`Task?_lastUpdated=le${at(7)}&status=requested`, ['t1']],
      ['Task?_lastUpdated=2026-03-02', ['t1', 't2', 't3']],
      // order
      ['Task?_sort=-_lastUpdated', ['t3', 't2', 't1']],
      ['Task?_sort=authored-on', ['t2', 't1', 't3']],
      ['Task?_sort=-authored-on', ['t3', 't1', 't2']],
      ['CarePlan?_sort=date', ['cp1', 'cp2', 'cp3']],
      ['CarePlan?_sort=-date', ['cp2', 'cp1', 'cp3']],
      ['CarePlan?_sort=-_id', ['cp3', 'cp2', 'cp1']],
      // values that would be something else in SQL
      ["Patient?family=ash' or '1'='1", []],
      ['Patient?family=%25', []],
      ['Patient?family:contains=_', []],
    ])('%s gives %j', async (text, expected) => {
      expect(await ids(text)).toEqual(expected)
    })

    test('sees one shelf only, through chains and includes too', async () => {
      await put('partner:gp', [task('t1', 'p1', 'requested')])
      expect(await ids('Task', 'partner:gp')).toEqual(['t1'])
      expect(await ids('Patient', 'partner:gp')).toEqual([])
      expect(await ids(`Task?patient.identifier=${nhs}|9990000379`, 'partner:gp')).toEqual([])
      expect((await search('Task?_include=Task:patient', 'partner:gp')).included).toEqual([])
      expect((await search('Task', 'partner:nobody')).matches).toEqual([])
    })

    test('does not find what was deleted or taken off', async () => {
      const gone: Omit<Stored, 'body'> = { shelf, type: 'Task', id: 't1', version: 2, lastUpdated: at(30) }
      await database.atomically([...deleteResource(gone, 1), ...takeOffShelf(shelf, 'Task', 't2')])
      expect(await ids('Task')).toEqual(['t3'])
      expect(await ids('Task?_id=t1')).toEqual([])
      expect(await ids('Task?code:missing=true')).toEqual(['t3'])
      expect((await search('Task?_total=accurate')).total).toBe(1)
    })

    test.each(['_lastUpdated', '-_lastUpdated', '_id', '-_id', 'authored-on', '-authored-on'])(
      'pages by %s without a gap or a repeat',
      async (sort) => {
        await put(
          shelf,
          Array.from({ length: 7 }, (_, n) => task(`more-${n}`, 'p3', 'draft', n % 3 ? { authoredOn: `2026-04-0${(n % 4) + 1}` } : {})),
        )
        const whole = await ids(`Task?_sort=${sort}`)
        const seen: string[] = []
        let page: string | undefined = ''
        while (page !== undefined) {
          const found = await search(`Task?_sort=${sort}&_count=3${page ? `&_page=${page}` : ''}`)
          expect(found.matches.length).toBeLessThanOrEqual(3)
          seen.push(...found.matches.map(({ id }) => id))
          page = found.next
        }
        expect(seen).toEqual(whole)
        expect(seen).toHaveLength(10)
      },
    )

    test('counts all there is when asked, or when it fits on the page', async () => {
      expect((await search('Task')).total).toBe(3)
      expect((await search('Task?_count=2')).total).toBeUndefined()
      expect((await search('Task?_count=2&_total=accurate')).total).toBe(3)
      expect(await search('Task?status=requested&_summary=count')).toEqual({ matches: [], included: [], total: 2 })
      expect(await search('Task?_count=0')).toEqual({ matches: [], included: [], total: 3 })
    })

    test('brings along what it leads to and what leads to it, once', async () => {
      const forward = await search('Task?status=requested,completed&_include=Task:patient&_include=Task:focus')
      expect(forward.included.map(({ id }) => id).sort()).toEqual(['p1', 'p2', 'sr-p1'])
      const narrowed = await search('Task?_include=Task:focus:CarePlan')
      expect(narrowed.included).toEqual([])
      const back = await search('Patient?family=ashgrove&_revinclude=Task:patient&_revinclude=CarePlan:subject')
      expect(back.included.map(({ id }) => id)).toEqual(['t1', 't2', 'cp1', 'cp3'])
    })

    test('with a value that most resources have walks the shelf, and finds the same', async () => {
      await put(
        shelf,
        Array.from({ length: 600 }, (_, n) =>
          task(`many-${String(n).padStart(3, '0')}`, 'p3', n % 2 ? 'received' : 'draft', { priority: 'urgent' }),
        ),
      )
      const found = await search('Task?priority=urgent&intent=order&_count=3&_sort=_id')
      expect(found.matches.map(({ id }) => id)).toEqual(['many-000', 'many-001', 'many-002'])
      expect(await ids('Task?intent=order&status=completed')).toEqual(['t2'])
    })
  })
}
