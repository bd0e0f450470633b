/**
 * Every way bytes travel to a partner, by name.
 */
import type { Channel } from '../channel.ts'
import fhirMessage from './fhir-message.ts'
import here from './here.ts'
import pull from './pull.ts'

export const channels: ReadonlyMap<string, Channel> = new Map([fhirMessage, pull, here].map((channel) => [channel.name, channel]))
