/**
 * What a database was indexed by has to be what it is asked by: when the rules change, `termsVersion` is raised.
 */
import type { Resource } from '@medplum/fhirtypes'
import { expect, test } from 'vitest'
import { termsOf, termsVersion } from '../../src/fhir/search-terms.ts'

const subject = { reference: 'Patient/p1' }
const resources: Resource[] = [
  {
    resourceType: 'Patient',
    id: 'p1',
    identifier: [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' }],
    name: [{ family: 'Featherstonehaughley', given: ['Maximiliana'] }],
    birthDate: '1990-04-02',
    address: [{ postalCode: 'TS1 1AA' }],
  },
  { resourceType: 'Practitioner', id: 'w1', name: [{ family: 'Okonjo', given: ['Ada'] }] },
  { resourceType: 'CarePlan', id: 'c1', status: 'active', intent: 'plan', subject },
  { resourceType: 'Task', id: 't1', status: 'requested', intent: 'order', for: subject, owner: { reference: 'Organization/o1' } },
]

test(`terms of version ${termsVersion}: when this changes, raise termsVersion with it, or what is kept is no longer found`, () => {
  expect(termsVersion).toBe(4)
  expect(resources.map((resource) => termsOf('service:s', resource).sort())).toMatchInlineSnapshot(`
    [
      [
        "service:s|Patient|address-postalcode^t",
        "service:s|Patient|address-postalcode^ts",
        "service:s|Patient|address-postalcode^ts1",
        "service:s|Patient|address-postalcode^ts1 1",
        "service:s|Patient|birthdate@1990-04",
        "service:s|Patient|family^f",
        "service:s|Patient|family^fe",
        "service:s|Patient|family^fea",
        "service:s|Patient|family^feath",
        "service:s|Patient|family^feathers",
        "service:s|Patient|family^featherstone",
        "service:s|Patient|family^featherstonehaughley",
        "service:s|Patient|given^m",
        "service:s|Patient|given^ma",
        "service:s|Patient|given^max",
        "service:s|Patient|given^maxim",
        "service:s|Patient|given^maximili",
        "service:s|Patient|identifier=9990000018|",
        "service:s|Patient|name-and-birth=1990-04-02 featherstonehaughley maximiliana",
      ],
      [
        "service:s|Practitioner|family^o",
        "service:s|Practitioner|family^ok",
        "service:s|Practitioner|family^oko",
        "service:s|Practitioner|family^okonj",
        "service:s|Practitioner|given^a",
        "service:s|Practitioner|given^ad",
        "service:s|Practitioner|given^ada",
      ],
      [
        "service:s|CarePlan|status=active|",
      ],
      [
        "service:s|Task|owner=Organization/o1",
        "service:s|Task|status=requested|",
      ],
    ]
  `)
})
