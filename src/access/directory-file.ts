/**
 * The directory file (CONTRACT.md 2): the services, partners, clients and staff a deployment knows. Read here, believed elsewhere.
 */
import * as z from 'zod'
import type { Adapter } from '../adapter.ts'
import type { Channel } from '../channel.ts'
import { type Allowed, urlFault } from '../channels/address.ts'
import { readScope } from './scopes.ts'
import { type Secrets, withSecrets } from './secrets.ts'

const id = z.string().regex(/^[A-Za-z0-9.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots or hyphens (a FHIR id).')
const words = z.string().trim().min(1, 'must not be empty.').max(200, 'must be at most 200 characters.')
const ods = z.string().regex(/^[A-Z0-9]{2,15}$/, 'must be an ODS code: capital letters and digits.')

const day = z.iso.date('must be a calendar date such as 2026-04-01.')
/** `true`, or from a day until a day; `team`: the partner to ask, where the directory has several. */
const enhanced = z.union(
  [z.boolean(), z.strictObject({ from: day.optional(), until: day.optional(), team: id.optional() })],
  'must be true, false, or from and until (calendar dates) and team.',
)

const service = z.strictObject({
  id,
  name: words,
  ods: ods.optional(),
  prisons: z.array(words).default([]),
  homeAreas: z.array(words).default([]),
  enhanced: enhanced.default(false),
  contact: z
    .strictObject({
      phone: words.optional(),
      email: z.email('must be an e-mail address.').optional(),
      address: words.optional(),
    })
    .optional(),
})

const partner = z.strictObject({
  id,
  kind: z.string(),
  name: words,
  ods: ods.optional(),
  channel: z.looseObject({ name: z.string() }),
  homeAreas: z.array(words).optional(),
  deduplicates: z.boolean().default(false),
  retired: z.boolean().default(false),
})

/** Public keys only: a private one in a directory is a secret already lost. */
const jwk = z
  .looseObject({ kty: z.enum(['EC', 'RSA'], 'must be EC or RSA.') })
  .refine((key) => !('d' in key), 'must be a public key; this one is private.')
const jwks = z.looseObject({ keys: z.array(jwk) })
/** Where it may lead is judged below: that depends on where this gateway is. */
const jwksUrl = z.string()
const scope = z
  .string()
  .refine(
    (text) => text.trim() !== '' && text.trim().split(/\s+/).every(readScope),
    'must be SMART system scopes such as system/*.rs system/Task.ru.',
  )

const client = z
  .strictObject({
    id,
    role: z.enum(['service', 'partner', 'referrer'], 'must be service, partner or referrer.'),
    service: z.string().optional(),
    partner: z.string().optional(),
    name: words.optional(),
    ods: ods.optional(),
    /** `BASE/CodeSystem/referrer-type`. */
    referrerType: z.string().optional(),
    jwks: jwks.optional(),
    jwksUrl: jwksUrl.optional(),
    scope,
    /** May this client record and review overrides (break glass)? No scope gives that: it is granted by name. */
    override: z.boolean().optional(),
    retired: z.boolean().default(false),
  })
  .superRefine((value, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (!value.jwks && !value.jwksUrl) fault('jwks', 'or jwksUrl is required.')
    if (value.jwks && value.jwksUrl) fault('jwks', 'and jwksUrl are both given: keep one.')
    // Services of this gateway refer to each other under names that begin so (src/exchange/hand-over.ts).
    if (value.id.startsWith('service.')) fault('id', 'must not begin with "service.".')
    if (value.role === 'referrer' && !value.name) fault('name', 'is required for a referrer.')
    if (value.override && value.role !== 'service') fault('override', 'is only for a client of role service.')
    for (const role of ['service', 'partner'] as const) {
      if (value.role === role && !value[role]) fault(role, `is required for a client of role ${role}.`)
      if (value.role !== role && value[role]) fault(role, `is only for a client of role ${role}.`)
    }
  })

const staff = z.strictObject({
  email: z.email('must be an e-mail address.').transform((text) => text.toLowerCase()),
  name: words,
  roles: z.array(words).min(1, 'must name at least one role.'),
  service: z.string().optional(),
})

const signer = z.strictObject({
  name: words,
  role: words,
  /** Ed25519, 32 bytes in base64: `sign --public-key` prints it. */
  publicKey: z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'must be 32 bytes in base64.'),
  retired: z.boolean().default(false),
})

const file = z.strictObject({
  services: z.array(service).default([]),
  partners: z.array(partner).default([]),
  clients: z.array(client).optional(),
  staff: z.array(staff).optional(),
  signers: z.array(signer).optional(),
})

/** `clients` and `staff` are whole lists of who may come in; one that is absent says nothing about them. */
export type DirectoryFile = z.infer<typeof file>
export type Client = z.infer<typeof client>
export type Staff = z.infer<typeof staff>

export type Surroundings = {
  adapters: ReadonlyMap<string, Adapter>
  channels: ReadonlyMap<string, Channel>
  secrets: Secrets
  /** What a URL may lead to besides public addresses over https; absent: nothing. */
  reach?: Allowed
  /** Services and partners applied earlier, which a client may name without the file repeating them. */
  known?: { services: { has(id: string): boolean }; partners: { has(id: string): boolean } }
}

/** @returns the directory, or every fault as a sentence that opens with its JSON path (`$.partners[2].kind`) */
export function readDirectory(text: string, around: Surroundings): { directory: DirectoryFile } | { faults: string[] } {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { faults: ['$ is not JSON.'] }
  }
  const parsed = file.safeParse(json)
  const faults = [...(parsed.success ? [] : parsed.error.issues.flatMap(schemaFaults)), ...crossFaults(listsOf(json), around)]
  return parsed.success && faults.length === 0 ? { directory: parsed.data } : { faults }
}

