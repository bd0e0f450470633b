/**
 * SMART scopes of systems: what is written in a directory or asked for, as letters.
 *
 * `system/Task.ru` (v2) and `system/Task.read` (v1) are understood. Scopes of users and patients, and scopes narrowed by a
 * query, mean nothing here: asking for one gives nothing.
 *
 * @see SMART App Launch 2.2, scopes and launch context
 */
import { refuse } from '../fhir/outcome.ts'
import { allowed, type Caller } from './caller.ts'

/** A resource type or '*', and which of the letters c r u d s. */
export type Scope = Caller['scopes'][number]
export type Letter = 'c' | 'r' | 'u' | 'd' | 's'

const letters = 'cruds'
const form = /^system\/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)$/
const words: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': letters }

/** @returns undefined when the text is no scope we know */
export function readScope(text: string): Scope | undefined {
  const [, type, may] = form.exec(text) ?? []
  return type && may ? { type, may: words[may] ?? may } : undefined
}

/** The scopes of a list separated by blanks; what is no scope of ours is left out. Each type appears once. */
export const readScopes = (text: string): Scope[] => tidy(text.split(/\s+/).flatMap((one) => readScope(one) ?? []))

export const writeScopes = (scopes: readonly Scope[]): string => scopes.map(({ type, may }) => `system/${type}.${may}`).join(' ')

/** What was asked for and is granted. */
export function common(asked: readonly Scope[], granted: readonly Scope[]): Scope[] {
  return tidy(
    asked.flatMap((one) =>
      granted
        .filter((other) => one.type === '*' || other.type === '*' || one.type === other.type)
        .map((other) => ({ type: one.type === '*' ? other.type : one.type, may: both(one.may, other.may) })),
    ),
  )
}

const both = (a: string, b: string) => [...letters].filter((letter) => a.includes(letter) && b.includes(letter)).join('')

function tidy(scopes: readonly Scope[]): Scope[] {
  const byType = new Map<string, string>()
  for (const { type, may } of scopes) byType.set(type, `${byType.get(type) ?? ''}${may}`)
  return [...byType].map(([type, may]) => ({ type, may: both(letters, may) })).filter(({ may }) => may !== '')
}

/**
 * Stops a caller whose token does not cover `letter` on `type`.
 *
 * @param expression where in the request it was asked, for an entry of a Bundle
 * @throws Refusal 403
 */
export function mustBeAllowed(caller: Caller, type: string, letter: Letter, expression?: string) {
  if (!allowed(caller, type, letter)) throw refuse(403, 'forbidden', `This needs the scope system/${type}.${letter}.`, expression)
}
