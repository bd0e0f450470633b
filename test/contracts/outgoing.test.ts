/**
 * Requests to the outside world, over real sockets: where they may go, how long they may take, how much may come back.
 */
import { createServer as createHttp, type RequestListener } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { readDirectory } from '../../src/access/directory-file.ts'
import type { Channel, Parcel } from '../../src/channel.ts'
import { allowedFor, reachOf, reachOfHost, urlFault } from '../../src/channels/address.ts'
import { checkedFetch, NotAllowed } from '../../src/channels/checked.ts'
import { channels } from '../../src/channels/index.ts'
import { outgoing } from '../../src/channels/outgoing.ts'

const hostOf = (host: string) => reachOfHost(new URL(`https://${host}/`).hostname)

describe('an address is judged whatever way it is written', () => {
  test.each([
    ['this machine', 'here', ['127.0.0.1', '127.1', '2130706433', '0x7f000001', '017700000001', '0x7f.1', '127.0.0.1.', '[::1]']],
    ['this machine, by name', 'here', ['localhost', 'LOCALHOST', 'localhost.', 'gp.localhost', 'gp.localhost.']],
    ['this machine, inside an IPv6 form', 'here', ['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::127.0.0.1]']],
    ['a private network', 'private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '167772161', '0300.0250.1.1']],
    ['a private network, IPv6', 'private', ['[fc00::1]', '[fdff:ffff::1]', '[::ffff:10.0.0.1]', '[64:ff9b::a00:1]']],
    ['a network shared between carriers', 'private', ['100.64.0.1', '100.127.255.255']],
    ['link-local', 'never', ['169.254.169.254', '2852039166', '[fe80::1]', '[febf::1]', '[::ffff:169.254.169.254]']],
    ['nowhere', 'never', ['0.0.0.0', '0', '[::]', '[::ffff:0:0]', '255.255.255.255', '224.0.0.1', '240.0.0.1', '[ff02::1]']],
    ['documentation and tests', 'never', ['192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.7', '[2001:db8::1]', '[3fff::1]']],
    ['tunnels that hide an IPv4 address', 'never', ['[2002:7f00:1::]', '[2001:0:1::]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]']],
    [
      'the public',
      'public',
      ['8.8.8.8', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '192.169.0.1', '[2a00:1450::1]', '[2606:4700::1111]'],
    ],
  ])('%s is %s', (_, reach, hosts) => {
    expect(hosts.map((host) => [host, hostOf(host)])).toEqual(hosts.map((host) => [host, reach]))
  })

  test('a name says nothing until it is looked up; what a resolver should never say is refused', () => {
    expect(hostOf('gp.example')).toBeUndefined()
    expect(
      ['fe80::1%eth0', '', 'gp', '1.2.3', '1.2.3.4.5', '01.2.3.4', ':::', '1::2::3', '1:2:3:4:5:6:7', '::1.2.3.999'].map(reachOf),
    ).toEqual(Array(10).fill('never'))
  })

  test('every address that is 127.0.0.0/8 is this machine, however IPv6 carries it', () => {
    expect(['::1', '0:0:0:0:0:0:0:1', '::FFFF:127.9.9.9', '0:0:0:0:0:ffff:7f00:1'].map(reachOf)).toEqual(Array(4).fill('here'))
  })
})

describe('a URL of the directory', () => {
  const partner = (channel: Record<string, unknown>) => ({
    id: 'gp',
    kind: 'gp-registration',
    name: 'Elvet Surgery',
    channel: { name: 'fhir-message', ...channel },
  })
  const client = (jwksUrl: string) => ({ id: 'case-system', role: 'service', service: 'north-east', jwksUrl, scope: 'system/*.rs' })
  const faultsOf = (channel: Record<string, unknown>, host = '0.0.0.0', jwksUrl = 'https://keys.example/jwks'): string[] => {
    const file = { services: [{ id: 'north-east', name: 'North East' }], partners: [partner(channel)], clients: [client(jwksUrl)] }
    const read = readDirectory(JSON.stringify(file), {
      adapters,
      channels,
      secrets: { env: {}, readText: () => '' },
      reach: allowedFor(host),
    })
    return 'faults' in read ? read.faults : []
  }

  test('is refused with its JSON path when it leads to a private address, this machine or nowhere, or is plain http', () => {
    expect(faultsOf({ url: 'https://10.1.2.3/fhir' })).toEqual([
      '$.partners[0].channel.url leads to a private address, which the directory does not allow. Where it is right: allowPrivate, allowHttp.',
    ])
    expect(faultsOf({ url: 'https://localhost/fhir' })[0]).toMatch(/^\$\.partners\[0\]\.channel\.url leads to this machine itself/)
    expect(faultsOf({ url: 'https://[fe80::1]/fhir', allowPrivate: true })[0]).toMatch(
      /^\$\.partners\[0\]\.channel\.url leads to an address where no/,
    )
    expect(faultsOf({ url: 'http://gp.example/fhir' })[0]).toMatch(/^\$\.partners\[0\]\.channel\.url is plain http/)
    expect(faultsOf({ url: 'https://gp:secret@gp.example/fhir' })).toEqual([
      '$.partners[0].channel.url must not carry a user or a password.',
    ])
    expect(faultsOf({ url: 'https://gp.example/fhir' }, '0.0.0.0', 'https://169.254.169.254/jwks')[0]).toMatch(
      /^\$\.clients\[0\]\.jwksUrl leads/,
    )
    expect(faultsOf({ url: 'https://gp.example/fhir' }, '0.0.0.0', 'http://keys.example/')[0]).toMatch(
      /^\$\.clients\[0\]\.jwksUrl is plain http/,
    )
    expect(faultsOf({ url: 'https://gp.example/fhir' }, '0.0.0.0', 'ftp://keys.example/')).toEqual([
      '$.clients[0].jwksUrl must be an https URL.',
    ])
  })

  test('is allowed partner by partner, the address and the plain way each by itself', () => {
    expect(faultsOf({ url: 'https://10.1.2.3/fhir', allowPrivate: true })).toEqual([])
    expect(faultsOf({ url: 'http://10.1.2.3/fhir', allowPrivate: true })).toHaveLength(1)
    expect(faultsOf({ url: 'http://10.1.2.3/fhir', allowHttp: true })).toHaveLength(1)
    expect(faultsOf({ url: 'http://10.1.2.3/fhir', allowPrivate: true, allowHttp: true })).toEqual([])
    expect(faultsOf({ url: 'http://gp.example/fhir', allowHttp: true })).toEqual([])
  })

  test('may be this machine when the gateway listens on this machine only', () => {
    expect(faultsOf({ url: 'http://127.0.0.1:9000/fhir' }, '127.0.0.1', 'http://[::1]:9000/jwks')).toEqual([])
    expect(faultsOf({ url: 'http://10.1.2.3/fhir' }, '127.0.0.1')).toHaveLength(1)
    expect(faultsOf({ url: 'http://gp.example/fhir' }, 'localhost')).toHaveLength(1)
  })
})

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
async function listening<S extends Server>(server: S): Promise<number> {
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}
const serving = (listener: RequestListener) => listening(createHttp(listener))

const here = { loopback: true }
const quick = { connectMs: 250, headMs: 250, bodyMs: 250 }
const codeOf = async (asked: Promise<unknown>): Promise<unknown> => {
  const error = await asked.then(
    () => new Error('answered'),
    (thrown: Error & { code?: string }) => thrown,
  )
  return (error as { code?: string }).code ?? error.message
}
/** A resolver that always says these addresses. */
const saying =
  (...addresses: string[]) =>
  (_: string, __: unknown, done: (error: null, found: { address: string; family: number }[]) => void) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )

