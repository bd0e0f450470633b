/**
 * JSON Patch (RFC 6902) on a resource, from outside: what it may do is bounded, and it never reaches the object it is given.
 */
import { applyPatch, type Operation } from 'rfc6902'
import { refuse } from './outcome.ts'

const mostOperations = 200
/** Characters of JSON. A copy of the whole into itself doubles it: thirty such operations would be a thousand million. */
const longest = 1024 * 1024

/**
 * @param present is not changed
 * @returns what comes of it, to be validated
 * @throws Refusal 400 (not a patch), 422 (an operation does not apply, or makes too much)
 */
export function patched(present: object, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw refuse(400, 'structure', 'A JSON Patch is a list of operations.')
  if (operations.length > mostOperations) throw refuse(400, 'too-costly', `A JSON Patch has at most ${mostOperations} operations.`)
  const copy = structuredClone(present)
  for (const [index, operation] of operations.entries()) {
    if (!isOperation(operation)) throw refuse(400, 'structure', `Operation ${index} of the patch is none.`)
    if (!applies(copy, operation)) throw refuse(422, 'processing', `Operation ${index} of the patch can not be applied.`)
    if (operation.op === 'copy' && JSON.stringify(copy).length > longest)
      throw refuse(422, 'too-costly', `Operation ${index} of the patch makes the resource too large.`)
  }
  return copy
}

function isOperation(value: unknown): value is Operation {
  const { op, path, from } = (value ?? {}) as { op?: unknown; path?: unknown; from?: unknown }
  const isPointer = (each: unknown) => typeof each === 'string' && /^($|\/)/.test(each) && !each.split('/').includes('__proto__')
  return typeof op === 'string' && isPointer(path) && (from === undefined ? op !== 'move' && op !== 'copy' : isPointer(from))
}

/** What the library throws at is no patch either. */
function applies(copy: object, operation: Operation): boolean {
  try {
    return applyPatch(copy, [operation])[0] === null
  } catch {
    return false
  }
}
