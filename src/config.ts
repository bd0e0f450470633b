/**
 * The environment as one schema (CONTRACT.md 1). Every fault is named at once, in words, and never with the value that was given.
 */
import { Temporal } from 'temporal-polyfill'
import * as z from 'zod'
import { readWebhookSecrets, type WebhookSecrets } from './access/webhook.ts'
import { type LookPace, usualLookPace } from './domain/look-pace.ts'
import { readYears, usualYears, type Years } from './domain/retention.ts'

export type Config = {
  port: number
  host: string
  /** Where callers reach us, without a slash at the end. */
  publicUrl: string
  dataDir: string
  /** Path of the directory file to apply at start. */
  directory?: string
  /** The present one, 32 bytes. */
  masterKey: Uint8Array
  /** The present one first, then those it replaced, until `keys rotate` has been run. */
  masterKeys: readonly Uint8Array[]
  /** How many proxies stand in front: that many addresses at the end of X-Forwarded-For are believed. */
  trustedProxies: number
  logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Requests per client and second. */
  rateLimit: number
  /** Years that records are kept, by class (domain/retention.ts). */
  retentionYears: Years
  /** Days after which the text of a message that arrived is taken out. */
  keepMessagesDays: number
  /** Days for which a repeated request gets its first answer. */
  keepAnswersDays: number
  /** Days for which events about nobody here are kept: whoever they are about may still be referred. */
  keepEventsDays: number
  /** A kind of partner whose mapping nobody signed is told nothing. */
  requireSignedMappings: boolean
  /** Who may send events of HMPPS as signed webhooks, and with which secrets. */
  webhooks?: WebhookSecrets
  /** The HMPPS External API: its address, our key to it, and the certificate we show (PEM; absent where the platform holds it). */
  hmpps?: { url: string; key: string; certificate?: { cert: string; certKey: string }; pace: LookPace }
  /** The queue HMPPS puts events into (SQS), and the file that holds the credentials of the moment. */
  queue?: { url: string; region: string; credentialsFile: string }
  /** Where the manual clock starts; absent: real time. */
  clock?: Date
}

export type Environment = Readonly<Record<string, string | undefined>>

/** `platform`: a Worker has no files, and shows a certificate that Cloudflare holds. */
export type Certificates = 'files' | 'platform'

/**
 * @param readText reads a file as text, or throws
 * @returns the settings, or every fault as a sentence that opens with the variable's name
 */
export function readConfig(
  env: Environment,
  readText: (path: string) => string,
  certificate: Certificates = 'files',
): { config: Config } | { faults: string[] } {
  // A variable left blank in an environment file is a variable that was not set.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''))
  const parsed = environment(readText, certificate).safeParse(given)
  if (!parsed.success)
    return { faults: [...new Set(parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`))].sort() }
  const { data } = parsed
  const masterKeys = keysIn((data.MASTER_KEY ?? data.MASTER_KEY_FILE) as string)
  return {
    config: {
      port: data.PORT,
      host: data.HOST,
      publicUrl: data.PUBLIC_URL ?? `http://${data.HOST.includes(':') ? `[${data.HOST}]` : data.HOST}:${data.PORT}`,
      dataDir: data.DATA_DIR,
      ...(data.DIRECTORY ? { directory: data.DIRECTORY } : {}),
      masterKey: masterKeys[0] as Uint8Array,
      masterKeys,
      trustedProxies: data.TRUST_PROXY,
      logLevel: data.LOG_LEVEL,
      rateLimit: data.RATE_LIMIT,
      retentionYears: data.RETENTION_YEARS,
      keepMessagesDays: data.KEEP_MESSAGES_DAYS,
      keepAnswersDays: data.KEEP_ANSWERS_DAYS,
      keepEventsDays: data.KEEP_EVENTS_DAYS,
      requireSignedMappings: data.REQUIRE_SIGNED_MAPPINGS === 'true',
      ...(data.HMPPS_API_URL
        ? {
            hmpps: {
              url: data.HMPPS_API_URL,
              key: (data.HMPPS_API_KEY ?? data.HMPPS_API_KEY_FILE) as string,
              ...(certificate === 'files'
                ? { certificate: { cert: data.HMPPS_API_CERT_FILE as string, certKey: data.HMPPS_API_CERT_KEY_FILE as string } }
                : {}),
              pace: { dailyFromDays: data.HMPPS_API_DAILY_FROM_DAYS, everyDays: data.HMPPS_API_EVERY_DAYS },
            },
          }
        : {}),
      ...(data.HMPPS_QUEUE_URL
        ? {
            queue: {
              url: data.HMPPS_QUEUE_URL,
              region: data.HMPPS_QUEUE_REGION,
              credentialsFile: data.HMPPS_QUEUE_CREDENTIALS_FILE as string,
            },
          }
        : {}),
      ...(data.HMPPS_WEBHOOK_SECRETS ? { webhooks: data.HMPPS_WEBHOOK_SECRETS } : {}),
      ...(data.CLOCK ? { clock: data.CLOCK } : {}),
    },
  }
}

/** Is this host or peer address the machine itself? */
export const isLoopback = (address: string): boolean => /^(127(\.\d{1,3}){3}|::1|localhost|::ffff:127(\.\d{1,3}){3})$/i.test(address)

const wholeNumber = (from: number, to: number) => {
  const words = `must be a whole number from ${from} to ${to}.`
  return z.string().regex(/^\d+$/, words).transform(Number).pipe(z.number().min(from, words).max(to, words))
}

/** On which it depends what is planned about a person. */
export const judgement = z.object({
  HMPPS_API_DAILY_FROM_DAYS: wholeNumber(0, 365).default(usualLookPace.dailyFromDays),
  HMPPS_API_EVERY_DAYS: wholeNumber(1, 90).default(usualLookPace.everyDays),
  REQUIRE_SIGNED_MAPPINGS: z.enum(['true', 'false'], 'must be true or false.').default('false'),
})

const aKey = /^[A-Za-z0-9+/]{43}=(\s*,\s*[A-Za-z0-9+/]{43}=)*$/
const keyWords =
  '32 bytes in base64 (44 characters; `openssl rand -base64 32` makes one), or several with commas between, the present one first.'
const keysIn = (text: string): Uint8Array[] => text.split(',').map((each) => Buffer.from(each, 'base64'))

/** Years by class. */
export const retention = z.string().transform((text, context) => {
  const years = readYears(text)
  if (years) return years
  context.addIssue({
    code: 'custom',
    message: 'must be years by class, such as adult=8,mental-health=20,after-death=10, none shorter than the first two of these.',
  })
  return z.NEVER
})

const webhooks = z.string().transform((text, context) => {
  const secrets = readWebhookSecrets(text)
  if (secrets) return secrets
  context.addIssue({
    code: 'custom',
    message:
      'must be name=whsec_<at least 24 bytes in base64> for each source, with commas between; a source may have two while one is being changed.',
  })
  return z.NEVER
})

const publicUrl = z
  .string()
  .refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    return url && /^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username
  }, 'must be an http or https URL without query or fragment.')
  .transform((text) => text.replace(/\/+$/, ''))

