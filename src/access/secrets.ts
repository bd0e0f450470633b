/**
 * Secrets in settings: `{"env": "NAME"}` or `{"file": "path"}` where a text would stand. The directory keeps the reference, never the secret.
 */
type Settings = Record<string, unknown>

export type Secrets = {
  env: Readonly<Record<string, string | undefined>>
  /** A file's text; throws when it can not be read. */
  readText: (path: string) => string
}

/**
 * The same settings with every reference below replaced by what it points to.
 *
 * @param path JSON path of `settings`, for the faults
 */
export function withSecrets(settings: Settings, secrets: Secrets, path: string): { value: Settings; faults: string[] } {
  const faults: string[] = []
  const follow = (value: unknown, at: string): unknown => {
    if (Array.isArray(value)) return value.map((item, i) => follow(item, `${at}[${i}]`))
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value)
    const [only] = entries
    if (entries.length === 1 && only && (only[0] === 'env' || only[0] === 'file') && typeof only[1] === 'string')
      return resolve(only[0], only[1], at)
    return Object.fromEntries(entries.map(([key, item]) => [key, follow(item, `${at}.${key}`)]))
  }
  const resolve = (from: 'env' | 'file', name: string, at: string): string | undefined => {
    const secret = from === 'env' ? secrets.env[name] : textOf(name)
    if (!secret)
      faults.push(`${at} names ${from === 'env' ? 'an environment variable that is not set' : 'a file that can not be read or is empty'}.`)
    return secret
  }
  const textOf = (file: string): string | undefined => {
    try {
      return secrets.readText(file).trim()
    } catch {
      return undefined
    }
  }
  // The settings themselves are no reference, even if their one setting is called `env`.
  return { value: Object.fromEntries(Object.entries(settings).map(([key, item]) => [key, follow(item, `${path}.${key}`)])), faults }
}