describe('a name', () => {
  test('that leads to a private address is refused when something is sent, and nothing connects', async () => {
    let connected = 0
    const port = await listening(createServer(() => connected++))
    for (const [address, words] of [
      ['127.0.0.1', /this machine itself/],
      ['10.0.0.7', /a private address/],
      ['fd00::7', /a private address/],
      ['::ffff:127.0.0.1', /this machine itself/],
      ['169.254.169.254', /no partner can be/],
    ] as const) {
      const asked = outgoing({}, quick, saying(address))(`http://gp.example:${port}/`, { allowHttp: true })
      await expect(asked, address).rejects.toThrow(words)
      await expect(asked, address).rejects.toBeInstanceOf(NotAllowed)
    }
    expect(connected).toBe(0)
  })

  test('with one private address among public ones is refused', async () => {
    await expect(outgoing({}, quick, saying('93.184.215.14', '10.0.0.7'))('https://gp.example/')).rejects.toBeInstanceOf(NotAllowed)
  })

  test('is looked up once for a connection: the address that was judged is the one connected to', async () => {
    const port = await serving((_, response) => response.end('theirs'))
    let asked = 0
    const fetch = outgoing({}, quick, (_, __, done) => {
      asked++
      // A second look would lead nowhere.
      done(null, [{ address: asked === 1 ? '127.0.0.1' : '10.255.255.1', family: 4 }])
    })
    const response = await fetch(`http://gp.example:${port}/`, { allowPrivate: true, allowHttp: true })
    expect(await response.text()).toBe('theirs')
    expect(asked).toBe(1)
  })

  test('allowed for one partner is not reached over that connection for another', async () => {
    const port = await serving((_, response) => response.end('theirs'))
    const fetch = outgoing({}, quick, saying('127.0.0.1'))
    const url = `http://gp.example:${port}/`
    expect((await fetch(url, { allowPrivate: true, allowHttp: true })).status).toBe(200)
    await expect(fetch(url, { allowHttp: true })).rejects.toBeInstanceOf(NotAllowed)
  })

  test('that does not exist is ENOTFOUND', async () => {
    expect(
      await codeOf(
        outgoing({}, quick, (_, __, done) => done(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), []))('https://gp.example/'),
      ),
    ).toBe('ENOTFOUND')
  })
})

