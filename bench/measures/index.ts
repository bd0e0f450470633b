/**
 * Every measure, in the order of the table. Each can be run by itself: `--only reading,growth`.
 */
import type { Measure } from '../stage.ts'
import create from './create.ts'
import decide from './decide.ts'
import delivery from './delivery.ts'
import growth from './growth.ts'
import intake from './intake.ts'
import journey from './journey.ts'
import lasting from './lasting.ts'
import reading from './reading.ts'
import sick from './sick.ts'
import start from './start.ts'
import timers from './timers.ts'

export const measures: Readonly<Record<string, Measure>> = {
  start,
  intake,
  create,
  reading,
  delivery,
  journey,
  sick,
  lasting,
  growth,
  timers,
  decide,
}
