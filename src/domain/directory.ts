/**
 * The services and partners the exchange knows, in plain typed words: what the directory file says (CONTRACT.md 2).
 */
import type { Offer } from './enhanced.ts'

/** A kind of partner: as many as there are adapters. */
export type PartnerKind = string

export type Service = {
  id: string
  name: string
  ods?: string
  prisons: string[]
  homeAreas: string[]
  /** Whether there is an Enhanced RECONNECT team for its people, and from when until when. */
  enhanced: Offer
  /** How a person reaches it, for what is printed for them. */
  contact?: { phone?: string; email?: string; address?: string }
}

export type Partner = {
  id: string
  kind: PartnerKind
  name: string
  ods?: string
  /** How bytes reach it: the channel's name, and settings that channel validates. `pull`: nothing is sent. */
  channel: { name: string } & Record<string, unknown>
  /** Of a RECONNECT service: the areas it is for, as those of our own services are. */
  homeAreas?: string[]
  /** True: it drops a repeat under the same key, so an attempt without an answer may be repeated. */
  deduplicates: boolean
  retired: boolean
}

export type Directory = {
  services: ReadonlyMap<string, Service>
  partners: ReadonlyMap<string, Partner>
}
