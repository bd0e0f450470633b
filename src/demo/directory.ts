/**
 * The demo's directory: the RECONNECT service whose people these are, and a simulated partner of each kind, a practice out of area and the
 * RECONNECT service of that area among them.
 */
import type { JWK } from 'jose'

export const serviceId = 'north-east'
export const serviceClient = 'north-east-case-system'

const partners = {
  'elvet-surgery': { kind: 'gp-registration', name: 'Elvet Riverside Surgery (test)', ods: 'TESTGP01' },
  'sound-view': { kind: 'gp-registration', name: 'Sound View Practice, Plymouth (test)', ods: 'TESTGP02' },
  'wear-recovery': { kind: 'substance-misuse', name: 'Wear Recovery drug team (test)', ods: 'TESTSM01' },
  'durham-probation': { kind: 'probation', name: 'Durham probation (test)', ods: 'TESTPR01' },
  'reconnect-south-west': { kind: 'reconnect-service', name: 'RECONNECT South West (test)', ods: 'RXTESTSW' },
  'er-north-east': { kind: 'enhanced-reconnect', name: 'Enhanced RECONNECT North East (test)', ods: 'TESTER01' },
} as const
export type PartnerId = keyof typeof partners
export const partnerIds = Object.keys(partners) as PartnerId[]

/** The partner that fetches its plans; the others are sent messages. */
export const pulls: PartnerId = 'wear-recovery'

/** The partner that is a service of this gateway too; it works with a client of its own. */
export const southWest = 'south-west'
export const southWestPartner: PartnerId = 'reconnect-south-west'
export const southWestClient = 'south-west-case-system'
/** Partners that answer as partners do. */
export const outside = partnerIds.filter((id) => id !== southWestPartner)

/**
 * The directory file (CONTRACT.md 2).
 *
 * @param urls FHIR base of each partner that is sent messages
 * @param keys public key of each client, by client id
 */
export const directoryFile = (urls: Partial<Record<PartnerId, string>>, keys: Readonly<Record<string, JWK>>) => ({
  services: [
    {
      id: serviceId,
      name: 'RECONNECT North East (demo)',
      ods: 'RXTESTNE',
      prisons: ['DMI', 'LNI', 'HHI'],
      homeAreas: ['Durham', 'Seaham', 'Stockton-on-Tees', 'Bishop Auckland'],
      enhanced: true,
    },
    { id: southWest, name: 'RECONNECT South West (demo)', ods: 'RXTESTSW', prisons: ['EXI'], homeAreas: ['Plymouth'], enhanced: true },
  ],
  partners: [
    ...partnerIds.map((id) => ({ id, ...partners[id], channel: channelOf(id, urls[id]), deduplicates: true })),
    // What the south west knows us as, so that its answer finds its way.
    {
      id: 'reconnect-north-east',
      kind: 'reconnect-service',
      name: 'RECONNECT North East (demo)',
      ods: 'RXTESTNE',
      channel: { name: 'here', service: serviceId },
      deduplicates: true,
    },
  ],
  clients: [
    { id: serviceClient, role: 'service', service: serviceId, jwks: { keys: [keys[serviceClient]] }, scope: 'system/*.cruds' },
    { id: southWestClient, role: 'service', service: southWest, jwks: { keys: [keys[southWestClient]] }, scope: 'system/*.cruds' },
    ...outside.map((id) => ({ id, role: 'partner', partner: id, jwks: { keys: [keys[id]] }, scope: 'system/*.rs system/Task.rus' })),
  ],
})

const channelOf = (id: PartnerId, url: string | undefined) =>
  id === southWestPartner ? { name: 'here', service: southWest } : url ? { name: 'fhir-message', url } : { name: 'pull' }