describe('time', () => {
  test('for connecting ends, a slow resolver included', async () => {
    expect(await codeOf(outgoing({}, quick, () => undefined)('https://gp.example/'))).toBe('CONNECT_TIMEOUT')
  })

  test('for a TLS handshake that never comes ends', async () => {
    const port = await listening(createServer(() => undefined))
    expect(await codeOf(outgoing(here, quick)(`https://127.0.0.1:${port}/`))).toBe('CONNECT_TIMEOUT')
  })

  test('for the head of the answer ends, also when it drips', async () => {
    const silent = await listening(createServer((socket) => socket.on('error', () => undefined)))
    expect(await codeOf(outgoing(here, quick)(`http://127.0.0.1:${silent}/`))).toBe('HEAD_TIMEOUT')
    const dripping = await listening(
      createServer((socket) => {
        socket.on('error', () => undefined)
        socket.write('HTTP/1.1 200 OK\r\nX: ')
        const drip = setInterval(() => socket.write('x'), 20)
        socket.on('close', () => clearInterval(drip))
      }),
    )
    expect(await codeOf(outgoing(here, quick)(`http://127.0.0.1:${dripping}/`))).toBe('HEAD_TIMEOUT')
  })

  test('for the body ends, also when it drips, and whether or not anybody reads it', async () => {
    const port = await serving((_, response) => {
      const drip = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(drip))
    })
    const response = await outgoing(here, quick)(`http://127.0.0.1:${port}/`)
    expect(response.status).toBe(200)
    expect(await codeOf(response.text())).toBe('BODY_TIMEOUT')
    await outgoing(here, quick)(`http://127.0.0.1:${port}/`)
    await new Promise((done) => setTimeout(done, 400))
  })

  test('is also what the caller gives', async () => {
    const port = await serving(() => undefined)
    await expect(outgoing(here)(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
  })
})

describe('an answer', () => {
  test('of more than 1 MiB is cut off; one of 1 MiB is not', async () => {
    const port = await serving(({ url }, response) => response.end(Buffer.alloc(2 ** 20 + (url === '/more' ? 2 ** 20 : 0), 'x')))
    const fetch = outgoing(here)
    expect((await (await fetch(`http://127.0.0.1:${port}/`)).text()).length).toBe(2 ** 20)
    expect(await codeOf((await fetch(`http://127.0.0.1:${port}/more`)).text())).toBe('REPLY_TOO_LONG')
  })

  test('that is compressed is not unpacked, and was not asked for', async () => {
    let accepted: string | undefined
    const port = await serving(({ headers }, response) => {
      accepted = headers['accept-encoding'] as string
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('as it is')
    })
    expect(await (await outgoing(here)(`http://127.0.0.1:${port}/`)).text()).toBe('as it is')
    expect(accepted).toBe('identity')
  })

  test('that redirects is an answer like any other: nothing follows it', async () => {
    let asked = 0
    const port = await serving((_, response) => {
      asked++
      response.writeHead(307, { location: 'http://169.254.169.254/latest' }).end()
    })
    const response = await outgoing(here)(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x' })
    expect([response.status, asked]).toEqual([307, 1])
  })

  test('with no body, or a status that is none, or no HTTP, is an answer or an error, never a crash', async () => {
    const raw = (text: string) => listening(createServer((socket) => socket.on('error', () => undefined).end(text)))
    const ask = async (text: string) => outgoing(here, quick)(`http://127.0.0.1:${await raw(text)}/`)
    expect((await ask('HTTP/1.1 204 No Content\r\n\r\n')).body).toBeNull()
    await expect(ask('HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n')).rejects.toThrow()
    await expect(ask('SSH-2.0-OpenSSH\r\n')).rejects.toThrow()
    await expect(ask('')).rejects.toThrow()
    await expect(ask(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`)).rejects.toThrow()
  })
})

describe('a message', () => {
  const parcel: Parcel = {
    key: '0198c000-0000-7000-8000-00000000000a',
    correlation: '0198c000-0000-7000-8000-00000000000c',
    body: '{"resourceType":"Bundle"}',
    contentType: 'application/fhir+json',
    from: { name: 'RECONNECT North East' },
    to: { id: 'gp', name: 'Elvet Surgery' },
  }
  const send = (settings: Record<string, unknown>, fetch: ReturnType<typeof outgoing>) =>
    (channels.get('fhir-message') as Channel).send(parcel, {
      settings: { name: 'fhir-message', ...settings },
      fetch,
      signal: AbortSignal.timeout(3_000),
    })

  test('arrives with its body as it was frozen, connection after connection', async () => {
    const seen: string[] = []
    const port = await serving(async (request, response) => {
      let body = ''
      for await (const part of request) body += part
      seen.push(`${request.method} ${request.url} ${body}`)
      response.end('{"resourceType":"Bundle","id":"theirs"}')
    })
    const fetch = outgoing(here)
    for (let i = 0; i < 3; i++)
      expect(await send({ url: `http://127.0.0.1:${port}/fhir` }, fetch)).toEqual({ outcome: 'accepted', receipt: 'theirs' })
    expect(seen).toEqual(Array(3).fill(`POST /fhir/$process-message ${parcel.body}`))
  })

  test('to a name that leads to a private address waits for a person, with words and no address', async () => {
    expect(await send({ url: 'https://gp.example/fhir' }, outgoing({}, quick, saying('10.0.0.7')))).toEqual({
      outcome: 'rejected',
      issues: ['the name in its address leads to a private address, which the directory does not allow.'],
      unsent: true,
    })
  })

  test('that could not connect was not sent; one without an answer may have been', async () => {
    expect(
      await send(
        { url: 'https://gp.example/fhir' },
        outgoing({}, quick, () => undefined),
      ),
    ).toMatchObject({ reason: 'CONNECT_TIMEOUT', unanswered: false })
    const port = await serving(() => undefined)
    expect(await send({ url: `http://127.0.0.1:${port}/` }, outgoing(here, quick))).toMatchObject({
      reason: 'HEAD_TIMEOUT',
      unanswered: true,
    })
  })

  test('is accepted by its status, however long the reply or slow its end', async () => {
    const port = await serving((_, response) => response.end(Buffer.alloc(2 * 2 ** 20, 'x')))
    expect(await send({ url: `http://127.0.0.1:${port}/` }, outgoing(here))).toEqual({ outcome: 'accepted', receipt: parcel.key })
  })
})

test('where the platform looks names up, the address is judged as written and a long reply is cut off all the same', async () => {
  const asked: string[] = []
  const platform = (async (url: string, init: RequestInit) => {
    asked.push(`${url} ${init.redirect}`)
    return new Response('x'.repeat(2 ** 20 + 1))
  }) as typeof globalThis.fetch
  const fetch = checkedFetch({}, platform)
  for (const url of ['https://127.0.0.1/', 'https://0x7f.1/', 'https://[::ffff:10.0.0.1]/', 'http://gp.example/', 'https://a@gp.example/'])
    await expect(fetch(url), url).rejects.toBeInstanceOf(NotAllowed)
  expect(asked).toEqual([])
  expect(await codeOf((await fetch('https://gp.example/')).text())).toBe('REPLY_TOO_LONG')
  expect(asked).toEqual(['https://gp.example/ manual'])
  expect(urlFault('https://gp.example/', {})).toBeUndefined()
})
