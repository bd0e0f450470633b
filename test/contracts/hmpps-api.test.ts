/**
 * Who we are to the HMPPS External API: a certificate and a key, over a connection of our own; and whatever it answers, no more than we can
 * bear.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { hmppsApi } from '../../src/channels/hmpps-api.ts'
import { outgoing } from '../../src/channels/outgoing.ts'
import { readConfig } from '../../src/config.ts'
import { hmppsFaults } from '../../src/hmpps-reach.ts'
import { hmppsDouble } from '../fixtures/hmpps-api.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

/** A certificate that signs itself, for this machine. */
function certificate(): { cert: string; certKey: string } {
  const folder = mkdtempSync(join(tmpdir(), 'reconnect-pki-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const how =
    '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=reconnect-test -addext subjectAltName=IP:127.0.0.1'
  try {
    execFileSync('openssl', ['req', ...how.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' })
    return { cert: readFileSync(cert, 'utf8'), certKey: readFileSync(key, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test.skipIf(!hasOpenssl)(`mutual TLS: our certificate and our key are shown${hasOpenssl ? '' : ' (needs openssl, skipped)'}`, async () => {
  const pair = certificate()
  const usual = getCACertificates()
  setDefaultCACertificates([...usual, pair.cert])
  const seen: unknown[] = []
  const server = createServer(
    { cert: pair.cert, key: pair.certKey, ca: pair.cert, requestCert: true, rejectUnauthorized: true },
    (request, answer) => {
      seen.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN, request.headers['x-api-key'], request.url)
      answer.setHeader('content-type', 'application/json').end('{"data":{"inPrison":true}}')
    },
  )
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  try {
    const settings = { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, key: 'a-key' }
    const reach = { loopback: true }
    const known = hmppsApi(settings, outgoing(reach, {}, undefined, pair))
    expect(await known.person('A1234/BC', 'prisoner-base-location')).toEqual({ outcome: 'found', data: { inPrison: true } })
    expect(seen).toEqual(['reconnect-test', 'a-key', '/v1/persons/A1234%2FBC/prisoner-base-location'])
    // Nobody comes in without one.
    expect(await hmppsApi(settings, outgoing(reach)).person('A1234BC', '')).toMatchObject({ outcome: 'unavailable' })
    // An address that is not allowed is not called at all.
    expect(await hmppsApi(settings, outgoing({}, {}, undefined, pair)).person('A1234BC', '')).toEqual({
      outcome: 'unavailable',
      reason: 'not-allowed',
    })
  } finally {
    setDefaultCACertificates(usual)
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
})

test.skipIf(!hasOpenssl)(
  `a key that is another certificate’s is a fault at the start${hasOpenssl ? '' : ' (needs openssl, skipped)'}`,
  () => {
    const [pair, other] = [certificate(), certificate()]
    const faults = (certKey: string) => {
      const files: Record<string, string> = { cert: pair.cert, key: certKey }
      const read = readConfig(
        {
          MASTER_KEY: btoa('k'.repeat(32)),
          HMPPS_API_URL: 'https://hmpps.test',
          HMPPS_API_KEY: 'k',
          HMPPS_API_CERT_FILE: 'cert',
          HMPPS_API_CERT_KEY_FILE: 'key',
        },
        (path) => files[path] as string,
      )
      return 'faults' in read ? read.faults : hmppsFaults(read.config)
    }
    expect(faults(pair.certKey)).toEqual([])
    const words = /^HMPPS_API_CERT_KEY_FILE must hold the private key of the certificate/
    expect(faults(other.certKey)).toEqual([expect.stringMatching(words)])
    expect(faults('-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----')).toEqual([
      expect.stringMatching(words),
    ])
  },
)

test('the double keeps to what is written of the API: spaces, a misspelt key, switched off endpoints, an id that changes', async () => {
  const { double, api } = hmppsDouble([{ noms: 'A1234BC', location: { inPrison: true, prisonId: 'HHI' } }])
  const said = async (part: string, id = 'A1234BC') => {
    const looked = await api.person(id, part)
    return looked.outcome === 'found' ? JSON.stringify(looked.data) : looked.outcome
  }
  expect(await said('prisoner-base-location')).toBe('{"inPrison":true,"prisonId":"HHI "}')
  expect(await said('risks/serious-harm')).toMatch(/"HIGH ".*"knowAdult"/)
  expect([await said('prison-timeline'), await said('contact-events')]).toEqual(['hidden', 'hidden'])
  expect(await said('sentences/latest-key-dates-and-adjustments')).toBe('hidden')
  Object.assign(double.people[0] ?? {}, { crn: 'X123456' })
  expect(await said('', 'X123456')).toContain('"hmppsId":"X123456"')
})
