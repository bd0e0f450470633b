/**
 * HMPPS as this machine reaches it: its External API under our certificate, its queue under the credentials of the moment, and what is wrong
 * with the files that hold them.
 */
import { readFileSync } from 'node:fs'
import type { Allowed } from './channels/address.ts'
import { isPair } from './channels/certificate.ts'
import { hmppsApi } from './channels/hmpps-api.ts'
import { outgoing } from './channels/outgoing.ts'
import { type Credentials, type Queue, readCredentials, sqsQueue } from './channels/sqs.ts'
import type { Config } from './config.ts'
import type { Exchange } from './exchange/exchange.ts'

export const hmppsFaults = ({ queue, hmpps }: Config): string[] => [
  ...(queue && !isThere(queue.credentialsFile) ? [noCredentials] : []),
  ...(hmpps?.certificate && !isPair(hmpps.certificate) ? [noPair] : []),
]
const noCredentials = 'HMPPS_QUEUE_CREDENTIALS_FILE must name a file with AccessKeyId and SecretAccessKey as JSON.'
const noPair = 'HMPPS_API_CERT_KEY_FILE must hold the private key of the certificate in HMPPS_API_CERT_FILE, without a passphrase.'

export const hmppsOf = ({ hmpps }: Config, reach: Allowed): Pick<Exchange, 'hmpps' | 'lookPace'> =>
  hmpps ? { hmpps: hmppsApi(hmpps, outgoing(reach, {}, undefined, hmpps.certificate)), lookPace: hmpps.pace } : {}

/** A look at the queue waits 20 s, and brings up to ten messages of 256 KiB. */
const queueLimits = { headMs: 30_000, mostBytes: 4 * 2 ** 20 }

export const queueOf = ({ url, region, credentialsFile }: NonNullable<Config['queue']>, reach: Allowed): Queue =>
  sqsQueue({ url, region }, () => credentialsIn(credentialsFile), outgoing(reach, queueLimits))

/** Read again each time: whoever renews them writes the file anew. */
function credentialsIn(file: string): Credentials {
  const credentials = readCredentials(readFileSync(file, 'utf8'))
  if (!credentials) throw Object.assign(new Error('no credentials'), { code: 'NO_CREDENTIALS' })
  return credentials
}

function isThere(file: string): boolean {
  try {
    return credentialsIn(file) !== undefined
  } catch {
    return false
  }
}
