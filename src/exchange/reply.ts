/**
 * The message Bundle that answers a message.
 */
import type { Bundle, MessageHeader, Resource, Task } from '@medplum/fhirtypes'
import { v7 as newId } from 'uuid'

/** The answer has the id of the message it answers, and everything under the ids it has here (bars-ukcore.md 3.6). */
export function replyTo(bundle: Bundle, kept: readonly Resource[], task?: Task): Bundle {
  const header = bundle.entry?.[0]?.resource as MessageHeader
  const focus = kept.find(({ resourceType }) => resourceType === 'ServiceRequest')
  // Ours first: a message may carry a Task of its sender's.
  const resources = [...(task ? [task] : []), ...kept]
  return {
    resourceType: 'Bundle',
    ...(bundle.id ? { id: bundle.id } : {}),
    type: 'message',
    timestamp: task?.lastModified ?? (bundle.timestamp as string),
    entry: [
      {
        fullUrl: `urn:uuid:${newId()}`,
        resource: {
          ...header,
          focus: focus ? [{ reference: `ServiceRequest/${focus.id}` }] : (header.focus as NonNullable<typeof header.focus>),
        },
      },
      ...resources.map((resource) => ({ fullUrl: `urn:uuid:${resource.id}`, resource })),
    ],
  }
}
