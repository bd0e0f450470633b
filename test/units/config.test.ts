import { describe, expect, test } from 'vitest'
import { destination, manualClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config.ts'
import { createLog, traceOf } from '../../src/log.ts'

const key = Buffer.alloc(32, 7).toString('base64')
const noFile = () => {
  throw new Error('no such file')
}
const faults = (env: Record<string, string>, readText: (path: string) => string = noFile) => {
  const read = readConfig(env, readText)
  return 'faults' in read ? read.faults : []
}
const config = (env: Record<string, string>, readText: (path: string) => string = noFile) => {
  const read = readConfig(env, readText)
  if ('faults' in read) throw new Error(read.faults.join('; '))
  return read.config
}

test('a master key is enough; everything else has a default', () => {
  const { masterKey, masterKeys, ...rest } = config({ MASTER_KEY: key })
  expect(masterKey).toHaveLength(32)
  expect(masterKeys).toEqual([masterKey])
  expect(rest).toEqual({
    port: 8080,
    host: '127.0.0.1',
    publicUrl: 'http://127.0.0.1:8080',
    dataDir: '.data',
    trustedProxies: 0,
    logLevel: 'info',
    rateLimit: 500,
    retentionYears: { adult: 8, 'mental-health': 20, 'after-death': 10 },
    keepMessagesDays: 90,
    keepAnswersDays: 30,
    keepEventsDays: 35,
    requireSignedMappings: false,
  })
})

test('records may be kept for longer than the rule, and not for less', () => {
  expect(config({ MASTER_KEY: key, RETENTION_YEARS: 'adult=10, after-death=5' }).retentionYears).toEqual({
    adult: 10,
    'mental-health': 20,
    'after-death': 5,
  })
  for (const text of ['adult=7', 'mental-health=8', 'adult', 'children=25', 'adult=8;mental-health=20'])
    expect(faults({ MASTER_KEY: key, RETENTION_YEARS: text })).toEqual([expect.stringMatching(/^RETENTION_YEARS must be years by class/)])
})

test('every fault is named at once, and no value is repeated', () => {
  const found = faults({
    PORT: 'eighty',
    MASTER_KEY: 'c2VjcmV0',
    RATE_LIMIT: '0',
    LOG_LEVEL: 'loud',
    PUBLIC_URL: 'ftp://x',
    CLOCK: 'manual:yesterday',
  })
  for (const name of ['PORT', 'MASTER_KEY', 'RATE_LIMIT', 'LOG_LEVEL', 'PUBLIC_URL', 'CLOCK']) {
    expect(found.some((fault) => fault.startsWith(`${name} `))).toBe(true)
  }
  expect(found.join()).not.toMatch(/eighty|c2VjcmV0|loud|ftp|yesterday/)
})

test('a missing key is named beside the other faults', () => {
  const found = faults({ PORT: '0' })
  expect(found.some((fault) => fault.startsWith('MASTER_KEY or MASTER_KEY_FILE'))).toBe(true)
  expect(found.some((fault) => fault.startsWith('PORT'))).toBe(true)
})

test('the key may come from a file, but not from both places', () => {
  expect(config({ MASTER_KEY_FILE: '/run/key' }, () => `${key}\n`).masterKey).toHaveLength(32)
  expect(faults({ MASTER_KEY_FILE: '/run/key' })).toEqual(['MASTER_KEY_FILE names a file that can not be read.'])
  expect(faults({ MASTER_KEY_FILE: '/run/key' }, () => 'short')).toHaveLength(1)
  const former = Buffer.alloc(32, 8).toString('base64')
  const both = config({ MASTER_KEY_FILE: '/run/key' }, () => `${key},\n${former}\n`)
  expect(both.masterKeys.map((each) => Buffer.from(each).toString('base64'))).toEqual([key, former])
  expect(both.masterKey).toEqual(both.masterKeys[0])
  expect(faults({ MASTER_KEY: `${key},` })).toHaveLength(1)
  expect(faults({ MASTER_KEY: key, MASTER_KEY_FILE: '/run/key' }, () => key)).toEqual([
    'MASTER_KEY and MASTER_KEY_FILE are both set: keep one.',
  ])
})

test('a blank variable counts as not set', () => {
  expect(config({ MASTER_KEY: key, PORT: '', CLOCK: ' ' }).port).toBe(8080)
})

test('the public address loses its last slash and keeps its path', () => {
  expect(config({ MASTER_KEY: key, PUBLIC_URL: 'https://exchange.example/reconnect/' }).publicUrl).toBe(
    'https://exchange.example/reconnect',
  )
  expect(config({ MASTER_KEY: key, HOST: '::1', PORT: '9000' }).publicUrl).toBe('http://[::1]:9000')
})

test('a manual clock is refused in production and beyond loopback', () => {
  const CLOCK = 'manual:2026-03-02T09:00:00Z'
  expect(config({ MASTER_KEY: key, CLOCK }).clock).toEqual(new Date('2026-03-02T09:00:00Z'))
  expect(faults({ MASTER_KEY: key, CLOCK, NODE_ENV: 'production' })).toHaveLength(1)
  expect(faults({ MASTER_KEY: key, CLOCK, HOST: '0.0.0.0' })).toHaveLength(1)
  expect(faults({ MASTER_KEY: key, CLOCK: 'manual:2026-03-02T09:00:00' })).toHaveLength(1)
})

test('production speaks https to the outside', () => {
  expect(faults({ MASTER_KEY: key, NODE_ENV: 'production', PUBLIC_URL: 'http://exchange.example' })).toHaveLength(1)
  expect(faults({ MASTER_KEY: key, NODE_ENV: 'production', PUBLIC_URL: 'http://127.0.0.1:8080' })).toEqual([])
})

test('the stopped clock goes forward by durations and instants, and never back', () => {
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  expect(destination(clock.now(), { advance: 'P7D' })).toEqual(new Date('2026-03-09T09:00:00Z'))
  expect(destination(clock.now(), { advance: 'P1MT15M' })).toEqual(new Date('2026-04-02T09:15:00Z'))
  expect(destination(clock.now(), { to: '2026-03-02T10:00:00+01:00' })).toEqual(clock.now())
  for (const bad of [
    { advance: '-P1D' },
    { to: '2026-03-01T09:00:00Z' },
    { advance: 'a week' },
    { to: '2026-03-09' },
    {},
    [],
    'P1D',
    { advance: 'P1D', to: 'x' },
  ]) {
    expect(() => destination(clock.now(), bad)).toThrow()
  }
  clock.set(new Date('2026-03-09T09:00:00Z'))
  clock.set(new Date('2026-03-01T09:00:00Z'))
  expect(clock.now()).toEqual(new Date('2026-03-09T09:00:00Z'))
})

test('the log is one JSON line an event, from its level up', () => {
  const lines: string[] = []
  const log = createLog('warn', (line) => lines.push(line))
  log('info', 'too.quiet')
  log('error', 'loud', { count: 2 })
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'error', event: 'loud', count: 2 })
})

