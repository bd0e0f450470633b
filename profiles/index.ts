/**
 * Our own terminology as FHIR: each JSON file of this folder by `Type/id`, and for every CodeSystem the ValueSet of all its codes.
 *
 * What a code gives away (`ConceptMap/category`) is used from here by `src/domain/labels.ts`; where a CodeSystem repeats a table of the
 * code, a test compares the two. No StructureDefinition: messages claim UK Core and BaRS profiles, and none of ours.
 */
import type { CodeSystem, ConceptMap, ValueSet } from '@medplum/fhirtypes'
import codesCategory from './CodeSystem-category.json' with { type: 'json' }
import codesClosure from './CodeSystem-closure.json' with { type: 'json' }
import codesContactModality from './CodeSystem-contact-modality.json' with { type: 'json' }
import codesCustodyBasis from './CodeSystem-custody-basis.json' with { type: 'json' }
import codesCustodyStatus from './CodeSystem-custody-status.json' with { type: 'json' }
import codesEnhancedTrigger from './CodeSystem-enhanced-trigger.json' with { type: 'json' }
import codesFlag from './CodeSystem-flag.json' with { type: 'json' }
import codesHandoverStatus from './CodeSystem-handover-status.json' with { type: 'json' }
import codesLegalBasis from './CodeSystem-legal-basis.json' with { type: 'json' }
import codesNeed from './CodeSystem-need.json' with { type: 'json' }
import codesObservation from './CodeSystem-observation.json' with { type: 'json' }
import codesOnwardDestination from './CodeSystem-onward-destination.json' with { type: 'json' }
import codesPrison from './CodeSystem-prison.json' with { type: 'json' }
import codesRecipientKind from './CodeSystem-recipient-kind.json' with { type: 'json' }
import codesRecordMark from './CodeSystem-record-mark.json' with { type: 'json' }
import codesReferralOutcome from './CodeSystem-referral-outcome.json' with { type: 'json' }
import codesReferralPhase from './CodeSystem-referral-phase.json' with { type: 'json' }
import codesReferrerType from './CodeSystem-referrer-type.json' with { type: 'json' }
import codesRejectionReason from './CodeSystem-rejection-reason.json' with { type: 'json' }
import codesReviewMark from './CodeSystem-review-mark.json' with { type: 'json' }
import codesSupportActivity from './CodeSystem-support-activity.json' with { type: 'json' }
import codesTeamRole from './CodeSystem-team-role.json' with { type: 'json' }
import codesWord from './CodeSystem-word.json' with { type: 'json' }
import mapCategory from './ConceptMap-category.json' with { type: 'json' }
import mapLabel from './ConceptMap-label.json' with { type: 'json' }

export type Definition = CodeSystem | ConceptMap | ValueSet
const codeSystems = [
  codesCategory,
  codesClosure,
  codesContactModality,
  codesCustodyBasis,
  codesCustodyStatus,
  codesEnhancedTrigger,
  codesFlag,
  codesHandoverStatus,
  codesLegalBasis,
  codesNeed,
  codesObservation,
  codesOnwardDestination,
  codesPrison,
  codesRecipientKind,
  codesRecordMark,
  codesReferralOutcome,
  codesReferralPhase,
  codesReferrerType,
  codesRejectionReason,
  codesReviewMark,
  codesSupportActivity,
  codesTeamRole,
  codesWord,
] as readonly CodeSystem[]
const conceptMaps = [mapCategory, mapLabel] as readonly ConceptMap[]

const everyCodeOf = ({ id, url, name, title, version }: CodeSystem): ValueSet => ({
  resourceType: 'ValueSet',
  id: id as string,
  url: `${url?.replace('/CodeSystem/', '/ValueSet/')}`,
  version: version as string,
  name: name as string,
  title: title as string,
  status: 'active',
  publisher: 'RECONNECT Exchange',
  description: `Every code of ${url}.`,
  compose: { include: [{ system: url as string }] },
})

/** By `CodeSystem/need`, `ValueSet/need`, `ConceptMap/category`. */
export const profiles: ReadonlyMap<string, Definition> = new Map(
  [...codeSystems, ...codeSystems.map(everyCodeOf), ...conceptMaps].map((one) => [`${one.resourceType}/${one.id}`, one]),
)

export const definitionTypes = ['CodeSystem', 'ConceptMap', 'ValueSet'] as const
