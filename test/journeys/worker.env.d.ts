/** The Worker under test, as its callers and its cron reach it. */
declare module 'cloudflare:workers' {
  export const exports: {
    default: {
      fetch(url: string, init?: RequestInit): Promise<Response>
      scheduled(event: { cron: string }): Promise<void>
    }
  }
}