test('what is said of an error is its name and place, never its message', () => {
  const trace = traceOf(new TypeError('Ashgrove\nLee'))
  expect(trace.error).toBe('TypeError')
  expect(trace.where).toMatch(/config\.test\.ts/)
  expect(JSON.stringify(trace)).not.toMatch(/Ashgrove|Lee/)
})

test('whether mappings must be signed is true or false, and nothing else', () => {
  const set = (text: string) => readConfig({ MASTER_KEY: Buffer.alloc(32).toString('base64'), REQUIRE_SIGNED_MAPPINGS: text }, () => '')
  expect(set('true')).toMatchObject({ config: { requireSignedMappings: true } })
  expect(set('yes')).toEqual({ faults: ['REQUIRE_SIGNED_MAPPINGS must be true or false.'] })
})

describe('HMPPS', () => {
  const begins = (what: string) => `-----BEGIN ${what}-----\nx`
  const pem: Record<string, string> = { 'cert.pem': begins('CERTIFICATE'), 'key.pem': begins('PRIVATE KEY'), 'api-key': 'abc\n' }
  const read = (env: Record<string, string>) => {
    const given = readConfig({ MASTER_KEY: Buffer.alloc(32, 1).toString('base64'), ...env }, (path) => {
      const text = pem[path]
      if (text === undefined) throw new Error('no such file')
      return text
    })
    return 'faults' in given ? given.faults : given.config
  }
  const whole = {
    HMPPS_API_URL: 'https://api.test/',
    HMPPS_API_KEY_FILE: 'api-key',
    HMPPS_API_CERT_FILE: 'cert.pem',
    HMPPS_API_CERT_KEY_FILE: 'key.pem',
  }

  test('the API is given whole', () => {
    expect(read(whole)).toMatchObject({
      hmpps: {
        url: 'https://api.test',
        key: 'abc',
        certificate: { cert: pem['cert.pem'], certKey: pem['key.pem'] },
        pace: { dailyFromDays: 28, everyDays: 7 },
      },
    })
    expect(read({ HMPPS_API_KEY: 'abc' })).toEqual([
      'HMPPS_API_CERT_FILE is required with HMPPS_API_KEY.',
      'HMPPS_API_CERT_KEY_FILE is required with HMPPS_API_KEY.',
      'HMPPS_API_URL is required with HMPPS_API_KEY.',
    ])
    expect(
      read({
        ...whole,
        HMPPS_API_URL: 'http://api.test',
        HMPPS_API_KEY: 'abc',
        HMPPS_API_CERT_FILE: 'key.pem',
        HMPPS_API_CERT_KEY_FILE: 'none',
      }),
    ).toEqual([
      'HMPPS_API_CERT_FILE must name a PEM file that holds a certificate.',
      'HMPPS_API_CERT_KEY_FILE names a file that can not be read, or is empty.',
      'HMPPS_API_KEY or HMPPS_API_KEY_FILE is required with HMPPS_API_URL, one of the two.',
      'HMPPS_API_URL must be https.',
    ])
  })

  test('the queue needs its credentials', () => {
    const queue = { HMPPS_QUEUE_URL: 'https://sqs.eu-west-2.amazonaws.com/1/events' }
    expect(read(queue)).toEqual(['HMPPS_QUEUE_URL and HMPPS_QUEUE_CREDENTIALS_FILE belong together: set both.'])
    expect(read({ ...queue, HMPPS_QUEUE_CREDENTIALS_FILE: 'any' })).toMatchObject({
      queue: { region: 'eu-west-2', credentialsFile: 'any' },
    })
  })

  test('each source of webhooks has its secrets, and a fault does not repeat them', () => {
    const secret = Buffer.alloc(32, 5).toString('base64')
    const { webhooks } = read({ HMPPS_WEBHOOK_SECRETS: `hmpps=whsec_${secret}, hmpps=${secret},other=whsec_${secret}` }) as {
      webhooks: ReadonlyMap<string, readonly unknown[]>
    }
    expect([...webhooks].map(([name, keys]) => [name, keys.length])).toEqual([
      ['hmpps', 2],
      ['other', 1],
    ])
    const faults = read({ HMPPS_WEBHOOK_SECRETS: `${secret}` }) as string[]
    expect(faults).toHaveLength(1)
    expect(faults.join()).not.toContain(secret)
  })
})
