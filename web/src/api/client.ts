// The one door to the server: JSON in and out, problem+json as a typed refusal, an idempotency key on every mutation.
// Deliberately knows no rule: whether something may be done is the server's to say.

import type { Refusal } from './types'

/** The server said no, with its reason and what would change it. */
export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.detail)
  }
}

/** No answer came. A mutation may or may not have happened; sending it again with the same key is safe. */
export class Unreachable extends Error {}

let csrf = ''
/** Set from `GET /v1/me`; every mutation carries it. */
export function carryToken(token: string) {
  csrf = token
}

let signedOut: () => void = () => {}
/** Called when the server no longer knows this session. */
export function onSignedOut(callback: () => void) {
  signedOut = callback
}

async function refusalOf(response: Response): Promise<Refusal> {
  const unknown = { status: response.status, code: `HTTP-${response.status}`, detail: `The server answered ${response.status} without a reason.` }
  if (!response.headers.get('content-type')?.includes('json')) return unknown
  return { ...unknown, ...((await response.json().catch(() => ({}))) as Partial<Refusal>) }
}

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', redirect: 'error', ...init })
  } catch (cause) {
    if (init.signal?.aborted) throw cause
    throw new Unreachable('The server does not answer.', { cause })
  }
  if (response.ok) return response
  const refusal = await refusalOf(response)
  if (response.status === 401 && !path.startsWith('/v1/session') && !path.startsWith('/v1/setup')) signedOut()
  throw new Refused(refusal)
}

export async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { headers: { accept: 'application/json' }, ...(signal ? { signal } : {}) })
  return (await response.json()) as T
}

/** One per thing the user wants done; kept when the same thing is sent again. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export interface Mutation {
  method?: 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  body?: unknown
  key?: string
  ifMatch?: string
}

export async function change<T = unknown>(path: string, { method = 'POST', body, key = newKey(), ifMatch }: Mutation = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json', 'idempotency-key': key }
  if (csrf) headers['x-holdpoint-csrf'] = csrf
  if (ifMatch) headers['if-match'] = `"${ifMatch}"`
  if (body !== undefined) headers['content-type'] = 'application/json'
  const response = await send(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await response.text()
  return (text ? JSON.parse(text) : undefined) as T
}

/** A path from parts that are each encoded: no name can step out of its place. */
export function at(parts: TemplateStringsArray, ...values: (string | number)[]): string {
  return parts.reduce((path, part, i) => path + part + (i < values.length ? encodeURIComponent(values[i]!) : ''), '')
}

export function asRefusal(fault: unknown): Refusal {
  if (fault instanceof Refused) return fault.refusal
  if (fault instanceof Unreachable)
    return {
      status: 0,
      code: 'NET-001',
      detail: 'The server does not answer, so it is not known whether this was done.',
      unblock: 'Send it again: the same request is never carried out twice.',
    }
  return { status: 0, code: 'WEB-001', detail: fault instanceof Error ? fault.message : String(fault), unblock: 'Load the page again.' }
}
