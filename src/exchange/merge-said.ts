/**
 * What somebody says about two records: FHIR Parameters, with the names of FHIR's own `Patient/$merge`.
 *
 * @see hl7.org/fhir/R5/patient-operation-merge.html (an R4 server may offer it: the names are the same)
 */
import type { ParametersParameter } from '@medplum/fhirtypes'
import { type Issue, Refusal, refuse } from '../fhir/outcome.ts'

export type Named = { patient: string; at: string }

const at = (name: string): string => `Parameters.parameter.where(name='${name}')`

/** @returns reads parameters by name; `end` throws what was wrong */
export function saidIn(body: unknown, known: readonly string[]) {
  const given = body as { resourceType?: unknown; parameter?: unknown } | undefined
  if (given?.resourceType !== 'Parameters' || !Array.isArray(given.parameter))
    throw refuse(400, 'invalid', 'Parameters are posted here.', 'Parameters.parameter')
  const parameters = given.parameter.filter((one) => typeof one === 'object' && one !== null) as ParametersParameter[]
  const issues: Issue[] = []
  if (given.parameter.length !== parameters.length || parameters.some(({ name }) => !known.includes(name)))
    issues.push({
      code: 'not-supported',
      text: `Only these parameters are known here: ${known.join(', ')}.`,
      expression: 'Parameters.parameter',
    })
  const one = (name: string) => {
    const some = parameters.filter((each) => each.name === name)
    if (some.length > 1) issues.push({ code: 'invalid', text: 'This parameter is there more than once.', expression: at(name) })
    return some[0]
  }
  return {
    issues,
    /** The id in `valueReference`: 'Patient/12'. */
    patient(name: string, must: boolean): Named | undefined {
      const said = one(name)
      const reference: unknown = said?.valueReference?.reference
      const id = typeof reference === 'string' ? /^Patient\/([A-Za-z0-9.-]{1,64})$/.exec(reference)?.[1] : undefined
      if (said && id === undefined)
        issues.push({ code: 'value', text: 'This is a reference to a Patient of this record: Patient/[id].', expression: at(name) })
      else if (must && !said) issues.push({ code: 'required', text: 'Name the Patient.', expression: at(name) })
      return id === undefined ? undefined : { patient: id, at: at(name) }
    },
    flag: (name: string): boolean => one(name)?.valueBoolean === true,
    /** In words, for the audit. */
    words(name: string): string | undefined {
      const said: unknown = one(name)?.valueString
      return typeof said === 'string' && said.trim() ? said.trim().slice(0, 1_000) : undefined
    },
    end(): void {
      if (issues.length) throw new Refusal(422, issues)
    },
  }
}
