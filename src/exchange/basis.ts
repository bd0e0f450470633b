/**
 * What a message or a resource on a partner's shelf discloses, as it is kept: JSON of Disclosure[].
 */

/** Does `now` lack something that `before` disclosed, or say of it that it is of another kind? Then what held it may not stay. */
export function lacks(now: string | undefined, before: string): boolean {
  if (before === now || before === '[]') return false
  const kept = new Set((JSON.parse(now ?? '[]') as unknown[]).map((one) => JSON.stringify(one)))
  return (JSON.parse(before) as unknown[]).some((one) => !kept.has(JSON.stringify(one)))
}
