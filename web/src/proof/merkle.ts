// RFC 6962 / RFC 9162 inclusion, computed in the reader's browser: that an entry is in the log does not rest on the
// word of the server that shows it. Deliberately does not check the checkpoint's signature: that needs the root key,
// which must come from elsewhere (`holdpoint verify --root`).

import { canonical } from './canonical'

export type Bytes = Uint8Array<ArrayBuffer>

export async function sha256(...parts: Bytes[]): Promise<Bytes> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', whole))
}

export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text) as Bytes
}

/** Leaf = SHA-256(0x00 ‖ canonical JSON of the envelope). */
export function leafHash(envelope: unknown): Promise<Bytes> {
  return sha256(new Uint8Array([0]), utf8(canonical(envelope)))
}

function node(left: Bytes, right: Bytes): Promise<Bytes> {
  return sha256(new Uint8Array([1]), left, right)
}

/** The root that this path leads to (RFC 9162, section 2.1.3.2), or null where index, size and path do not fit together. */
export async function rootOf(index: number, size: number, leaf: Bytes, path: Bytes[]): Promise<Bytes | null> {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return null
  let fn = BigInt(index)
  let sn = BigInt(size - 1)
  let root = leaf
  for (const step of path) {
    if (sn === 0n || step.length !== 32) return null
    if (fn % 2n === 1n || fn === sn) {
      root = await node(step, root)
      while (fn % 2n === 0n && fn !== 0n) {
        fn >>= 1n
        sn >>= 1n
      }
    } else {
      root = await node(root, step)
    }
    fn >>= 1n
    sn >>= 1n
  }
  return sn === 0n ? root : null
}

/** 32 bytes from `sha256:hex` or base64; null for anything else. */
export function hashBytes(text: string): Bytes | null {
  const hex = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text)?.[1]
  if (hex) return Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16)) as Bytes
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0)) as Bytes
    return bytes.length === 32 ? bytes : null
  } catch {
    return null
  }
}

export function same(a: Bytes | null, b: Bytes | null): boolean {
  return !!a && !!b && a.length === b.length && a.every((byte, i) => byte === b[i])
}

export function asDigest(bytes: Bytes): string {
  return `sha256:${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
