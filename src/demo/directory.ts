/**
 * The demo's directory: one RECONNECT service, and a simulated partner of each kind (and a second practice, out of area).
 */
import type { JWK } from 'jose'

export const serviceId = 'north-east'
export const serviceClient = 'north-east-case-system'

const partners = {
  'elvet-surgery': { kind: 'gp-registration', name: 'Elvet Riverside Surgery (test)', ods: 'TESTGP01' },
  'sound-view': { kind: 'gp-registration', name: 'Sound View Practice, Plymouth (test)', ods: 'TESTGP02' },
  'wear-recovery': { kind: 'substance-misuse', name: 'Wear Recovery drug team (test)', ods: 'TESTSM01' },
  'durham-probation': { kind: 'probation', name: 'Durham probation (test)', ods: 'TESTPR01' },
  'er-north-east': { kind: 'enhanced-reconnect', name: 'Enhanced RECONNECT North East (test)', ods: 'TESTER01' },
} as const
export type PartnerId = keyof typeof partners
export const partnerIds = Object.keys(partners) as PartnerId[]

/** The partner that fetches its plans; the others are sent messages. */
export const pulls: PartnerId = 'wear-recovery'

/**
 * The directory file (CONTRACT.md 2).
 *
 * @param urls FHIR base of each partner that is sent messages
 * @param keys public key of each client, by client id
 */
export const directoryFile = (urls: Partial<Record<PartnerId, string>>, keys: Readonly<Record<string, JWK>>) => ({
  services: [
    { id: serviceId, name: 'RECONNECT North East (demo)', ods: 'RXTESTNE', prisons: ['DMI', 'LNI', 'HHI'], homeAreas: [], enhanced: true },
  ],
  partners: partnerIds.map((id) => ({
    id,
    ...partners[id],
    channel: urls[id] ? { name: 'fhir-message', url: urls[id] } : { name: 'pull' },
    deduplicates: true,
  })),
  clients: [
    { id: serviceClient, role: 'service', service: serviceId, jwks: { keys: [keys[serviceClient]] }, scope: 'system/*.cruds' },
    ...partnerIds.map((id) => ({ id, role: 'partner', partner: id, jwks: { keys: [keys[id]] }, scope: 'system/*.rs system/Task.rus' })),
  ],
})
