/**
 * What `new-partner` writes, from the texts in `new-partner/`: a mapping that tells the least anybody can do something with, and the folder
 * around it. Sentences only a person can write stay empty: the contract tests ask for each.
 */
import { readFileSync } from 'node:fs'
import { allCategories, type Category } from '../domain/categories.ts'

/** What the mapping below takes values from. Everything else is never told until somebody decides otherwise. */
const told: readonly Category[] = ['identity', 'contact', 'activity', 'worker', 'release', 'adjustments']

/** @param name what people call this kind: 'Hostel' @returns text by path */
export const filesFor = (kind: string, name: string): ReadonlyMap<string, string> => {
  const never = allCategories.filter((category) => !told.includes(category)).map((category) => `\n    '${category}',`)
  const filled = (template: string) =>
    readFileSync(new URL(`./new-partner/${template}.txt`, import.meta.url), 'utf8')
      .replaceAll('NEVER', `${never.join('')}\n  `)
      .replaceAll('QUOTED', () => inQuotes(name))
      .replaceAll('KIND', kind)
      .replaceAll('NAME', () => name)
  return new Map([
    [`mappings/${kind}.ts`, filled('mapping')],
    [`adapters/${kind}/index.ts`, filled('adapter')],
    [`adapters/${kind}/README.md`, filled('readme')],
    // Rewritten by the contract test; until then it is not what the adapter sends.
    [`adapters/${kind}/fixtures/message.json`, '{}\n'],
  ])
}

const inQuotes = (words: string): string => `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** The list of adapters with one more: an import where the alphabet has it, and the adapter at the end. Undefined: it is not the list we know. */
export function listWith(list: string, kind: string): string | undefined {
  const name = kind.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  const lines = list.split('\n')
  const line = `import ${name} from './${kind}/index.ts'`
  const own = lines.flatMap((each, index) => (/^import \w+ from '\.\//.test(each) ? [index] : []))
  const before = own.find((index) => folderIn(lines[index] as string) > kind)
  const last = own.at(-1)
  if (last === undefined || !/^(\s+\[[\w, ]+)\]\.map\(/m.test(list)) return undefined
  lines.splice(before ?? last + 1, 0, line)
  return lines.join('\n').replace(/^(\s+\[[\w, ]+)\]\.map\(/m, `$1, ${name}].map(`)
}

const folderIn = (line: string): string => line.match(/'\.\/([a-z0-9-]+)\//)?.[1] ?? ''

/** The published code system of kinds with one more. */
export function kindsWith(codeSystem: string, kind: string, name: string): string {
  const resource = JSON.parse(codeSystem) as { count: number; concept: { code: string; display: string }[] }
  resource.concept.push({ code: kind, display: name })
  resource.count = resource.concept.length
  return `${JSON.stringify(resource, null, 2)}\n`
}
