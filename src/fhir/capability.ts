/**
 * What this server can do, as a CapabilityStatement: generated from what it serves, so that it never claims more.
 */
import type { CapabilityStatement, CapabilityStatementRestResource } from '@medplum/fhirtypes'
import { renderedTypes } from './kept-types.ts'
import { BASE } from './systems.ts'

/** By type and name; the shape of `search-parameters.ts`. */
export type SearchParameters = Readonly<Record<string, Readonly<Record<string, { kind: string; targets?: readonly string[] }>>>>

export type Served = {
  publicUrl: string
  /** ISO instant this statement is of. */
  date: string
  types: readonly string[]
  readOnly: readonly string[]
  /** Our own code systems and maps: read by id, found by url. */
  terminology: readonly string[]
  searchParameters: SearchParameters
  operationsOf: (type: string) => { name: string; definition: string }[]
  systemOperations: { name: string; definition: string }[]
}

export const capability = (served: Served): CapabilityStatement => ({
  resourceType: 'CapabilityStatement',
  url: `${BASE}/CapabilityStatement/reconnect-exchange`,
  version: '0.1.0',
  name: 'ReconnectExchange',
  title: 'RECONNECT Exchange',
  status: 'active',
  date: served.date,
  publisher: 'RECONNECT Exchange',
  kind: 'instance',
  software: { name: 'RECONNECT Exchange', version: '0.1.0' },
  implementation: { description: 'Gateway between a RECONNECT service and its partner agencies', url: `${served.publicUrl}/fhir` },
  fhirVersion: '4.0.1',
  format: ['application/fhir+json', 'json'],
  patchFormat: ['application/json-patch+json'],
  rest: [
    {
      mode: 'server',
      security: {
        service: [
          {
            coding: [{ system: 'http://terminology.hl7.org/CodeSystem/restful-security-service', code: 'SMART-on-FHIR' }],
            text: 'SMART Backend Services',
          },
        ],
        extension: [
          {
            url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris',
            extension: [{ url: 'token', valueUri: `${served.publicUrl}/oauth/token` }],
          },
        ],
      },
      interaction: [{ code: 'transaction' }, { code: 'batch' }],
      operation: served.systemOperations,
      resource: [...served.types.map((type) => resource(type, served)), ...served.terminology.map(terminology)],
    },
  ],
})

const terminology = (type: string): CapabilityStatementRestResource => ({
  type: type as NonNullable<CapabilityStatementRestResource['type']>,
  interaction: [{ code: 'read' }, { code: 'search-type' }],
  searchParam: [{ name: 'url', type: 'uri' }],
})

const reading = ['read', 'vread', 'history-instance', 'search-type'] as const
const readingRendered = ['read', 'search-type'] as const
const writing = ['create', 'update', 'patch', 'delete'] as const

function resource(type: string, served: Served): CapabilityStatementRestResource {
  const operation = served.operationsOf(type)
  const parameters = Object.entries(served.searchParameters[type] ?? {})
  const references = parameters.filter(([, { kind }]) => kind === 'reference').map(([name]) => `${type}:${name}`)
  const rendered = renderedTypes.includes(type)
  const writable = !served.readOnly.includes(type)
  return {
    type: type as NonNullable<CapabilityStatementRestResource['type']>,
    interaction: [...(rendered ? readingRendered : reading), ...(writable ? writing : [])].map((code) => ({ code })),
    versioning: rendered ? 'no-version' : writable ? 'versioned-update' : 'versioned',
    readHistory: !rendered,
    updateCreate: false,
    ...(writable
      ? {
          conditionalCreate: true,
          conditionalRead: 'not-match' as const,
          conditionalUpdate: false,
          conditionalDelete: 'not-supported' as const,
        }
      : {}),
    ...(references.length > 0 ? { searchInclude: references } : {}),
    searchParam: [
      { name: '_id', type: 'token' },
      { name: '_lastUpdated', type: 'date' },
      ...parameters.map(([name, { kind }]) => ({ name, type: kind as 'token' })),
    ],
    ...(operation.length > 0 ? { operation } : {}),
  }
}
