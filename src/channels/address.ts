/**
 * Which addresses we may connect to: public ones, and what the directory allows a partner besides (docs/security.md).
 *
 * @see IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890)
 */
import { isLoopback } from '../config.ts'

/**
 * `here` is this machine, `private` a network of the organisation's own. `never` is what no partner can live at: link-local (where
 * clouds keep their metadata), unspecified, multicast, documentation, and forms that hide an IPv4 address from a filter.
 */
export type Reach = 'public' | 'here' | 'private' | 'never'

/** What may be reached besides public addresses over https. */
export type Allowed = {
  /** Addresses of this machine, also over http: the gateway listens on a loopback address, so all of it is one machine. */
  loopback?: boolean
  /** `allowPrivate` of a partner's channel: private addresses, and this machine's own. */
  private?: boolean
  /** `allowHttp` of a partner's channel: no encryption on the way. */
  http?: boolean
}

/**
 * What is wrong with a URL before any name is looked up; undefined when nothing is.
 *
 * @returns words that follow the name of the setting: 'is plain http, which the directory does not allow.'
 */
export function urlFault(text: string, allowed: Allowed): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) return 'must be an https URL.'
  if (url.username || url.password) return 'must not carry a user or a password.'
  const reach = reachOfHost(url.hostname)
  const fault = reach && reachFault(reach, allowed)
  if (fault) return fault
  if (url.protocol === 'http:' && !allowed.http && !(allowed.loopback && reach === 'here'))
    return 'is plain http, which the directory does not allow.'
  return undefined
}

/** @returns words that follow the name of what leads there; undefined when it may be reached */
export function reachFault(reach: Reach, allowed: Allowed): string | undefined {
  if (reach === 'public' || (reach === 'here' && (allowed.loopback || allowed.private)) || (reach === 'private' && allowed.private))
    return undefined
  return faults[reach]
}

const faults = {
  here: 'leads to this machine itself, which the directory does not allow.',
  private: 'leads to a private address, which the directory does not allow.',
  never: 'leads to an address where no partner can be (link-local, unspecified, multicast or reserved).',
}

/** Of the host of a parsed URL, where that alone says it: an address (URL parsing has undone 0x7f.1, 2130706433 and the like), or localhost. */
export function reachOfHost(hostname: string): Reach | undefined {
  const host = hostname.toLowerCase().replace(/\.$/, '')
  if (host === 'localhost' || host.endsWith('.localhost')) return 'here'
  if (host.startsWith('[')) return reachOf(host.slice(1, -1))
  return /^[0-9.]+$/.test(host) ? reachOf(host) : undefined
}

/** @param address as a resolver writes it: '192.0.2.1', '2001:db8::1', 'fe80::1%eth0'; anything else is `never` */
export function reachOf(address: string): Reach {
  if (address.includes(':')) return reachOfGroups(groupsOf(address))
  const four = fourOf(address)
  return four ? reachOfFour(four) : 'never'
}

type Four = [number, number, number, number]

function fourOf(text: string): Four | undefined {
  const parts = text.split('.').map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256))
  return parts.length === 4 && parts.every((part) => part < 256) ? (parts as Four) : undefined
}

function reachOfFour([a, b, c]: Four): Reach {
  if (a === 127) return 'here'
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return 'private'
  // Shared between carriers, and what some overlay networks number themselves from.
  if (a === 100 && b >= 64 && b < 128) return 'private'
  if (a === 0 || a >= 224 || (a === 169 && b === 254)) return 'never'
  if (a === 192 && ((b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99))) return 'never'
  if ((a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) || (a === 203 && b === 0 && c === 113)) return 'never'
  return 'public'
}

/** The eight groups of an IPv6 address, or undefined when it is none. */
function groupsOf(text: string): number[] | undefined {
  const [bare = ''] = text.split('%')
  const tail = bare.slice(bare.lastIndexOf(':') + 1)
  const four = tail.includes('.') ? fourOf(tail) : undefined
  if (tail.includes('.') && !four) return undefined
  const written = four
    ? `${bare.slice(0, -tail.length)}${(four[0] * 256 + four[1]).toString(16)}:${(four[2] * 256 + four[3]).toString(16)}`
    : bare
  const halves = written.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const [left = [], right = []] = halves
  const gap = 8 - left.length - right.length
  if (halves.length > 2 || (halves.length === 2 ? gap < 1 : gap !== 0)) return undefined
  const groups = [...left, ...Array<string>(Math.max(gap, 0)).fill('0'), ...right]
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? groups.map((group) => Number.parseInt(group, 16)) : undefined
}

function reachOfGroups(groups: number[] | undefined): Reach {
  if (!groups) return 'never'
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups
  const four: Four = [g >> 8, g & 255, h >> 8, h & 255]
  const noneBefore = (end: number) => groups.slice(0, end).every((group) => group === 0)
  if (noneBefore(7) && h === 1) return 'here'
  // The same address as an IPv4 one: mapped into IPv6, or behind a NAT64.
  if (noneBefore(5) && f === 0xffff) return reachOfFour(four)
  if (a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0) return reachOfFour(four)
  if ((a & 0xfe00) === 0xfc00) return 'private'
  // Of what is in use for the public: not the protocol assignments (Teredo and others), 6to4, documentation.
  if ((a & 0xe000) !== 0x2000 || a === 0x2002 || (a === 0x2001 && (b < 0x200 || b === 0xdb8)) || (a === 0x3fff && b < 0x1000))
    return 'never'
  return 'public'
}

/** @param host where the gateway listens, as in HOST: bound to this machine, it may reach this machine */
export const allowedFor = (host: string | undefined): Allowed => ({ loopback: isLoopback(host?.trim() || '127.0.0.1') })
