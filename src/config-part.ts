/**
 * Some of the settings, for a command that needs no others: a fault elsewhere in the environment does not keep it from its work.
 */
import { type Environment, judgement, readConfig, retention } from './config.ts'
import type { LookPace } from './domain/look-pace.ts'
import { usualYears, type Years } from './domain/retention.ts'

/**
 * The master keys alone, for what needs no other setting.
 *
 * @returns the keys, the present one first, or what is wrong as a sentence
 */
export function readMasterKeys(env: Environment, readText: (path: string) => string): { keys: Uint8Array[] } | { fault: string } {
  const { MASTER_KEY: key, MASTER_KEY_FILE: file } = env
  const read = readConfig({ MASTER_KEY: key, MASTER_KEY_FILE: file }, readText)
  return 'faults' in read ? { fault: read.faults.join(' ') } : { keys: [...read.config.masterKeys] }
}

/** @returns the years, or what is wrong as a sentence */
export function readRetentionYears({ RETENTION_YEARS: text }: Environment): { years: Years } | { fault: string } {
  const read = text?.trim() ? retention.safeParse(text) : { success: true as const, data: usualYears }
  return read.success ? { years: read.data } : { fault: `RETENTION_YEARS ${read.error.issues[0]?.message}` }
}

/**
 * The settings on which it depends what is planned about a person. `pace`: of looking dates up at HMPPS; absent: there is no API to ask.
 */
export function readJudgement({
  HMPPS_API_URL: api,
  HMPPS_API_DAILY_FROM_DAYS: from,
  HMPPS_API_EVERY_DAYS: every,
  REQUIRE_SIGNED_MAPPINGS: signed,
}: Environment): { requireSignedMappings: boolean; pace?: LookPace } | { fault: string } {
  const given = { HMPPS_API_DAILY_FROM_DAYS: from, HMPPS_API_EVERY_DAYS: every, REQUIRE_SIGNED_MAPPINGS: signed }
  const read = judgement.safeParse(Object.fromEntries(Object.entries(given).filter(([, value]) => value?.trim())))
  if (!read.success) return { fault: read.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join(' ') }
  const { HMPPS_API_DAILY_FROM_DAYS: dailyFromDays, HMPPS_API_EVERY_DAYS: everyDays, REQUIRE_SIGNED_MAPPINGS } = read.data
  return { requireSignedMappings: REQUIRE_SIGNED_MAPPINGS === 'true', ...(api?.trim() ? { pace: { dailyFromDays, everyDays } } : {}) }
}