type Lists = {
  services: (z.infer<typeof service> | undefined)[]
  partners: (z.infer<typeof partner> | undefined)[]
  clients: (Client | undefined)[]
  staff: (Staff | undefined)[]
  /** Also of what has another fault: naming it is none. */
  ids: { services: ReadonlySet<unknown>; partners: ReadonlySet<unknown> }
}

/** What of the file can be read by itself, at the place where it stands: every fault is named at once. */
function listsOf(json: unknown): Lists {
  const lists = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>
  const raw = (name: string): unknown[] => (Array.isArray(lists[name]) ? lists[name] : [])
  const ids = (name: string) => new Set(raw(name).map((one) => (one as { id?: unknown } | null)?.id))
  return {
    services: raw('services').map((one) => service.safeParse(one).data),
    partners: raw('partners').map((one) => partner.safeParse(one).data),
    clients: raw('clients').map((one) => client.safeParse(one).data),
    staff: raw('staff').map((one) => staff.safeParse(one).data),
    ids: { services: ids('services'), partners: ids('partners') },
  }
}

const at = (path: readonly PropertyKey[]) =>
  path.reduce<string>((text, key) => text + (typeof key === 'number' ? `[${key}]` : `.${String(key)}`), '$')

const typeWords: Readonly<Record<string, string>> = {
  string: 'text in quotes',
  boolean: 'true or false',
  number: 'a number',
  array: 'a list',
  object: 'an object in braces',
}

