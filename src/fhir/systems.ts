/**
 * Every URI the exchange speaks: identifier systems, code systems, profiles. One constant each, with where it comes from.
 */

/** Ours. A deploying organisation replaces it (CONTRACT.md, head). */
export const BASE = 'https://reconnect.example/fhir'

/** Identifier systems. NHS: UK Core; NOMS, CRN, PNC, CRO: no national FHIR system was found, so ours (consent.md B8). */
export const nhsNumber = 'https://fhir.nhs.uk/Id/nhs-number'
export const odsCode = 'https://fhir.nhs.uk/Id/ods-organization-code'
export const nomsNumber = `${BASE}/Id/noms-number`
export const crn = `${BASE}/Id/crn`
/** What the HMPPS External API knows a person by: opaque, today one of the two before (hmpps.md 1). */
export const hmppsIdentifier = `${BASE}/Id/hmpps-id`
export const pncNumber = `${BASE}/Id/pnc`
export const croNumber = `${BASE}/Id/cro`
/** What a handover is known by, and a medicine's line in a record. Ours. */
export const handoverIdentifier = `${BASE}/Id/handover`
export const medicationStatementId = `${BASE}/Id/medication-statement`

/** A code system of ours, by its last word: `ours('need')`. */
export const ours = <Name extends string>(name: Name) => `${BASE}/CodeSystem/${name}` as const

/** HL7 terminology. */
export const confidentiality = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality'
export const actCode = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
export const actReason = 'http://terminology.hl7.org/CodeSystem/v3-ActReason'
export const participationType = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType'
export const consentScope = 'http://terminology.hl7.org/CodeSystem/consentscope'
export const conditionClinical = 'http://terminology.hl7.org/CodeSystem/condition-clinical'
export const allergyClinical = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical'
export const interpreterRequired = 'http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired'
export const taskCode = 'http://hl7.org/fhir/CodeSystem/task-code'
/** Why a request stands as it does: FHIR R4's own extension, where the resource has no element for it. */
export const requestStatusReason = 'http://hl7.org/fhir/StructureDefinition/request-statusReason'

/** Booking and Referral Standard (bars-ukcore.md 3 and 4). */
export const messageEvents = 'https://fhir.nhs.uk/CodeSystem/message-events-bars'
export const messageReason = 'https://fhir.nhs.uk/CodeSystem/message-reason-bars'
export const messageCategory = 'https://fhir.nhs.uk/CodeSystem/message-category-servicerequest'
export const consentCategoriesBars = 'https://fhir.nhs.uk/CodeSystem/consent-categories-bars'
export const httpErrorCodes = 'https://fhir.nhs.uk/CodeSystem/http-error-codes'

/** UK Core: profiles and extensions share one root. */
export const ukCore = <Name extends string>(name: Name) => `https://fhir.hl7.org.uk/StructureDefinition/${name}` as const
export const verificationStatus = ukCore('Extension-UKCore-NHSNumberVerificationStatus')
export const verificationStatusEngland = 'https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland'
/** UK Core England code 02: the number has a right check digit and was not traced (bars-ukcore.md 3.9, 8.1). */
export const presentNotTraced = { system: verificationStatusEngland, code: '02', display: 'Number present but not traced' }
export const sourceOfServiceRequest = ukCore('Extension-UKCore-SourceOfServiceRequest')
