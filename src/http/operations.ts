/**
 * The operations there are: where each lives, whether it changes anything, what a caller needs for it (CONTRACT.md 4, 5).
 */
import type { Letter } from '../access/scopes.ts'
import { BASE } from '../fhir/systems.ts'

export type Operation = {
  /** Resource types it is for; '*' is any. */
  types: readonly string[]
  levels: readonly ('system' | 'type' | 'instance')[]
  /** Those that change nothing answer GET as well as POST. */
  methods: readonly ('GET' | 'POST')[]
  /** Scope letter on the resource type; absent: any token will do. */
  letter?: Letter
  /** A person can read the answer too: as HTML, and where it can be made as PDF. */
  readable?: true
  /** `dryRun=true` changes nothing: GET is allowed and reading is enough. */
  dryRun?: true
  definition: string
}

const ours = (name: string) => `${BASE}/OperationDefinition/${name}`
const act = (name: string, type: string): Operation => ({
  types: [type],
  levels: ['instance'],
  methods: ['POST'],
  letter: 'u',
  definition: ours(name),
})
const ask = (name: string, type: string): Operation => ({
  types: [type],
  levels: ['instance'],
  methods: ['GET', 'POST'],
  letter: 'r',
  definition: ours(name),
})

export const operations: Readonly<Record<string, Operation>> = {
  triage: act('triage', 'ServiceRequest'),
  allocate: act('allocate', 'ServiceRequest'),
  extend: act('extend', 'ServiceRequest'),
  close: act('close', 'ServiceRequest'),
  handover: { ...act('handover', 'CarePlan'), dryRun: true },
  why: ask('why', 'Task'),
  everything: {
    ...ask('everything', 'Patient'),
    definition: 'http://hl7.org/fhir/OperationDefinition/Patient-everything',
    readable: true,
  },
  'who-was-told': { ...ask('who-was-told', 'Patient'), readable: true },
  override: act('override', 'Patient'),
  'override-review': act('override-review', 'Patient'),
  // As FHIR R5 has it, for R4.
  merge: {
    types: ['Patient'],
    levels: ['type', 'instance'],
    methods: ['POST'],
    letter: 'u',
    definition: 'http://hl7.org/fhir/OperationDefinition/Patient-merge',
  },
  unmerge: act('unmerge', 'Patient'),
  'not-same': act('not-same', 'Patient'),
  validate: {
    types: ['*'],
    levels: ['system', 'type', 'instance'],
    methods: ['POST'],
    definition: 'http://hl7.org/fhir/OperationDefinition/Resource-validate',
  },
}

export const processMessage = {
  name: 'process-message',
  definition: 'http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message',
}

export const operationsOf = (type: string): [name: string, operation: Operation][] =>
  Object.entries(operations).filter(([, one]) => one.types.includes(type) || (one.types.includes('*') && one.levels.includes('type')))