function schemaFaults(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${at([...issue.path, key])} is not a setting.`)
  if (issue.code === 'invalid_type') {
    const is = typeWords[issue.expected] ?? issue.expected
    return [`${at(issue.path)} ${/received undefined$/.test(issue.message) ? `is missing: it is ${is}` : `must be ${is}`}.`]
  }
  return [`${at(issue.path)} ${issue.message}`]
}

function crossFaults({ services, partners, clients, staff, ids }: Lists, around: Surroundings): string[] {
  const strangeService = (id: string | undefined) => id !== undefined && !ids.services.has(id) && !around.known?.services.has(id)
  const strangePartner = (id: string | undefined) => id !== undefined && !ids.partners.has(id) && !around.known?.partners.has(id)
  const named = (list: string, things: readonly ({ id: string } | undefined)[]) =>
    things.map((one, i) => [`$.${list}[${i}].id`, one?.id] as const)
  return [
    // Services and partners share `Organization/{id}`.
    ...repeats([...named('services', services), ...named('partners', partners)], 'is used by another service or partner.'),
    ...repeats(named('clients', clients), 'is used by another client.'),
    ...repeats(
      staff.map((one, i) => [`$.staff[${i}].email`, one?.email] as const),
      'is used by someone else.',
    ),
    ...services.flatMap((one, i) => {
      const { from, until, team } = typeof one?.enhanced === 'object' ? one.enhanced : ({} as { [name: string]: undefined })
      return [
        ...(strangePartner(team) ? [`$.services[${i}].enhanced.team names no partner of this directory.`] : []),
        ...(from && until && until < from ? [`$.services[${i}].enhanced.until is before from.`] : []),
      ]
    }),
    ...partners.flatMap((one, i) => (one ? partnerFaults(one, `$.partners[${i}]`, around) : [])),
    ...clients.flatMap((one, i) => (strangeService(one?.service) ? [`$.clients[${i}].service names no service of this directory.`] : [])),
    ...clients.flatMap((one, i) => (strangePartner(one?.partner) ? [`$.clients[${i}].partner names no partner of this directory.`] : [])),
    ...clients.flatMap((one, i) => {
      const fault = one?.jwksUrl === undefined || one.retired ? undefined : urlFault(one.jwksUrl, around.reach ?? {})
      return fault ? [`$.clients[${i}].jwksUrl ${fault}`] : []
    }),
    ...staff.flatMap((one, i) => (strangeService(one?.service) ? [`$.staff[${i}].service names no service of this directory.`] : [])),
  ]
}

function repeats(ids: readonly (readonly [path: string, id: string | undefined])[], message: string): string[] {
  const first = new Map([...ids].reverse().map(([path, id]) => [id, path]))
  return ids.flatMap(([path, id]) => (id === undefined || first.get(id) === path ? [] : [`${path} ${message}`]))
}

function partnerFaults(one: DirectoryFile['partners'][number], path: string, around: Surroundings): string[] {
  const adapter = around.adapters.get(one.kind)
  if (!adapter) return [`${path}.kind must be one of ${[...around.adapters.keys()].join(', ')}.`]
  const { name } = one.channel
  const channel = around.channels.get(name)
  if (!channel) return [`${path}.channel.name must be one of ${[...around.channels.keys()].join(', ')}.`]
  if (!adapter.channels.includes(name)) return [`${path}.channel.name must be one of ${adapter.channels.join(', ')} for ${one.kind}.`]
  // A retired partner is sent nothing more; its secrets may be gone.
  if (one.retired) return []
  const { value, faults } = withSecrets(one.channel, around.secrets, `${path}.channel`)
  if (faults.length > 0) return faults
  return [...channelFaults(channel, value, `${path}.channel`), ...addressFaults(value, `${path}.channel`, around.reach)]
}

/** Of any channel that has a `url`. A name is looked up when something is sent: until then it may come to lead elsewhere. */
function addressFaults({ url, allowPrivate, allowHttp }: Record<string, unknown>, path: string, reach: Allowed = {}): string[] {
  if (typeof url !== 'string' || !URL.canParse(url)) return []
  const fault = urlFault(url, { ...reach, private: allowPrivate === true, http: allowHttp === true })
  return fault ? [`${path}.url ${fault}${fault.endsWith('does not allow.') ? ' Where it is right: allowPrivate, allowHttp.' : ''}`] : []
}

function channelFaults(channel: Channel, settings: Record<string, unknown>, path: string): string[] {
  const parsed = strictly(channel.settings, settings)
  return parsed.success ? [] : parsed.error.issues.flatMap(schemaFaults).map((fault) => fault.replace(/^\$/, path))
}

/** A misspelt optional setting is a fault, not a default, also where the channel's schema would pass over it. */
function strictly(schema: Channel['settings'], settings: Record<string, unknown>) {
  if (!(schema instanceof z.ZodObject)) return schema.safeParse(settings)
  const { name: _, ...unnamed } = settings
  return schema.strict().safeParse('name' in schema.shape ? settings : unnamed)
}
