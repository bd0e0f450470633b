/**
 * `sign KIND`: a guardian's signature under what a kind of partner is told. `sign --status`: which mappings are signed, by whom.
 */
import { contentOf, hashOf, type Signature, statementOf } from '../domain/sign-off.ts'
import { keepSignature, loadDirectory } from '../store/directory.ts'
import { signerOf } from '../store/signing.ts'
import { withDriver } from './store.ts'
import { Fault, type Terminal, table, textOf, type Verb } from './terminal.ts'

export const sign: Verb = {
  name: 'sign',
  usage: 'sign KIND --by NAME --role ROLE --key FILE | sign --status | sign --public-key --key FILE',
  does: 'signs what a kind of partner is told, with a key the directory file names; --status lists what is signed and what is not',
  takes: [0, 1],
  options: {
    by: { type: 'string' },
    role: { type: 'string' },
    key: { type: 'string' },
    status: { type: 'boolean' },
    'public-key': { type: 'boolean' },
  },
  run: async ({ positionals: [kind], values }, terminal) => {
    if (values.status) return status(terminal)
    if (values['public-key']) {
      const { publicKey } = await keyIn(terminal, values.key)
      return { json: { publicKey }, text: `${publicKey}\n` }
    }
    return signKind(terminal, kind, values)
  },
}

async function signKind(terminal: Terminal, kind: string | undefined, { by, role, key }: Record<string, unknown>) {
  const { adapters, now } = terminal
  const mapping = adapters.get(kind ?? '')?.mapping
  if (!mapping) throw new Fault(`KIND is one of ${[...adapters.keys()].join(', ')}.`, 2)
  if (typeof by !== 'string' || typeof role !== 'string') throw new Fault('--by NAME and --role ROLE say who signs.', 2)
  const { publicKey, signer } = await keyIn(terminal, key)
  const said = { kind: mapping.kind, version: mapping.version, hash: await hashOf(contentOf(mapping)), by, role, at: now().toISOString() }
  const signature = Buffer.from(await signer.sign(statementOf(said))).toString('base64')
  const signed: Signature = { ...said, publicKey, signature }
  return withDriver(terminal, async (database) => {
    const { signers } = await loadDirectory(database)
    const named = signers.find((one) => one.publicKey === publicKey)
    if (!named) throw new Fault('The directory file names no signer with this key: add it under "signers", and apply the file.')
    if (named.retired) throw new Fault('This signer is retired in the directory file.')
    if (named.name !== by || named.role !== role) throw new Fault('The directory file names this key with another name or role.')
    await database.atomically([keepSignature(signed, now())])
    const text = `${by} (${role}) signed ${said.kind}, version ${said.version}.\nhash ${said.hash}\n`
    return { json: signed, text }
  })
}

/** The key file holds 32 bytes in base64, as `openssl rand -base64 32` writes them. */
async function keyIn(terminal: Terminal, path: unknown) {
  if (typeof path !== 'string') throw new Fault('--key FILE names the file with the key of whoever signs.', 2)
  const text = textOf(terminal, path).trim()
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text))
    throw new Fault('The key file must hold 32 bytes in base64: `openssl rand -base64 32` makes them.')
  const signer = await signerOf(Buffer.from(text, 'base64'))
  return { signer, publicKey: Buffer.from(signer.publicKey).toString('base64') }
}

async function status(terminal: Terminal) {
  const { signatures } = await withDriver(terminal, (database) => loadDirectory(database))
  const rows = await Promise.all(
    [...terminal.adapters.values()].map(async ({ mapping: { kind, version, ...rest } }) => {
      const hash = await hashOf(contentOf({ kind, version, ...rest }))
      const own = signatures.filter((one) => one.kind === kind)
      const now = own.filter((one) => one.hash === hash)
      const earlier = own.filter((one) => one.hash !== hash).map((one) => one.version)
      return { kind, version, hash, signed: now, earlier: [...new Set(earlier)] }
    }),
  )
  const words = rows.map(({ kind, version, hash, signed, earlier }) => [
    kind,
    String(version),
    signed.map(({ by, role, at }) => `${by} (${role}), ${at.slice(0, 10)}`).join('; ') ||
      (earlier.length ? `no; earlier: version ${earlier.join(', ')}` : 'no'),
    hash,
  ])
  const exit: 0 | 1 = rows.every(({ signed }) => signed.length > 0) ? 0 : 1
  return { json: rows, text: table(['kind', 'version', 'signed', 'hash'], words), exit }
}