const manual = z.string().transform((text, context) => {
  if (text === 'real') return undefined
  try {
    return new Date(Temporal.Instant.from(text.replace(/^manual:/, '')).epochMilliseconds)
  } catch {
    context.addIssue({ code: 'custom', message: 'must be manual:<instant>, such as manual:2026-03-02T09:00:00Z.' })
    return z.NEVER
  }
})

function environment(readText: (path: string) => string, certificate: Certificates) {
  const fileText = z.string().transform((path, context) => {
    try {
      const text = readText(path).trim()
      if (text) return text
    } catch {
      // Said below, as for a file that is empty.
    }
    context.addIssue({ code: 'custom', message: 'names a file that can not be read, or is empty.' })
    return z.NEVER
  })
  const pemFile = (what: string) =>
    fileText.refine(
      (text) => new RegExp(`-----BEGIN [A-Z ]*${what}-----`).test(text),
      `must name a PEM file that holds a ${what.toLowerCase()}.`,
    )
  const keyFile = z.string().transform((path, context) => {
    try {
      const text = readText(path).trim()
      if (aKey.test(text)) return text
      context.addIssue({ code: 'custom', message: `must name a file with ${keyWords}` })
    } catch {
      context.addIssue({ code: 'custom', message: 'names a file that can not be read.' })
    }
    return z.NEVER
  })
  return z
    .object({
      PORT: wholeNumber(1, 65_535).default(8080),
      HOST: z.string().default('127.0.0.1'),
      PUBLIC_URL: publicUrl.optional(),
      DATA_DIR: z.string().default('.data'),
      DIRECTORY: z.string().optional(),
      MASTER_KEY: z.string().regex(aKey, `must be ${keyWords}`).optional(),
      MASTER_KEY_FILE: keyFile.optional(),
      TRUST_PROXY: z.preprocess((value) => ({ true: '1', false: '0' })[value as string] ?? value, wholeNumber(0, 10)).default(0),
      LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error.').default('info'),
      RATE_LIMIT: wholeNumber(1, 1_000_000).default(500),
      RETENTION_YEARS: retention.default(usualYears),
      KEEP_MESSAGES_DAYS: wholeNumber(7, 36_500).default(90),
      KEEP_ANSWERS_DAYS: wholeNumber(7, 36_500).default(30),
      // 28 days after release somebody may still be referred (reconnect.md T2), and a week.
      KEEP_EVENTS_DAYS: wholeNumber(1, 365).default(35),
      HMPPS_WEBHOOK_SECRETS: webhooks.optional(),
      HMPPS_API_URL: publicUrl.refine((url) => url.startsWith('https:'), 'must be https.').optional(),
      HMPPS_QUEUE_URL: publicUrl.refine((url) => url.startsWith('https:'), 'must be https.').optional(),
      HMPPS_QUEUE_REGION: z
        .string()
        .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region, such as eu-west-2.')
        .default('eu-west-2'),
      HMPPS_QUEUE_CREDENTIALS_FILE: z.string().optional(),
      HMPPS_API_KEY: z.string().optional(),
      HMPPS_API_KEY_FILE: fileText.optional(),
      HMPPS_API_DAILY_FROM_DAYS: judgement.shape.HMPPS_API_DAILY_FROM_DAYS,
      HMPPS_API_EVERY_DAYS: judgement.shape.HMPPS_API_EVERY_DAYS,
      HMPPS_API_CERT_FILE: pemFile('CERTIFICATE').optional(),
      HMPPS_API_CERT_KEY_FILE: pemFile('PRIVATE KEY').optional(),
      CLOCK: manual.optional(),
      REQUIRE_SIGNED_MAPPINGS: judgement.shape.REQUIRE_SIGNED_MAPPINGS,
      NODE_ENV: z.string().optional(),
    })
    .superRefine(
      (data, context) => alone(data, certificate, (path, message) => context.addIssue({ code: 'custom', path: [path], message })),
      {
        // Also when another variable is at fault: every fault is named at once.
        when: () => true,
      },
    )
}

