/**
 * FHIR Parameters read one name at a time: what is missing or wrong is collected, with the path to it, and refused at once.
 */
import type { ParametersParameter } from '@medplum/fhirtypes'
import type { Someone } from '../domain/override.ts'
import { type Issue, refuse } from '../fhir/outcome.ts'

export const pathOf = (name: string, index?: number): string =>
  `Parameters.parameter.where(name='${name}')${index === undefined ? '' : `[${index}]`}`
export const fault = (name: string, text: string, index?: number): Issue => ({ code: 'required', text, expression: pathOf(name, index) })

/**
 * @returns what was said by name; `issues` collects everything that is missing or wrong
 * @throws Refusal 400 when it is no Parameters
 */
export function reader(body: unknown) {
  const given = body as { resourceType?: unknown; parameter?: unknown } | undefined
  if (given?.resourceType !== 'Parameters' || !Array.isArray(given.parameter))
    throw refuse(400, 'invalid', 'Parameters are posted here.', 'Parameters.parameter')
  const parameters = given.parameter.filter((one) => typeof one === 'object' && one !== null) as ParametersParameter[]
  const issues: Issue[] = []
  const all = (name: string) => parameters.filter((one) => one.name === name)
  const one = (name: string) => all(name)[0]
  const words = (parameter: ParametersParameter | undefined): string | undefined => {
    const said = parameter?.valueString
    return typeof said === 'string' && said.trim() !== '' && said.length <= 4_000 ? said.trim() : undefined
  }
  return {
    issues,
    all,
    one,
    text(name: string, must: boolean, why: string): string | undefined {
      const said = words(one(name))
      if (must && said === undefined) issues.push(fault(name, why))
      return said
    },
    code(name: string, codes: readonly string[]): string {
      const said = one(name)?.valueCode ?? one(name)?.valueString ?? ''
      if (!codes.includes(said)) issues.push(fault(name, `One of ${codes.join(', ')}.`))
      return said
    },
    flag(name: string): boolean | undefined {
      const said = one(name)?.valueBoolean
      return typeof said === 'boolean' ? said : undefined
    },
    someone(name: string): Someone {
      const parts = one(name)?.part
      const part = (which: string) => words(Array.isArray(parts) ? parts.find((each) => each?.name === which) : undefined)
      for (const which of ['name', 'role'] as const)
        if (!part(which))
          issues.push({
            code: 'required',
            text: 'Name a person with their role.',
            expression: `${pathOf(name)}.part.where(name='${which}')`,
          })
      return { name: part('name') ?? '', role: part('role') ?? '' }
    },
  }
}
