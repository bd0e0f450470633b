import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Bundle, Resource } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { closures, isClosure } from '../../src/domain/outcomes.ts'
import { notEnough } from '../../src/domain/referral.ts'

const patient = { resourceType: 'Patient', name: [{ family: 'Ashgrove' }] }
const request = (rest: object) => ({ resourceType: 'ServiceRequest', status: 'active', intent: 'plan', subject: {}, ...rest })
const lacks = (...resources: object[]) => notEnough(resources as Resource[]).map(({ what }) => what)

describe('a referral is kept as soon as it names a person and a reason', () => {
  test.each([
    ['a coded reason', [patient, request({ reasonCode: [{ coding: [{ code: 'dental' }] }] })], []],
    ['a reason in words', [patient, request({ reasonCode: [{ text: 'Gets confused' }] })], []],
    ['a reason elsewhere', [patient, request({ reasonReference: [{ reference: 'Condition/1' }] })], []],
    ['a condition that comes with it', [patient, request({}), { resourceType: 'Condition', subject: {} }], []],
    ['no reason', [patient, request({ reasonCode: [{ text: ' ' }] })], ['reason']],
    ['no name', [{ resourceType: 'Patient', name: [{ given: ['Lee'] }] }, request({ reasonCode: [{ text: 'x' }] })], ['person']],
    ['nothing', [], ['person', 'reason']],
  ])('%s', (_, resources, what) => expect(lacks(...resources)).toEqual(what))

  const folder = new URL('../../../shared/examples/bars/', import.meta.url)
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('REFREQ')) : []
  test.skipIf(names.length === 0)('the public BaRS referrals are (skipped where they are absent)', () => {
    for (const name of names) {
      const bundle = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Bundle
      expect(lacks(...(bundle.entry ?? []).flatMap(({ resource }) => resource ?? [])), name).toEqual([])
    }
  })
})

test('an episode ends in one of the known ways, and none of them says that the person failed to comply', () => {
  expect([isClosure('needs-met'), isClosure('toString'), isClosure('breach')]).toEqual([true, false, false])
  const codes: string[] = Object.values(closures).flatMap((closure) => ('hmpps' in closure ? [closure.hmpps] : []))
  expect(codes.filter((code) => ['AFTC', 'AFTA', 'NOT', 'REV'].includes(code))).toEqual([])
})