type Raw = {
  MASTER_KEY?: unknown
  MASTER_KEY_FILE?: unknown
  CLOCK?: unknown
  HOST?: unknown
  NODE_ENV?: unknown
  PUBLIC_URL?: unknown
} & Partial<
  Record<
    | 'HMPPS_API_URL'
    | 'HMPPS_API_KEY'
    | 'HMPPS_API_KEY_FILE'
    | 'HMPPS_API_CERT_FILE'
    | 'HMPPS_API_CERT_KEY_FILE'
    | 'HMPPS_QUEUE_URL'
    | 'HMPPS_QUEUE_CREDENTIALS_FILE',
    unknown
  >
>

/** Faults between variables. `data` may still be half parsed. */
function alone(data: Raw, certificate: Certificates, fault: (path: string, words: string) => void) {
  const production = data.NODE_ENV === 'production'
  if (data.MASTER_KEY === undefined && data.MASTER_KEY_FILE === undefined)
    fault('MASTER_KEY', `or MASTER_KEY_FILE is required: ${keyWords}`)
  if (data.MASTER_KEY !== undefined && data.MASTER_KEY_FILE !== undefined)
    fault('MASTER_KEY', 'and MASTER_KEY_FILE are both set: keep one.')
  if ((data.HMPPS_QUEUE_URL === undefined) !== (data.HMPPS_QUEUE_CREDENTIALS_FILE === undefined))
    fault('HMPPS_QUEUE_URL', 'and HMPPS_QUEUE_CREDENTIALS_FILE belong together: set both.')
  const files = certificate === 'files' ? (['HMPPS_API_CERT_FILE', 'HMPPS_API_CERT_KEY_FILE'] as const) : []
  const api = ['HMPPS_API_URL', ...files] as const
  if (certificate === 'platform' && data.HMPPS_QUEUE_URL !== undefined)
    fault('HMPPS_QUEUE_URL', 'can not be read by a Worker: let something of yours post what is in the queue to /events/hmpps.')
  const given = [...api, 'HMPPS_API_KEY', 'HMPPS_API_KEY_FILE'].filter((name) => data[name as keyof Raw] !== undefined)
  if (given.length > 0) {
    for (const name of api) if (data[name] === undefined) fault(name, `is required with ${given[0]}.`)
    if ((data.HMPPS_API_KEY === undefined) === (data.HMPPS_API_KEY_FILE === undefined))
      fault('HMPPS_API_KEY', `or HMPPS_API_KEY_FILE is required with ${given[0]}, one of the two.`)
  }
  if (data.CLOCK !== undefined && production) fault('CLOCK', 'can not be manual when NODE_ENV is production.')
  if (data.CLOCK !== undefined && !isLoopback(String(data.HOST ?? '127.0.0.1')))
    fault('CLOCK', 'can only be manual when HOST is a loopback address.')
  if (production && typeof data.PUBLIC_URL === 'string' && URL.canParse(data.PUBLIC_URL)) {
    const { protocol, hostname } = new URL(data.PUBLIC_URL)
    if (protocol === 'http:' && !isLoopback(hostname.replace(/[[\]]/g, '')))
      fault('PUBLIC_URL', 'must be https when NODE_ENV is production.')
  }
}
