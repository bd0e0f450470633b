/**
 * Channel `pull`: nothing is sent. The message is on the partner's shelf, and the partner reads it when it likes.
 */
import { z } from 'zod'
import { defineChannel } from '../channel.ts'

export default defineChannel({
  name: 'pull',
  settings: z.strictObject({ name: z.literal('pull') }),
  send: async () => ({ outcome: 'accepted', receipt: 'on the shelf' }),
})
